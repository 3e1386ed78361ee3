#include "passes/upgrade_opset.h"

#include <optional>
#include <set>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/format.h"
#include "hexquant/error.h"
#include "passes/opset_adapters.h"
#include "runtime/session.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

/// Why the graph cannot be upgraded, and where.
struct Obstacle {
  std::string where;
  std::string reason;
};

Finding not_raised(const Graph& graph, const Obstacle& obstacle) {
  return {"opset-not-raised", Severity::kInfo, obstacle.where,
          format("the model stays at operator set {}, because {}", graph.opset(), obstacle.reason),
          "nothing to do: com.microsoft operators are used where 4- or 16-bit quantization needs "
          "operator set 21"};
}

/// Adapts one node through all changes after `from`. @return the first obstacle's reason
std::string adapt(Graph& graph, const Node& node, std::int64_t from, PassReport& report) {
  if (!node.domain().empty()) return "";
  if (!is_known_operator(node.op_type())) {
    return format("operator {} is not known", node.op_type());
  }
  const std::string name = node.name();
  const std::string output = node.output();
  bool changed = false;
  for (const OperatorChange& change : operator_changes()) {
    // An adapter may put another node in the place of this one.
    const Node* current = graph.producer(output);
    if (current == nullptr) return "its first output has no name";
    if (change.version <= from || current->op_type() != change.op_type) continue;
    const std::string failure = change.adapt(graph, *current);
    if (!failure.empty()) return format("{} cannot be rewritten: {}", change.op_type, failure);
    changed = true;
  }
  if (changed) report.applied_to.push_back(name);
  return "";
}

std::optional<Obstacle> upgrade(Graph& graph, PassReport& report) {
  if (!graph.info.serialized_functions.empty()) {
    return Obstacle{graph.info.graph_name, "it has functions of its own"};
  }
  const std::int64_t from = graph.opset();
  for (const Node* node : graph.node_list()) {
    if (node->has_subgraph() && !node->is("Constant")) {
      return Obstacle{node->name(), format("{} holds a subgraph", node->op_type())};
    }
    const std::string name = node->name();
    const std::string failure = adapt(graph, *node, from, report);
    if (!failure.empty()) return Obstacle{name, failure};
  }
  graph.opsets[""] = kInternalOpset;
  return std::nullopt;
}

/// What decides whether ONNX Runtime has a kernel: operator, attributes, element types and ranks.
/// Empty when that is not known of an input, or an attribute is more than numbers and text.
std::string kernel_key(const Graph& graph, const Node& node) {
  std::string key = node.domain() + ":" + node.op_type();
  for (const auto& attribute : node.attributes()) {
    const std::string& name = attribute.first;
    const bool plain = std::visit(
        [&](const auto& held) {
          using Held = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<Held, Tensor> ||
                        std::is_same_v<Held, graph::OpaqueAttribute>) {
            return false;
          } else {
            key += format(";{}={}", name, held);
            return true;
          }
        },
        attribute.second);
    if (!plain) return "";
  }
  for (const std::string& input : node.inputs()) {
    const Tensor* constant = graph.find_initializer(input);
    const graph::ValueType* type = graph.find_type(input);
    if (input.empty()) {
      key += ";-";
    } else if (constant != nullptr) {
      key += format(";c{}x{}", dtype_name(constant->dtype()), constant->shape().size());
    } else if (type != nullptr && type->shape) {
      key += format(";{}x{}", dtype_name(type->dtype), type->shape->size());
    } else {
      return "";
    }
  }
  return key + format(";{}", node.outputs().size());
}

/// A graph with one node of each kind, fed from outside: loads where `graph` loads and costs a
/// session of tens of nodes instead of thousands. nullopt when a node's kind is not known.
std::optional<Graph> one_of_each_kind(const Graph& graph) {
  Graph sample;
  sample.info = graph.info;
  sample.opsets = graph.opsets;
  std::set<std::string> kinds;
  for (const Node& node : graph.nodes()) {
    const std::string kind = kernel_key(graph, node);
    if (kind.empty()) return std::nullopt;
    if (!kinds.insert(kind).second) continue;
    graph::NodeSpec spec{node.op_type(), {}, {}, node.attributes(), node.name(), node.domain()};
    for (const std::string& input : node.inputs()) {
      const Tensor* constant = graph.find_initializer(input);
      spec.inputs.push_back(input.empty() ? "" : "in_" + input);
      if (input.empty() || sample.has_value(spec.inputs.back())) continue;
      if (constant != nullptr) {
        sample.add_initializer(spec.inputs.back(), *constant);
      } else {
        sample.add_input(spec.inputs.back(), *graph.find_type(input));
      }
    }
    for (const std::string& output : node.outputs()) {
      spec.outputs.push_back(output.empty() ? "" : "out_" + output);
      if (!output.empty()) sample.add_output(spec.outputs.back());
    }
    sample.add_node(std::move(spec));
  }
  return sample;
}

/// An operator may have lost, or not yet got, a kernel for its element type.
std::optional<Obstacle> find_missing_kernel(const Graph& upgraded) {
  runtime::SessionOptions options;
  options.optimize = false;
  try {
    const std::optional<Graph> sample = one_of_each_kind(upgraded);
    const runtime::Session session(sample ? *sample : upgraded, options);
  } catch (const Error& error) {
    return Obstacle{upgraded.info.graph_name,
                    format("it does not load otherwise: {}", error.what())};
  }
  return std::nullopt;
}

}  // namespace

PassReport upgrade_opset(Graph& graph) {
  PassReport report{"upgrade_opset", {}, {}};
  if (graph.opset() >= kInternalOpset) return report;
  // Tensors are shared, so the copy is cheap; it makes a failed attempt leave nothing behind.
  Graph upgraded = graph;
  auto obstacle = upgrade(upgraded, report);
  if (!obstacle) obstacle = find_missing_kernel(upgraded);
  if (obstacle) {
    report.applied_to.clear();
    report.findings.push_back(not_raised(graph, *obstacle));
    return report;
  }
  graph = std::move(upgraded);
  return report;
}

}  // namespace hexquant::passes
