#include "graph/integer_input.h"

namespace hexquant::graph {

std::optional<IntegerInput> integer_input(const Graph& graph, const std::string& value) {
  const Node* node = graph.producer(value);
  if (node == nullptr || !node->is("DequantizeLinear")) return std::nullopt;
  if (!graph.is_input(node->input(0))) return std::nullopt;
  const ValueType* type = graph.find_type(node->input(0));
  if (type == nullptr || type->dtype != DType::kUInt8) return std::nullopt;
  const Tensor* scale = graph.find_initializer(node->input(1));
  if (scale == nullptr || scale->size() != 1 || scale->dtype() != DType::kFloat32) {
    return std::nullopt;
  }
  IntegerInput input;
  input.scale = scale->data<float>()[0];
  if (node->input(2).empty()) return input;
  const Tensor* zero_point = graph.find_initializer(node->input(2));
  if (zero_point == nullptr || zero_point->size() != 1) return std::nullopt;
  input.zero_point = static_cast<std::int64_t>(to_doubles(*zero_point)[0]);
  return input;
}

}  // namespace hexquant::graph
