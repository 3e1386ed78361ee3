#include "qat/fake_quantize.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "hexquant/error.h"
#include "quant/fake_quant.h"

namespace hexquant::qat {
namespace {

/// Elements that one task takes: small enough for the caches, large enough to pay for a thread.
constexpr std::int64_t kTaskElements = 1 << 15;

/// A grid together with the scales of its tensor's elements; kept for the backward pass.
struct GridHolder : torch::CustomClassHolder {
  GridHolder(const Grid& given, const Shape& shape)
      : grid(given), layout(quant::scale_layout(shape, given.encoding)) {
    for (std::size_t s = 0; s < grid.encoding.scale.size(); ++s) bounds.push_back(grid.bounds(s));
  }
  Grid grid;
  quant::ScaleLayout layout;
  std::vector<CodeBounds> bounds;  ///< for each scale
};

/// One scale for everything, or for each index of an outermost axis: runs that lie together in
/// memory, whatever the order inside.
struct Runs {
  std::int64_t count = 0;
  std::int64_t length = 0;
};

bool has_runs(const torch::Tensor& x, const quant::ScaleLayout& layout) {
  if (!x.is_non_overlapping_and_dense()) return false;
  if (layout.granularity == Granularity::kTensor) return true;
  return layout.granularity == Granularity::kChannel && layout.outer == 1 && x.numel() > 0 &&
         x.stride(0) * x.size(0) == x.numel();
}

Runs runs_of(const torch::Tensor& x, const quant::ScaleLayout& layout) {
  if (layout.granularity == Granularity::kTensor) return {1, x.numel()};
  return {layout.length, x.numel() / layout.length};
}

/// Part of a run, and which scale it has.
struct Task {
  std::int64_t begin;
  std::int64_t count;
  std::size_t scale;
};

std::vector<Task> split(const Runs& runs) {
  std::vector<Task> tasks;
  for (std::int64_t run = 0; run < runs.count; ++run) {
    for (std::int64_t at = 0; at < runs.length; at += kTaskElements) {
      tasks.push_back({run * runs.length + at, std::min(kTaskElements, runs.length - at),
                       static_cast<std::size_t>(run)});
    }
  }
  return tasks;
}

template <typename Body>
void for_each_task(const std::vector<Task>& tasks, const Body& body) {
  const auto elements = tasks.empty() ? 1 : std::max<std::int64_t>(1, tasks.front().count);
  at::parallel_for(0, static_cast<std::int64_t>(tasks.size()),
                   std::max<std::int64_t>(1, kTaskElements / elements),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t t = begin; t < end; ++t) body(static_cast<std::size_t>(t));
                   });
}

void forward_runs(const torch::Tensor& x, torch::Tensor& y, const GridHolder& holder) {
  const FakeQuantizeKernels& kernels = best_fake_quantize_kernels();
  const auto* from = x.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  const std::vector<Task> tasks = split(runs_of(x, holder.layout));
  for_each_task(tasks, [&](std::size_t t) {
    const Task& task = tasks[t];
    kernels.forward(from + task.begin, to + task.begin, task.count,
                    holder.grid.encoding.scale[task.scale], holder.bounds[task.scale]);
  });
}

/// @return the sums of each scale, added in the order of the tasks: the same for any thread count
std::vector<RangeSums> backward_runs(const torch::Tensor& x, const torch::Tensor& gradient,
                                     torch::Tensor& x_gradient, const GridHolder& holder) {
  const FakeQuantizeKernels& kernels = best_fake_quantize_kernels();
  const auto* from = x.data_ptr<float>();
  const auto* slopes = gradient.data_ptr<float>();
  auto* to = x_gradient.data_ptr<float>();
  const std::vector<Task> tasks = split(runs_of(x, holder.layout));
  std::vector<RangeSums> parts(tasks.size(), RangeSums{0.0, 0.0, 0.0});
  for_each_task(tasks, [&](std::size_t t) {
    const Task& task = tasks[t];
    kernels.backward(from + task.begin, slopes + task.begin, to + task.begin, task.count,
                     holder.grid.encoding.scale[task.scale], holder.bounds[task.scale], &parts[t]);
  });
  std::vector<RangeSums> sums(holder.bounds.size(), RangeSums{0.0, 0.0, 0.0});
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    RangeSums& sum = sums[tasks[t].scale];
    sum.inside += parts[t].inside;
    sum.below += parts[t].below;
    sum.above += parts[t].above;
  }
  return sums;
}

