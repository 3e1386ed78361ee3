#include "calibrate/layer_columns.h"

#include <algorithm>
#include <cstring>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::calibrate {
namespace {

using graph::Graph;
using graph::Node;
using runtime::TapView;

/// Channel block of ONNX Runtime on machines with AVX-512.
constexpr std::int64_t kWideBlock = 16;

/// Shape of the constant or typed value. @throws Error(kUnsupported) when it is not known
Shape known_shape(const Graph& graph, const Node& node, const std::string& value) {
  if (const Tensor* tensor = graph.find_initializer(value)) return tensor->shape();
  if (const graph::ValueType* type = graph.find_type(value)) {
    if (const auto shape = type->fixed_shape()) return *shape;
  }
  throw Error(ErrorCode::kUnsupported, format("node '{}' ({}): the shape of its weight '{}' is not "
                                              "known",
                                              node.name(), node.op_type(), value));
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

LayerColumns::LayerColumns(const Graph& graph, const Node& node)
    : node_(node.name()), input_(node.input(0)) {
  if (node.is("Conv") || node.is("ConvTranspose")) {
    read_conv(graph, node);
  } else if (node.is("Gemm")) {
    read_gemm(graph, node);
  } else if (node.is("MatMul")) {
    read_matmul(graph, node);
  } else {
    throw Error(ErrorCode::kUnsupported,
                format("node '{}' is a {}: Gram matrices exist for Conv, ConvTranspose, Gemm and "
                       "MatMul",
                       node.name(), node.op_type()));
  }
}

void LayerColumns::read_conv(const Graph& graph, const Node& node) {
  kind_ = node.is("Conv") ? Kind::kConv : Kind::kConvTranspose;
  const Shape weight = known_shape(graph, node, node.input(1));
  if (weight.size() != 3 && weight.size() != 4) {
    throw Error(ErrorCode::kUnsupported,
                format("node '{}': weight {} has {} spatial axes, expected 1 or 2", node.name(),
                       shape_text(weight), static_cast<int>(weight.size()) - 2));
  }
  groups_ = node.int_attribute("group", 1);
  channels_ = kind_ == Kind::kConv ? weight[1] * groups_ : weight[0];
  read_spatial(node, weight);
}

void LayerColumns::read_spatial(const Node& node, const Shape& weight) {
  const std::size_t axes = weight.size() - 2;
  has_height_ = axes == 2;
  const auto ints = [&](const char* name, std::size_t count, std::int64_t fallback) {
    std::vector<std::int64_t> values =
        node.ints_attribute(name, std::vector<std::int64_t>(count, fallback));
    if (values.size() == count) return values;
    throw Error(ErrorCode::kInvalidModel, format("node '{}': attribute '{}' has {} entries, "
                                                 "expected {}",
                                                 node.name(), name, values.size(), count));
  };
  const auto strides = ints("strides", axes, 1);
  const auto dilations = ints("dilations", axes, 1);
  const auto pads = ints("pads", 2 * axes, 0);
  const auto output_padding = ints("output_padding", axes, 0);
  const auto output_shape = ints("output_shape", axes, 0);
  auto_pad_ = node.string_attribute("auto_pad", "NOTSET");
  for (std::size_t i = 0; i < axes; ++i) {
    Axis& axis = i + 1 == axes ? width_ : height_;
    axis = {weight[2 + i],  strides[i],        dilations[i],   pads[i],
            pads[axes + i], output_padding[i], output_shape[i]};
  }
  kernel_h_ = height_.kernel;
  kernel_w_ = width_.kernel;
}

void LayerColumns::read_gemm(const Graph& graph, const Node& node) {
  kind_ = node.int_attribute("transA", 0) != 0 ? Kind::kColumns : Kind::kRows;
  const Shape weight = known_shape(graph, node, node.input(1));
  channels_ = weight.at(node.int_attribute("transB", 0) != 0 ? 1 : 0);
}

void LayerColumns::read_matmul(const Graph& graph, const Node& node) {
  const Tensor* left = graph.find_initializer(node.input(0));
  const Tensor* right = graph.find_initializer(node.input(1));
  const Tensor* weight = right != nullptr ? right : left;
  if (weight == nullptr || weight->rank() < 2) {
    throw Error(
        ErrorCode::kUnsupported,
        format("node '{}' (MatMul): expected one constant operand of rank 2 or more", node.name()));
  }
  const Shape& shape = weight->shape();
  kind_ = right != nullptr ? Kind::kRows : Kind::kColumns;
  input_ = node.input(right != nullptr ? 0 : 1);
  channels_ = right != nullptr ? shape[shape.size() - 2] : shape.back();
}

LayerColumns::Extent LayerColumns::extent(const Axis& axis, std::int64_t input) const {
  const std::int64_t reach = (axis.kernel - 1) * axis.dilation + 1;
  const bool same_upper = auto_pad_ == "SAME_UPPER";
  const bool same = same_upper || auto_pad_ == "SAME_LOWER";
  Extent extent{input, 0, axis.pad_begin};
  std::int64_t pads = axis.pad_begin + axis.pad_end;
  if (auto_pad_ == "VALID") pads = extent.pad_begin = 0;
  if (kind_ == Kind::kConv) {
    if (same) {
      extent.output = ceil_div(input, axis.stride);
      pads = std::max<std::int64_t>(0, (extent.output - 1) * axis.stride + reach - input);
      extent.pad_begin = same_upper ? pads / 2 : pads - pads / 2;
    } else {
      extent.output = (input + pads - reach) / axis.stride + 1;
    }
    return extent;
  }
  const std::int64_t full = (input - 1) * axis.stride + axis.output_padding + reach;
  if (same || axis.output_size > 0) {
    extent.output = axis.output_size > 0 ? axis.output_size : input * axis.stride;
    pads = std::max<std::int64_t>(0, full - extent.output);
    // ONNX: the odd pad goes to the end for SAME_UPPER, to the begin otherwise.
    extent.pad_begin = same_upper ? pads / 2 : pads - pads / 2;
  } else {
    extent.output = full - pads;
  }
  return extent;
}

std::int64_t LayerColumns::source(const Axis& axis, const Extent& extent, std::int64_t o,
                                  std::int64_t k) const noexcept {
  std::int64_t i = 0;
  if (kind_ == Kind::kConv) {
    i = o * axis.stride - extent.pad_begin + k * axis.dilation;
  } else {
    const std::int64_t distance = o + extent.pad_begin - k * axis.dilation;
    if (distance < 0 || distance % axis.stride != 0) return -1;
    i = distance / axis.stride;
  }
  return i >= 0 && i < extent.input ? i : -1;
}

std::int64_t LayerColumns::position_count(const Shape& input) const {
  const auto mismatch = [&] {
    return Error(ErrorCode::kInvalidData,
                 format("node '{}': input '{}' of shape {} does not fit {} input channels", node_,
                        input_, shape_text(input), channels_));
  };
  if (kind_ == Kind::kConv || kind_ == Kind::kConvTranspose) {
    if (input.size() != (has_height_ ? 4U : 3U) || input[1] != channels_) throw mismatch();
    const std::int64_t rows = has_height_ ? extent(height_, input[2]).output : 1;
    return input[0] * rows * extent(width_, input.back()).output;
  }
  const std::size_t axis = kind_ == Kind::kRows ? 1 : 2;  // of the reduction, from the end
  if (input.size() < axis || input[input.size() - axis] != channels_) throw mismatch();
  return channels_ == 0 ? 0 : element_count(input) / channels_;
}

void LayerColumns::gather(const TapView& view, std::span<const std::int64_t> positions,
                          std::vector<float>& columns) const {
  columns.resize(positions.size() * static_cast<std::size_t>(kernel() * channels_));
  if (kind_ == Kind::kConv || kind_ == Kind::kConvTranspose) {
    gather_conv(view, positions, columns.data());
  } else {
    gather_matrix(view, positions, columns.data());
  }
}

void LayerColumns::gather_conv(const TapView& view, std::span<const std::int64_t> positions,
                               float* columns) const {
  const Extent h = has_height_ ? extent(height_, view.shape[2]) : Extent{};
  const Extent w = extent(width_, view.shape.back());
  const std::int64_t block = view.channel_block;
  const std::int64_t plane = h.input * w.input;
  const std::int64_t batch_stride = ceil_div(channels_, block) * block * plane;
  const auto copy_pixel = [&](const float* pixel, float* out) {
    if (block == 1) {
      for (std::int64_t c = 0; c < channels_; ++c) out[c] = pixel[c * plane];
      return;
    }
    for (std::int64_t c = 0; c < channels_; c += block, pixel += plane * block) {
      const std::int64_t lanes = std::min(block, channels_ - c);
      if (lanes == kWideBlock) {
        std::memcpy(out + c, pixel, kWideBlock * sizeof(float));  // inlined: the size is known
      } else {
        std::copy_n(pixel, lanes, out + c);
      }
    }
  };
  for (const std::int64_t position : positions) {
    const std::int64_t ow = position % w.output;
    const std::int64_t oh = position / w.output % h.output;
    const float* image = view.floats() + position / w.output / h.output * batch_stride;
    for (std::int64_t kh = 0; kh < kernel_h_; ++kh) {
      const std::int64_t ih = source(height_, h, oh, kh);
      for (std::int64_t kw = 0; kw < kernel_w_; ++kw, columns += channels_) {
        const std::int64_t iw = source(width_, w, ow, kw);
        if (ih < 0 || iw < 0) {
          std::fill_n(columns, channels_, 0.0F);
        } else {
          copy_pixel(image + (ih * w.input + iw) * block, columns);
        }
      }
    }
  }
}

void LayerColumns::gather_matrix(const TapView& view, std::span<const std::int64_t> positions,
                                 float* columns) const {
  const std::vector<float> row_major =
      view.channel_block == 1 ? std::vector<float>{} : runtime::to_row_major(view);
  const float* data = row_major.empty() ? view.floats() : row_major.data();
  const std::int64_t width = kind_ == Kind::kRows ? 1 : view.shape.back();
  for (const std::int64_t position : positions) {
    // Rows lie one after the other; columns of a matrix [channels, width] have stride `width`.
    const float* x = kind_ == Kind::kRows
                         ? data + position * channels_
                         : data + position / width * channels_ * width + position % width;
    for (std::int64_t c = 0; c < channels_; ++c) columns[c] = x[c * width];
    columns += channels_;
  }
}

}  // namespace hexquant::calibrate
