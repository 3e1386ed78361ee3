#include "passes/fold_constants.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "core/format.h"
#include "hexquant/error.h"
#include "passes/graph_rewire.h"
#include "runtime/session.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;
using NodeSet = std::unordered_set<const Node*>;

/// Operators whose result is random, no tensor of numbers, or must not become a plain number.
bool is_foldable_op(const Node& node) {
  static const std::set<std::string> kExcluded = {
      "Bernoulli",         "Constant",       "DequantizeLinear",  "Multinomial",
      "Optional",          "RandomNormal",   "RandomNormalLike",  "RandomUniform",
      "RandomUniformLike", "SequenceAt",     "SequenceConstruct", "SequenceEmpty",
      "SequenceErase",     "SequenceInsert", "SplitToSequence",   "StringConcat",
      "StringNormalizer",  "StringSplit",    "TfIdfVectorizer"};
  if (!node.domain().empty() || node.has_subgraph() || kExcluded.contains(node.op_type())) {
    return false;
  }
  const bool trains = node.op_type() == "Dropout" && !node.input(2).empty();
  const bool makes_text =
      node.op_type() == "Cast" && node.int_attribute("to", 0) == static_cast<int>(DType::kString);
  return !trains && !makes_text;
}

bool is_constant_node(const Graph& graph, const Node& node, const NodeSet& constant) {
  const bool gives_output =
      std::any_of(node.outputs().begin(), node.outputs().end(),
                  [&](const std::string& name) { return graph.is_output(name); });
  if (gives_output || !is_foldable_op(node)) return false;
  return std::all_of(node.inputs().begin(), node.inputs().end(), [&](const std::string& input) {
    return input.empty() || graph.find_initializer(input) != nullptr ||
           constant.contains(graph.producer(input));
  });
}

/// Constant nodes in graph order.
std::vector<const Node*> find_constant_nodes(const Graph& graph, const NodeSet& excluded) {
  NodeSet constant;
  std::vector<const Node*> list;
  for (const Node& node : graph.nodes()) {
    if (excluded.contains(&node) || !is_constant_node(graph, node, constant)) continue;
    constant.insert(&node);
    list.push_back(&node);
  }
  return list;
}

/// Results that nodes outside the constant part read.
std::vector<std::string> find_results(const Graph& graph, const std::vector<const Node*>& nodes) {
  const NodeSet constant(nodes.begin(), nodes.end());
  std::vector<std::string> results;
  for (const Node* node : nodes) {
    for (const std::string& output : node->outputs()) {
      const auto& uses = graph.uses(output);
      const bool is_read_outside =
          std::any_of(uses.begin(), uses.end(),
                      [&](const graph::Use& use) { return !constant.contains(use.node); });
      if (is_read_outside) results.push_back(output);
    }
  }
  return results;
}

Graph extract(const Graph& graph, const std::vector<const Node*>& nodes) {
  Graph part;
  part.info.graph_name = "constants of " + graph.info.graph_name;
  part.info.ir_version = graph.info.ir_version;
  part.opsets = graph.opsets;
  for (const Node* node : nodes) {
    part.add_node(copy_spec(*node));
    for (const std::string& input : node->inputs()) {
      const Tensor* tensor = graph.find_initializer(input);
      if (tensor != nullptr && !part.has_value(input)) part.add_initializer(input, *tensor);
    }
  }
  return part;
}

std::vector<Tensor> evaluate(const Graph& graph, const std::vector<const Node*>& nodes,
                             const std::vector<std::string>& results) {
  runtime::SessionOptions options;
  options.optimize = false;
  return runtime::Session(extract(graph, nodes), options, results).run({});
}

/// Bytes of the initializers from which a value is made.
std::size_t source_bytes(const Graph& graph, const std::string& value) {
  std::unordered_set<std::string> seen = {value};
  std::vector<std::string> pending = {value};
  std::size_t total_bytes = 0;
  while (!pending.empty()) {
    const std::string name = pending.back();
    pending.pop_back();
    if (const Tensor* tensor = graph.find_initializer(name)) total_bytes += tensor->bytes();
    const Node* node = graph.producer(name);
    if (node == nullptr) continue;
    for (const std::string& input : node->inputs()) {
      if (seen.insert(input).second) pending.push_back(input);
    }
  }
  return total_bytes;
}

bool is_too_large(const Graph& graph, const std::string& value, const Tensor& tensor) {
  return tensor.bytes() > kLargestFoldBytes && tensor.bytes() > source_bytes(graph, value);
}

void store_result(Graph& graph, const std::string& name, Tensor tensor) {
  const Node& node = *graph.producer(name);
  const auto& outputs = node.outputs();
  const auto index = std::find(outputs.begin(), outputs.end(), name) - outputs.begin();
  // The node may have other outputs: it keeps a name that nobody reads until it is removed.
  graph.set_output(node, static_cast<std::size_t>(index), graph.unique_name(name + "_folded"));
  graph.erase_type(name);
  graph.add_initializer(name, std::move(tensor));
}

void remove_unread(Graph& graph, const std::vector<const Node*>& nodes, PassReport& report) {
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    const Node& node = **it;
    const auto& outputs = node.outputs();
    const bool needed = std::any_of(outputs.begin(), outputs.end(),
                                    [&](const auto& name) { return is_needed(graph, name); });
    if (needed) continue;
    report.applied_to.push_back(node.name());
    for (const std::string& output : outputs) graph.erase_type(output);
    graph.erase_node(node);
  }
}

/// The slow way, for when some node cannot be evaluated: each by itself, so that the rest folds.
void fold_one_by_one(Graph& graph, NodeSet excluded, PassReport& report) {
  for (const Node* node : find_constant_nodes(graph, excluded)) {
    const auto& inputs = node->inputs();
    const bool is_ready = std::all_of(inputs.begin(), inputs.end(), [&](const std::string& input) {
      return input.empty() || graph.find_initializer(input) != nullptr;
    });
    std::vector<std::string> results;
    for (const std::string& output : node->outputs()) {
      if (is_needed(graph, output)) results.push_back(output);
    }
    if (!is_ready || results.empty()) continue;
    try {
      std::vector<Tensor> tensors = evaluate(graph, {node}, results);
      for (std::size_t i = 0; i < results.size(); ++i) {
        store_result(graph, results[i], std::move(tensors[i]));
      }
      remove_unread(graph, {node}, report);
    } catch (const Error& error) {
      report.findings.push_back(
          {"constant-not-folded", Severity::kInfo, node->name(),
           format("{} of constants cannot be evaluated: {}", node->op_type(), error.what()), ""});
    }
  }
}

}  // namespace

PassReport fold_constants(Graph& graph) {
  PassReport report{"fold_constants", {}, {}};
  graph.sort();
  NodeSet excluded;
  // Each round folds everything or leaves out one more node, so it ends.
  for (;;) {
    const auto nodes = find_constant_nodes(graph, excluded);
    const auto results = find_results(graph, nodes);
    if (results.empty()) return report;
    std::vector<Tensor> tensors;
    try {
      tensors = evaluate(graph, nodes, results);
    } catch (const Error&) {
      fold_one_by_one(graph, std::move(excluded), report);
      return report;
    }
    const std::size_t excluded_before = excluded.size();
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (is_too_large(graph, results[i], tensors[i])) excluded.insert(graph.producer(results[i]));
    }
    if (excluded.size() > excluded_before) continue;
    for (std::size_t i = 0; i < results.size(); ++i) {
      store_result(graph, results[i], std::move(tensors[i]));
    }
    remove_unread(graph, nodes, report);
    return report;
  }
}

}  // namespace hexquant::passes
