#include "pipeline/select_outputs.h"

#include <set>
#include <utility>

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using graph::Node;

/// Values that a node needs, subgraphs included.
std::vector<std::string> values_read(const Node& node) {
  std::vector<std::string> values;
  for (const std::string& input : node.inputs()) {
    if (!input.empty()) values.push_back(input);
  }
  for (const auto& [name, attribute] : node.attributes()) {
    const auto* opaque = std::get_if<graph::OpaqueAttribute>(&attribute);
    if (opaque == nullptr) continue;
    values.insert(values.end(), opaque->captured.begin(), opaque->captured.end());
  }
  return values;
}

std::set<std::string> needed_values(const Graph& graph, std::vector<std::string> open) {
  std::set<std::string> needed;
  while (!open.empty()) {
    const std::string value = std::move(open.back());
    open.pop_back();
    if (!needed.insert(value).second) continue;
    const Node* producer = graph.producer(value);
    if (producer == nullptr) continue;
    for (std::string& read : values_read(*producer)) open.push_back(std::move(read));
  }
  return needed;
}

}  // namespace

Graph select_outputs(const Graph& graph, const std::vector<std::string>& outputs) {
  const std::set<std::string> needed = needed_values(graph, outputs);
  Graph part;
  part.info = graph.info;
  part.opsets = graph.opsets;
  for (const std::string& input : graph.inputs()) {
    if (!needed.contains(input)) continue;
    const graph::ValueType* type = graph.find_type(input);
    part.add_input(input, type == nullptr ? graph::ValueType() : *type);
  }
  for (const auto& [name, tensor] : graph.initializers()) {
    if (needed.contains(name)) part.add_initializer(name, tensor);
  }
  for (const Node& node : graph.nodes()) {
    bool is_needed = false;
    for (const std::string& output : node.outputs()) is_needed |= needed.contains(output);
    if (!is_needed) continue;
    part.add_node({node.op_type(), node.inputs(), node.outputs(), node.attributes(), node.name(),
                   node.domain()});
    for (const std::string& output : node.outputs()) {
      if (const graph::ValueType* type = graph.find_type(output)) part.set_type(output, *type);
    }
  }
  for (const std::string& output : outputs) part.add_output(output);
  return part;
}

}  // namespace hexquant::pipeline
