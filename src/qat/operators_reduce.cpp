// Reductions along axes, and what else goes along one axis.
#include <algorithm>
#include <numeric>

#include "qat/operator.h"

namespace hexquant::qat {
namespace {

using Ints = std::vector<std::int64_t>;
using Reduction = torch::Tensor (*)(const torch::Tensor&, const Ints&, bool);

template <Reduction Function>
Apply build_reduction(const OperatorContext& context) {
  const auto axes_of = context.integers("axes", 1);
  const bool keep = context.node.int_attribute("keepdims", 1) != 0;
  const bool none_is_none = context.node.int_attribute("noop_with_empty_axes", 0) != 0;
  return [axes_of, keep, none_is_none](const Values& x) -> Values {
    Ints axes = axes_of(x).value_or(Ints());
    if (axes.empty()) {
      // Each element is a set of its own.
      if (none_is_none) return {Function(x[0].unsqueeze(-1), {-1}, false)};
      axes.resize(static_cast<std::size_t>(x[0].dim()));
      std::iota(axes.begin(), axes.end(), 0);
    }
    return {Function(x[0], axes, keep)};
  };
}

torch::Tensor sum(const torch::Tensor& x, const Ints& axes, bool keep) {
  return x.sum(axes, keep, x.scalar_type());
}

/// Mean of integers: rounded towards zero.
torch::Tensor mean(const torch::Tensor& x, const Ints& axes, bool keep) {
  if (torch::isFloatingType(x.scalar_type())) return x.mean(axes, keep);
  return x.to(torch::kFloat64).mean(axes, keep).to(x.scalar_type());
}

torch::Tensor largest(const torch::Tensor& x, const Ints& axes, bool keep) {
  return x.amax(axes, keep);
}

torch::Tensor smallest(const torch::Tensor& x, const Ints& axes, bool keep) {
  return x.amin(axes, keep);
}

torch::Tensor product(const torch::Tensor& x, const Ints& axes, bool keep) {
  Ints order;
  for (const std::int64_t axis : axes) order.push_back(front_axis(axis, x.dim()));
  // From the last axis, so that the others keep their places.
  std::sort(order.rbegin(), order.rend());
  torch::Tensor result = x;
  for (const std::int64_t axis : order) result = result.prod(axis, keep, x.scalar_type());
  return result;
}

torch::Tensor sum_of_squares(const torch::Tensor& x, const Ints& axes, bool keep) {
  return (x * x).sum(axes, keep);
}

torch::Tensor length(const torch::Tensor& x, const Ints& axes, bool keep) {
  return (x * x).sum(axes, keep).sqrt();
}

torch::Tensor sum_of_magnitudes(const torch::Tensor& x, const Ints& axes, bool keep) {
  return x.abs().sum(axes, keep);
}

torch::Tensor log_of_sum(const torch::Tensor& x, const Ints& axes, bool keep) {
  return x.sum(axes, keep).log();
}

torch::Tensor log_of_exponentials(const torch::Tensor& x, const Ints& axes, bool keep) {
  return x.logsumexp(axes, keep);
}

template <bool kLargest>
Apply build_arg(const OperatorContext& context) {
  const std::int64_t axis = context.node.int_attribute("axis", 0);
  const bool keep = context.node.int_attribute("keepdims", 1) != 0;
  if (context.node.int_attribute("select_last_index", 0) != 0) {
    unsupported("select_last_index is 1");
  }
  return [axis, keep](const Values& x) -> Values {
    return {kLargest ? x[0].argmax(axis, keep) : x[0].argmin(axis, keep)};
  };
}

Apply build_top_k(const OperatorContext& context) {
  const auto count_of = context.integers("k", 1);
  const std::int64_t axis = context.node.int_attribute("axis", -1);
  const bool largest_first = context.node.int_attribute("largest", 1) != 0;
  return [count_of, axis, largest_first](const Values& x) -> Values {
    const auto [values, indices] =
        torch::topk(x[0], count_of(x).value().at(0), axis, largest_first, true);
    return {values, indices};
  };
}

Apply build_cumulative_sum(const OperatorContext& context) {
  const auto axis_of = context.integers("axis", 1);
  const bool exclusive = context.node.int_attribute("exclusive", 0) != 0;
  const bool backward = context.node.int_attribute("reverse", 0) != 0;
  return [axis_of, exclusive, backward](const Values& x) -> Values {
    const std::int64_t axis = axis_of(x).value().at(0);
    const torch::Tensor ordered = backward ? x[0].flip(axis) : x[0];
    torch::Tensor sums = torch::cumsum(ordered, axis);
    if (exclusive) sums = sums - ordered;
    return {backward ? sums.flip(axis) : sums};
  };
}

constexpr Operator kOperators[] = {{"ArgMax", build_arg<true>},
                                   {"ArgMin", build_arg<false>},
                                   {"CumSum", build_cumulative_sum},
                                   {"ReduceL1", build_reduction<sum_of_magnitudes>},
                                   {"ReduceL2", build_reduction<length>},
                                   {"ReduceLogSum", build_reduction<log_of_sum>},
                                   {"ReduceLogSumExp", build_reduction<log_of_exponentials>},
                                   {"ReduceMax", build_reduction<largest>},
                                   {"ReduceMean", build_reduction<mean>},
                                   {"ReduceMin", build_reduction<smallest>},
                                   {"ReduceProd", build_reduction<product>},
                                   {"ReduceSum", build_reduction<sum>},
                                   {"ReduceSumSquare", build_reduction<sum_of_squares>},
                                   {"TopK", build_top_k}};

}  // namespace

std::span<const Operator> reduce_operators() {
  return kOperators;
}

}  // namespace hexquant::qat