/// Scales that are not in runs: per channel along an inner axis, or per group.
class Rows {
 public:
  explicit Rows(const GridHolder& holder) : holder_(holder) {}

  void forward(const float* x, float* y) const {
    each([&](std::int64_t begin, std::int64_t count, const float* scales, const CodeBounds* bounds,
             const std::size_t*) {
      best_fake_quantize_kernels().forward_each(x + begin, y + begin, count, scales, bounds);
    });
  }

  std::vector<RangeSums> backward(const float* x, const float* gradient, float* x_gradient) const {
    std::vector<RangeSums> sums(holder_.bounds.size(), RangeSums{0.0, 0.0, 0.0});
    std::vector<RangeSums> row;
    each([&](std::int64_t begin, std::int64_t count, const float* scales, const CodeBounds* bounds,
             const std::size_t* indices) {
      row.assign(static_cast<std::size_t>(count), RangeSums{0.0, 0.0, 0.0});
      best_fake_quantize_kernels().backward_each(x + begin, gradient + begin, x_gradient + begin,
                                                 count, scales, bounds, row.data());
      for (std::int64_t i = 0; i < count; ++i) {
        RangeSums& sum = sums[indices[i]];
        sum.inside += row[static_cast<std::size_t>(i)].inside;
        sum.below += row[static_cast<std::size_t>(i)].below;
        sum.above += row[static_cast<std::size_t>(i)].above;
      }
    });
    return sums;
  }

 private:
  /// Calls body(begin, count, scales, bounds, scale indices) for rows of length * inner elements.
  template <typename Body>
  void each(const Body& body) const {
    const quant::ScaleLayout& layout = holder_.layout;
    const std::int64_t width = layout.length * layout.inner;
    std::vector<float> scales(static_cast<std::size_t>(width));
    std::vector<CodeBounds> bounds(static_cast<std::size_t>(width));
    std::vector<std::size_t> indices(static_cast<std::size_t>(width));
    for (std::int64_t o = 0; o < layout.outer; ++o) {
      for (std::int64_t p = 0, e = 0; p < layout.length; ++p) {
        for (std::int64_t i = 0; i < layout.inner; ++i, ++e) {
          const auto at = static_cast<std::size_t>(e);
          indices[at] = static_cast<std::size_t>(layout.index(o, p, i));
          scales[at] = holder_.grid.encoding.scale[indices[at]];
          bounds[at] = holder_.bounds[indices[at]];
        }
      }
      body(o * width, width, scales.data(), bounds.data(), indices.data());
    }
  }

  const GridHolder& holder_;
};

/// 1 / sqrt(elements of one scale * positive codes); a learned range has all codes on its side.
double gradient_factor(const torch::Tensor& x, const GridHolder& holder) {
  const bool has_batch = holder.grid.is_activation && x.dim() > 0 && x.size(0) > 0;
  const auto elements = static_cast<double>(x.numel()) /
                        static_cast<double>(has_batch ? x.size(0) : 1) /
                        static_cast<double>(holder.bounds.size());
  const auto steps = static_cast<double>(holder.grid.q_max() - holder.grid.q_min());
  const double codes = holder.grid.learned == GridParameter::kRange
                           ? steps
                           : std::max(1.0, static_cast<double>(holder.bounds.front().high));
  return 1.0 / std::sqrt(std::max(1.0, elements) * codes);
}

/// Gradient of the scales; two-level scales hand theirs to the channel.
torch::Tensor scale_gradient(const torch::Tensor& parameter, const GridHolder& holder,
                             const std::vector<RangeSums>& sums, double factor) {
  torch::Tensor result = torch::zeros_like(parameter);
  auto* to = result.data_ptr<float>();
  const auto slope = [&](std::size_t s) {
    return factor * (sums[s].inside + sums[s].below * static_cast<double>(holder.bounds[s].low) +
                     sums[s].above * static_cast<double>(holder.bounds[s].high));
  };
  const Encoding& encoding = holder.grid.encoding;
  if (!encoding.has_two_level_scales()) {
    for (std::size_t s = 0; s < sums.size(); ++s) to[s] = static_cast<float>(slope(s));
    return result;
  }
  for (std::int64_t channel = 0; channel < holder.layout.channels(); ++channel) {
    double sum = 0.0;
    for (std::int64_t b = 0; b < holder.layout.blocks(); ++b) {
      const auto s = static_cast<std::size_t>(holder.layout.block_index(channel, b));
      sum += encoding.block_int_scale[s] * slope(s);
    }
    to[channel] = static_cast<float>(sum);
  }
  return result;
}

