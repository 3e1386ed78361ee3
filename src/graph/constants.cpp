#include "graph/constants.h"

namespace hexquant::graph {

std::optional<std::int64_t> known_rank(const Graph& graph, const std::string& value) {
  if (const Tensor* tensor = graph.find_initializer(value)) return tensor->rank();
  const graph::ValueType* type = graph.find_type(value);
  if (type == nullptr || !type->shape) return std::nullopt;
  return static_cast<std::int64_t>(type->shape->size());
}

std::optional<Tensor> broadcast_constant(const Graph& graph, const std::string& value,
                                         const Shape& shape) {
  const Tensor* tensor = graph.find_initializer(value);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32) return std::nullopt;
  const std::size_t extra =
      tensor->shape().size() > shape.size() ? tensor->shape().size() - shape.size() : 0;
  Shape sizes(shape.size(), 1);
  for (std::size_t i = 0; i < tensor->shape().size(); ++i) {
    const std::int64_t size = tensor->shape()[i];
    if (i < extra) {
      if (size != 1) return std::nullopt;
      continue;
    }
    const std::size_t at = shape.size() - (tensor->shape().size() - i);
    if (size != 1 && size != shape[at]) return std::nullopt;
    sizes[at] = size;
  }
  Tensor out(DType::kFloat32, shape);
  const auto source = tensor->data<float>();
  const auto target = out.mutable_data<float>();
  for (std::size_t flat = 0; flat < target.size(); ++flat) {
    std::size_t rest = flat;
    std::size_t from = 0;
    std::size_t stride = 1;
    for (std::size_t d = shape.size(); d-- > 0;) {
      const std::size_t index = rest % static_cast<std::size_t>(shape[d]);
      rest /= static_cast<std::size_t>(shape[d]);
      if (sizes[d] != 1) from += index * stride;
      stride *= static_cast<std::size_t>(sizes[d]);
    }
    target[flat] = source[from];
  }
  return out;
}

}  // namespace hexquant::graph
