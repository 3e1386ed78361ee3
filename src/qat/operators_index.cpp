// Operations that pick values by index.
#include "core/format.h"
#include "qat/operator.h"

namespace hexquant::qat {
namespace {

/// Indices from the end made ones from the front.
torch::Tensor front_indices(const torch::Tensor& indices, std::int64_t size) {
  const torch::Tensor wide = indices.to(torch::kInt64);
  return torch::where(wide < 0, wide + size, wide);
}

Apply build_gather(const OperatorContext& context) {
  const std::int64_t given = context.node.int_attribute("axis", 0);
  return [given](const Values& x) -> Values {
    const std::int64_t axis = front_axis(given, x[0].dim());
    const torch::Tensor indices = front_indices(x[1], x[0].size(axis));
    if (indices.dim() == 0) return {x[0].select(axis, indices.item<std::int64_t>())};
    // The axes of the indices take the place of the axis.
    std::vector<std::int64_t> shape(x[0].sizes().begin(), x[0].sizes().begin() + axis);
    shape.insert(shape.end(), indices.sizes().begin(), indices.sizes().end());
    shape.insert(shape.end(), x[0].sizes().begin() + axis + 1, x[0].sizes().end());
    return {x[0].index_select(axis, indices.reshape({-1})).reshape(shape)};
  };
}

Apply build_gather_elements(const OperatorContext& context) {
  const std::int64_t axis = context.node.int_attribute("axis", 0);
  return [axis](const Values& x) -> Values {
    return {x[0].gather(axis, front_indices(x[1], x[0].size(axis)))};
  };
}

Apply build_gather_nd(const OperatorContext& context) {
  if (context.node.int_attribute("batch_dims", 0) != 0) unsupported("batch_dims is not 0");
  return [](const Values& x) -> Values {
    std::vector<at::indexing::TensorIndex> places;
    for (std::int64_t d = 0; d < x[1].size(-1); ++d) {
      places.emplace_back(front_indices(x[1].select(-1, d), x[0].size(d)));
    }
    return {x[0].index(places)};
  };
}

Apply build_trilu(const OperatorContext& context) {
  const bool upper = context.node.int_attribute("upper", 1) != 0;
  const auto diagonal_of = context.integers("k", 1);
  return [upper, diagonal_of](const Values& x) -> Values {
    const std::int64_t k = diagonal_of(x).value_or(std::vector<std::int64_t>{0}).at(0);
    return {upper ? x[0].triu(k) : x[0].tril(k)};
  };
}

constexpr Operator kOperators[] = {{"Gather", build_gather},
                                   {"GatherElements", build_gather_elements},
                                   {"GatherND", build_gather_nd},
                                   {"Trilu", build_trilu}};

}  // namespace

std::span<const Operator> index_operators() {
  return kOperators;
}

}  // namespace hexquant::qat
