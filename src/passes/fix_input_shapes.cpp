#include "passes/fix_input_shapes.h"

#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::ValueType;

std::string type_text(const std::optional<std::vector<Dim>>& shape) {
  if (!shape) return "any shape";
  std::vector<std::string> dims;
  for (const Dim& dim : *shape) {
    const std::string symbol = dim.symbol.empty() ? "?" : dim.symbol;
    dims.push_back(dim.is_fixed() ? std::to_string(dim.value) : symbol);
  }
  return format("[{}]", join(dims, ","));
}

[[noreturn]] void reject_name(const Graph& graph, const std::string& name) {
  std::vector<std::string> known;
  for (const std::string& input : graph.inputs()) {
    known.push_back(format("'{}' {}", input, type_text(graph.find_type(input)->shape)));
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("input shape for '{}': the model has no such input; its inputs are {}", name,
                     join(known, ", ")));
}

void check_shape(const std::string& name, const ValueType& declared, const Shape& shape) {
  const auto reject = [&] {
    throw Error(ErrorCode::kInvalidArgument,
                format("input shape {} for '{}': expected dimensions of at least 1 that fit {}",
                       shape_text(shape), name, type_text(declared.shape)));
  };
  for (const std::int64_t dim : shape) {
    if (dim < 1) reject();
  }
  if (!declared.shape) return;
  if (declared.shape->size() != shape.size()) reject();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const Dim& dim = (*declared.shape)[i];
    if (dim.is_fixed() && dim.value != shape[i]) reject();
  }
}

void forget_inner_types(Graph& graph) {
  for (const graph::Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) graph.erase_type(output);
  }
}

}  // namespace

PassReport fix_input_shapes(Graph& graph, const std::map<std::string, Shape>& shapes) {
  PassReport report{"fix_input_shapes", {}, {}};
  for (const auto& [name, shape] : shapes) {
    if (!graph.is_input(name)) reject_name(graph, name);
    const ValueType declared = *graph.find_type(name);
    check_shape(name, declared, shape);
    ValueType fixed{declared.dtype, std::vector<Dim>{}};
    for (const std::int64_t dim : shape) fixed.shape->push_back({dim, ""});
    if (declared.fixed_shape() == shape) continue;
    graph.set_input_type(name, std::move(fixed));
    report.applied_to.push_back(name);
  }
  if (!report.applied_to.empty()) forget_inner_types(graph);
  return report;
}

}  // namespace hexquant::passes
