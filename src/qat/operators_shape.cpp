// Operations that move values or make shapes.
#include <algorithm>
#include <limits>
#include <numeric>

#include "core/format.h"
#include "qat/operator.h"
#include "qat/torch_tensor.h"

namespace hexquant::qat {
namespace {

using Ints = std::vector<std::int64_t>;

Apply build_reshape(const OperatorContext& context) {
  const auto shape_of = context.integers("shape", 1);
  const bool zero_is_zero = context.node.int_attribute("allowzero", 0) != 0;
  return [shape_of, zero_is_zero](const Values& x) -> Values {
    Ints shape = shape_of(x).value();
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] == 0 && !zero_is_zero) shape[d] = x[0].size(static_cast<std::int64_t>(d));
    }
    return {x[0].reshape(shape)};
  };
}

Apply build_transpose(const OperatorContext& context) {
  const Ints given = context.node.ints_attribute("perm", {});
  return [given](const Values& x) -> Values {
    Ints order = given;
    if (order.empty()) {
      order.resize(static_cast<std::size_t>(x[0].dim()));
      std::iota(order.rbegin(), order.rend(), 0);
    }
    return {x[0].permute(order)};
  };
}

Apply build_flatten(const OperatorContext& context) {
  const std::int64_t axis = context.node.int_attribute("axis", 1);
  return [axis](const Values& x) -> Values {
    const auto sizes = x[0].sizes();
    const std::int64_t split = front_axis(axis, x[0].dim());
    std::int64_t rows = 1;
    for (std::int64_t d = 0; d < split; ++d) rows *= sizes[static_cast<std::size_t>(d)];
    return {x[0].reshape({rows, rows == 0 ? 0 : x[0].numel() / rows})};
  };
}

Apply build_squeeze(const OperatorContext& context) {
  const auto axes_of = context.integers("axes", 1);
  return [axes_of](const Values& x) -> Values {
    const auto axes = axes_of(x);
    if (!axes) return {x[0].squeeze()};
    Ints order;
    for (const std::int64_t axis : *axes) order.push_back(front_axis(axis, x[0].dim()));
    std::sort(order.rbegin(), order.rend());
    torch::Tensor y = x[0];
    for (const std::int64_t axis : order) y = y.squeeze(axis);
    return {y};
  };
}

Apply build_unsqueeze(const OperatorContext& context) {
  const auto axes_of = context.integers("axes", 1);
  return [axes_of](const Values& x) -> Values {
    const Ints axes = axes_of(x).value();
    Ints order;
    const std::int64_t rank = x[0].dim() + static_cast<std::int64_t>(axes.size());
    for (const std::int64_t axis : axes) order.push_back(front_axis(axis, rank));
    std::sort(order.begin(), order.end());
    torch::Tensor y = x[0];
    for (const std::int64_t axis : order) y = y.unsqueeze(axis);
    return {y};
  };
}

Apply build_concat(const OperatorContext& context) {
  const std::int64_t axis = context.node.int_attribute("axis", 0);
  return [axis](const Values& x) -> Values { return {torch::cat(x, axis)}; };
}

Apply build_split(const OperatorContext& context) {
  const std::int64_t axis = context.node.int_attribute("axis", 0);
  const auto sizes_of = context.integers("split", 1);
  const auto parts = static_cast<std::int64_t>(context.node.outputs().size());
  return [axis, sizes_of, parts](const Values& x) -> Values {
    if (const auto sizes = sizes_of(x)) return x[0].split_with_sizes(*sizes, axis);
    // Equal parts but for the last ones.
    std::int64_t rest = x[0].size(axis);
    const std::int64_t each = (rest + parts - 1) / parts;
    Ints sizes;
    for (std::int64_t part = 0; part < parts; ++part) {
      sizes.push_back(std::min(each, rest));
      rest -= sizes.back();
    }
    return x[0].split_with_sizes(sizes, axis);
  };
}

