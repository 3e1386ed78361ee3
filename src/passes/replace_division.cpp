#include "passes/replace_division.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace hexquant::passes {
namespace {

std::optional<Tensor> reciprocals(const Tensor& divisor) {
  if (divisor.dtype() != DType::kFloat32 || divisor.empty()) return std::nullopt;
  std::vector<float> inverse;
  for (const float value : divisor.data<float>()) {
    inverse.push_back(static_cast<float>(1.0 / static_cast<double>(value)));
  }
  const bool usable =
      std::all_of(inverse.begin(), inverse.end(), [](float value) { return std::isnormal(value); });
  if (!usable) return std::nullopt;
  return Tensor::from(divisor.shape(), inverse);
}

}  // namespace

PassReport replace_division(graph::Graph& graph) {
  PassReport report{.pass = "replace_division", .applied_to = {}, .findings = {}};
  for (const graph::Node* node : graph.node_list()) {
    if (!node->is("Div")) continue;
    const Tensor* divisor = graph.find_initializer(node->input(1));
    auto inverse = divisor == nullptr ? std::nullopt : reciprocals(*divisor);
    if (!inverse) continue;
    const std::string name = graph.unique_name(node->input(1) + "_reciprocal");
    graph.add_initializer(name, *std::move(inverse));
    graph.set_input(*node, 1, name);
    graph.set_op_type(*node, "Mul");
    report.applied_to.push_back(node->name());
  }
  return report;
}

}  // namespace hexquant::passes
