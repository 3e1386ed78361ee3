#include "mixed_precision/work_share.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace hexquant::mixed_precision {
namespace {

std::int64_t elements_of(const graph::Graph& graph, const std::string& value) {
  const graph::ValueType* type = graph.find_type(value);
  if (type == nullptr || !type->shape) return 0;
  std::int64_t elements = 1;
  for (const graph::Dim& dim : *type->shape) elements *= dim.is_fixed() ? dim.value : 1;
  return elements;
}

/// Roughly the work of a node: multiply-accumulates of a layer, elements of anything else.
double work_of(const graph::Graph& graph, const graph::Node& node) {
  double elements = 0.0;
  for (const std::string& output : node.outputs()) {
    elements += static_cast<double>(elements_of(graph, output));
  }
  double depth = 1.0;
  for (const std::string& input : node.inputs()) {
    const Tensor* constant = graph.find_initializer(input);
    if (constant == nullptr || constant->rank() < 2 || node.is("Gather")) continue;
    const std::int64_t channels =
        node.is("Conv") ? constant->shape().front() : constant->shape().back();
    depth = static_cast<double>(constant->size()) /
            static_cast<double>(std::max<std::int64_t>(1, channels));
  }
  return elements * depth;
}

}  // namespace

std::vector<double> work_behind(const graph::Graph& graph, const graph::NodeOrder& order) {
  std::vector<double> behind(order.nodes().size() + 1, 0.0);
  for (std::size_t i = order.nodes().size(); i-- > 0;) {
    behind[i] = behind[i + 1] + work_of(graph, *order.nodes()[i]);
  }
  const double total = std::max(1.0, behind.front());
  for (double& share : behind) share /= total;
  return behind;
}

}  // namespace hexquant::mixed_precision