/// One axis of Slice, by the rules of ONNX for indices out of range.
torch::Tensor slice_axis(const torch::Tensor& x, std::int64_t axis, std::int64_t start,
                         std::int64_t end, std::int64_t step) {
  const std::int64_t size = x.size(axis);
  const auto bounded = [size](std::int64_t index, std::int64_t low, std::int64_t high) {
    return std::clamp(index < 0 ? index + size : index, low, high);
  };
  if (step > 0) return x.slice(axis, bounded(start, 0, size), bounded(end, 0, size), step);
  // Backwards: the same elements of the turned axis. `end` may mean "before the first".
  const std::int64_t first = bounded(start, 0, size - 1);
  const std::int64_t stop = end < -size ? -1 : bounded(end, -1, size - 1);
  return x.flip(axis).slice(axis, size - 1 - first, size - 1 - stop, -step);
}

Apply build_slice(const OperatorContext& context) {
  const auto starts_of = context.integers("starts", 1);
  const auto ends_of = context.integers("ends", 2);
  const auto axes_of = context.integers("axes", 3);
  const auto steps_of = context.integers("steps", 4);
  return [=](const Values& x) -> Values {
    const Ints starts = starts_of(x).value();
    const Ints ends = ends_of(x).value();
    Ints every(starts.size());
    std::iota(every.begin(), every.end(), 0);
    const Ints axes = axes_of(x).value_or(every);
    const Ints steps = steps_of(x).value_or(Ints(starts.size(), 1));
    torch::Tensor y = x[0];
    for (std::size_t i = 0; i < starts.size(); ++i) {
      y = slice_axis(y, front_axis(axes.at(i), y.dim()), starts[i], ends.at(i), steps.at(i));
    }
    return {y};
  };
}

Apply build_expand(const OperatorContext& context) {
  const auto shape_of = context.integers("shape", 1);
  return [shape_of](const Values& x) -> Values {
    const Ints wanted = shape_of(x).value();
    return {x[0].expand(at::infer_size(x[0].sizes(), wanted))};
  };
}

Apply build_tile(const OperatorContext& context) {
  const auto repeats_of = context.integers("repeats", 1);
  return [repeats_of](const Values& x) -> Values { return {x[0].repeat(repeats_of(x).value())}; };
}

Apply build_shape(const OperatorContext& context) {
  const std::int64_t start = context.node.int_attribute("start", 0);
  const std::int64_t end =
      context.node.int_attribute("end", std::numeric_limits<std::int64_t>::max());
  return [start, end](const Values& x) -> Values {
    const std::int64_t rank = x[0].dim();
    const std::int64_t first = std::clamp<std::int64_t>(front_axis(start, rank), 0, rank);
    const std::int64_t last = std::clamp<std::int64_t>(front_axis(end, rank), first, rank);
    return {torch::tensor(Ints(x[0].sizes().begin() + first, x[0].sizes().begin() + last))};
  };
}

Apply build_size(const OperatorContext&) {
  return [](const Values& x) -> Values { return {torch::tensor(x[0].numel())}; };
}

const Tensor* tensor_attribute(const OperatorContext& context, const std::string& name) {
  const graph::Attribute* attribute = context.node.find_attribute(name);
  return attribute == nullptr ? nullptr : std::get_if<Tensor>(attribute);
}

Apply build_constant(const OperatorContext& context) {
  const Tensor* value = tensor_attribute(context, "value");
  if (value == nullptr) unsupported("it has no attribute 'value'");
  const torch::Tensor made = to_torch(*value);
  return [made](const Values&) -> Values { return {made}; };
}

Apply build_constant_of_shape(const OperatorContext& context) {
  const Tensor* value = tensor_attribute(context, "value");
  const torch::Tensor filling = value == nullptr ? torch::zeros({}) : to_torch(*value).reshape({});
  const auto shape_of = context.integers("shape", 0);
  return [filling, shape_of](const Values& x) -> Values {
    return {filling.expand(shape_of(x).value())};
  };
}

Apply build_range(const OperatorContext&) {
  return [](const Values& x) -> Values {
    return {torch::arange(x[0].item(), x[1].item(), x[2].item(), x[0].options())};
  };
}

