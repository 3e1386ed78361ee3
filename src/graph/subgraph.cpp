#include "graph/subgraph.h"

#include <unordered_set>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::graph {
namespace {

/// Every value a node reads, captured ones included.
std::vector<std::string> reads_of(const Node& node) {
  std::vector<std::string> reads;
  for (const std::string& input : node.inputs()) {
    if (!input.empty()) reads.push_back(input);
  }
  for (const auto& [name, attribute] : node.attributes()) {
    const auto* opaque = std::get_if<OpaqueAttribute>(&attribute);
    if (opaque != nullptr) {
      reads.insert(reads.end(), opaque->captured.begin(), opaque->captured.end());
    }
  }
  return reads;
}

/// Walks back from the outputs to the inputs.
class Extraction {
 public:
  Extraction(const Graph& graph, const std::map<std::string, ValueType>& given)
      : graph_(graph), given_(given) {}

  void need(const std::string& output) {
    std::vector<std::string> open = {output};
    while (!open.empty()) {
      const std::string value = std::move(open.back());
      open.pop_back();
      if (!values_.insert(value).second || given_.contains(value)) continue;
      if (graph_.find_initializer(value) != nullptr) continue;
      const Node* node = graph_.producer(value);
      if (node == nullptr) {
        throw Error(ErrorCode::kInvalidArgument,
                    format("subgraph for '{}': value '{}' is {}", output, value,
                           graph_.is_input(value) ? "a graph input that is not given" : "unknown"));
      }
      if (!nodes_.insert(node).second) continue;
      for (std::string& read : reads_of(*node)) open.push_back(std::move(read));
    }
  }

  [[nodiscard]] Graph build(const std::vector<std::string>& outputs) const {
    Graph part;
    part.info = graph_.info;
    part.opsets = graph_.opsets;
    for (const auto& [name, type] : given_) {
      if (values_.contains(name)) part.add_input(name, type);
    }
    for (const std::string& value : values_) copy_initializer(part, value);
    for (const Node& node : graph_.nodes()) {
      if (nodes_.contains(&node)) copy_node(part, node);
    }
    for (const std::string& output : outputs) part.add_output(output);
    return part;
  }

 private:
  void copy_initializer(Graph& part, const std::string& name) const {
    const Tensor* tensor = graph_.find_initializer(name);
    if (tensor != nullptr && !given_.contains(name)) part.add_initializer(name, *tensor);
  }

  void copy_node(Graph& part, const Node& node) const {
    part.add_node({.op_type = node.op_type(),
                   .inputs = node.inputs(),
                   .outputs = node.outputs(),
                   .attributes = node.attributes(),
                   .name = node.name(),
                   .domain = node.domain()});
    for (const std::string& output : node.outputs()) {
      const ValueType* type = graph_.find_type(output);
      if (type != nullptr && !given_.contains(output)) part.set_type(output, *type);
    }
  }

  const Graph& graph_;
  const std::map<std::string, ValueType>& given_;
  std::unordered_set<std::string> values_;
  std::unordered_set<const Node*> nodes_;
};

}  // namespace

ValueType type_of(const Tensor& tensor) {
  ValueType type;
  type.dtype = tensor.dtype();
  type.shape.emplace();
  for (const std::int64_t dim : tensor.shape()) type.shape->push_back({dim, ""});
  return type;
}

Graph extract_subgraph(const Graph& graph, const std::vector<std::string>& inputs,
                       const std::vector<std::string>& outputs) {
  std::map<std::string, ValueType> given;
  for (const std::string& name : inputs) {
    const ValueType* type = graph.find_type(name);
    if (type == nullptr) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("subgraph: the type of its input '{}' is not known", name));
    }
    given[name] = *type;
  }
  return extract_typed_subgraph(graph, given, outputs);
}

Graph extract_typed_subgraph(const Graph& graph, const std::map<std::string, ValueType>& inputs,
                             const std::vector<std::string>& outputs) {
  Extraction extraction(graph, inputs);
  for (const std::string& output : outputs) extraction.need(output);
  return extraction.build(outputs);
}

}  // namespace hexquant::graph