torch::Tensor range_gradient(const torch::Tensor& parameter, const GridHolder& holder,
                             const RangeSums& sums, double factor) {
  const auto steps = static_cast<double>(holder.grid.q_max() - holder.grid.q_min());
  torch::Tensor result = torch::empty_like(parameter);
  auto* to = result.data_ptr<float>();
  to[0] = static_cast<float>(factor * (steps * sums.below - sums.inside));
  to[1] = static_cast<float>(factor * (steps * sums.above + sums.inside));
  return result;
}

struct FakeQuantizeFunction : torch::autograd::Function<FakeQuantizeFunction> {
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& given, const torch::Tensor& parameter,
                               const c10::intrusive_ptr<GridHolder>& holder) {
    const bool runs = has_runs(given, holder->layout);
    const torch::Tensor x = runs ? given : given.contiguous();
    torch::Tensor y = torch::empty_like(x);
    if (runs) {
      forward_runs(x, y, *holder);
    } else {
      Rows(*holder).forward(x.data_ptr<float>(), y.data_ptr<float>());
    }
    context->save_for_backward({x, parameter});
    context->saved_data["grid"] = c10::IValue::make_capsule(holder);
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto holder =
        c10::static_intrusive_pointer_cast<GridHolder>(context->saved_data["grid"].toCapsule());
    const auto saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    torch::Tensor gradient = gradients[0];
    // In the same order of memory as x.
    if (gradient.strides() != x.strides()) gradient = torch::empty_like(x).copy_(gradient);
    torch::Tensor x_gradient = torch::empty_like(x);
    const std::vector<RangeSums> sums =
        has_runs(x, holder->layout)
            ? backward_runs(x, gradient, x_gradient, *holder)
            : Rows(*holder).backward(x.data_ptr<float>(), gradient.data_ptr<float>(),
                                     x_gradient.data_ptr<float>());
    return {x_gradient, parameter_gradient(saved[1], *holder, sums, x), torch::Tensor()};
  }

  static torch::Tensor parameter_gradient(const torch::Tensor& parameter, const GridHolder& holder,
                                          const std::vector<RangeSums>& sums,
                                          const torch::Tensor& x) {
    if (holder.grid.learned == GridParameter::kNone) return {};
    const double factor = gradient_factor(x, holder);
    return holder.grid.learned == GridParameter::kScale
               ? scale_gradient(parameter, holder, sums, factor)
               : range_gradient(parameter, holder, sums.front(), factor);
  }
};

}  // namespace

std::int64_t Grid::q_min() const noexcept {
  return code_bits == 0 ? encoding.q_min() : -(std::int64_t{1} << (code_bits - 1));
}

std::int64_t Grid::q_max() const noexcept {
  return code_bits == 0 ? encoding.q_max() : (std::int64_t{1} << (code_bits - 1)) - 1;
}

CodeBounds Grid::bounds(std::size_t index) const {
  const std::int64_t zero = encoding.zero_point.at(index);
  return {static_cast<float>(q_min() - zero), static_cast<float>(q_max() - zero)};
}

torch::Tensor fake_quantize(const torch::Tensor& x, const torch::Tensor& parameter,
                            const Grid& grid) {
  HEXQUANT_CHECK(parameter.defined() == (grid.learned != GridParameter::kNone),
                 "a grid has a parameter exactly where it is learned");
  const Shape shape(x.sizes().begin(), x.sizes().end());
  // LibTorch wants a tensor for every argument.
  static const torch::Tensor none = torch::zeros({0});
  return FakeQuantizeFunction::apply(x, parameter.defined() ? parameter : none,
                                     c10::make_intrusive<GridHolder>(grid, shape));
}

}  // namespace hexquant::qat