/// Blocks of the channel axis become positions: DCR takes them as the first part of the axis.
Apply build_depth_to_space(const OperatorContext& context) {
  const std::int64_t block = context.node.int_attribute("blocksize", 1);
  const bool depth_first = context.node.string_attribute("mode", "DCR") == "CRD";
  return [block, depth_first](const Values& x) -> Values {
    if (depth_first) return {torch::pixel_shuffle(x[0], block)};
    const auto n = x[0].size(0), c = x[0].size(1) / (block * block);
    const auto h = x[0].size(2), w = x[0].size(3);
    return {x[0].reshape({n, block, block, c, h, w})
                .permute({0, 3, 4, 1, 5, 2})
                .reshape({n, c, h * block, w * block})};
  };
}

Apply build_space_to_depth(const OperatorContext& context) {
  const std::int64_t block = context.node.int_attribute("blocksize", 1);
  return [block](const Values& x) -> Values {
    const auto n = x[0].size(0), c = x[0].size(1);
    const auto h = x[0].size(2) / block, w = x[0].size(3) / block;
    return {x[0].reshape({n, c, h, block, w, block})
                .permute({0, 3, 5, 1, 2, 4})
                .reshape({n, c * block * block, h, w})};
  };
}

/// Values along one axis with `before` and `after` more, taken from the axis itself.
torch::Tensor extend_axis(const torch::Tensor& x, std::int64_t axis, std::int64_t before,
                          std::int64_t after, const std::string& mode) {
  if (before == 0 && after == 0) return x;
  const std::int64_t size = x.size(axis);
  Ints indices;
  for (std::int64_t i = -before; i < size + after; ++i) {
    std::int64_t from = std::clamp<std::int64_t>(i, 0, size - 1);
    if (mode == "wrap") from = ((i % size) + size) % size;
    if (mode == "reflect" && i < 0) from = -i;
    if (mode == "reflect" && i >= size) from = 2 * (size - 1) - i;
    indices.push_back(from);
  }
  return x.index_select(axis, torch::tensor(indices));
}

Apply build_pad(const OperatorContext& context) {
  const auto pads_of = context.integers("pads", 1);
  const auto axes_of = context.integers("axes", 3);
  const std::string mode = context.node.string_attribute("mode", "constant");
  const Tensor* value = context.constant(2);
  if (value == nullptr && context.has_input(2)) unsupported("its value is computed");
  const double filling = value == nullptr || value->empty()
                             ? context.node.float_attribute("value", 0.0F)
                             : to_doubles(*value).at(0);
  return [pads_of, axes_of, mode, filling](const Values& x) -> Values {
    const Ints given = pads_of(x).value();
    Ints axes(static_cast<std::size_t>(x[0].dim()));
    std::iota(axes.begin(), axes.end(), 0);
    axes = axes_of(x).value_or(axes);
    Ints pads(static_cast<std::size_t>(2 * x[0].dim()), 0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const auto axis = static_cast<std::size_t>(front_axis(axes[i], x[0].dim()));
      pads[axis] = given.at(i);
      pads[axis + pads.size() / 2] = given.at(i + axes.size());
    }
    if (mode == "constant") return {pad_axes(x[0], pads, filling)};
    torch::Tensor y = x[0];
    for (std::size_t axis = 0; axis < pads.size() / 2; ++axis) {
      y = extend_axis(y, static_cast<std::int64_t>(axis), pads[axis], pads[axis + pads.size() / 2],
                      mode);
    }
    return {y};
  };
}

constexpr Operator kOperators[] = {{"Concat", build_concat},
                                   {"Constant", build_constant},
                                   {"ConstantOfShape", build_constant_of_shape},
                                   {"DepthToSpace", build_depth_to_space},
                                   {"Expand", build_expand},
                                   {"Flatten", build_flatten},
                                   {"Pad", build_pad},
                                   {"Range", build_range},
                                   {"Reshape", build_reshape},
                                   {"Shape", build_shape},
                                   {"Size", build_size},
                                   {"Slice", build_slice},
                                   {"SpaceToDepth", build_space_to_depth},
                                   {"Split", build_split},
                                   {"Squeeze", build_squeeze},
                                   {"Tile", build_tile},
                                   {"Transpose", build_transpose},
                                   {"Unsqueeze", build_unsqueeze}};

}  // namespace

std::span<const Operator> shape_operators() {
  return kOperators;
}

}  // namespace hexquant::qat
