#include "passes/drop_border_conversions.h"

#include <algorithm>
#include <optional>

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;

/// The encoding of a Q/DQ node with one constant scale and a constant zero point.
std::optional<BorderEncoding> encoding_of(const Graph& graph, const Node& node,
                                          const std::string& value) {
  const Tensor* scale = graph.find_initializer(node.input(1));
  const Tensor* zero = graph.find_initializer(node.input(2));
  if (scale == nullptr || scale->size() != 1 || zero == nullptr || zero->size() != 1) {
    return std::nullopt;
  }
  return BorderEncoding{value, zero->dtype(), to_doubles(*scale)[0],
                        static_cast<std::int64_t>(to_doubles(*zero)[0])};
}

bool is(const Node* node, const char* op_type) {
  return node != nullptr && node->op_type() == op_type;
}

/// Quantizations of an input, all alike; nothing when something else reads it too.
std::optional<BorderEncoding> input_encoding(const Graph& graph, const std::string& input) {
  const auto& uses = graph.uses(input);
  if (uses.empty() || graph.is_output(input) || graph.is_captured(input)) return std::nullopt;
  std::optional<BorderEncoding> first;
  for (const graph::Use& use : uses) {
    if (!is(use.node, "QuantizeLinear") || use.index != 0) return std::nullopt;
    if (graph.is_output(use.node->output()) || graph.is_captured(use.node->output())) {
      return std::nullopt;
    }
    const auto encoding = encoding_of(graph, *use.node, input);
    if (!encoding) return std::nullopt;
    if (!first) first = encoding;
    const bool same = encoding->type == first->type && encoding->scale == first->scale &&
                      encoding->zero_point == first->zero_point;
    if (!same) return std::nullopt;
  }
  return first;
}

void set_dtype(Graph& graph, const std::string& value, DType dtype) {
  graph::ValueType type;
  if (const graph::ValueType* known = graph.find_type(value)) type = *known;
  type.dtype = dtype;
  graph.set_type(value, std::move(type));
}

void open_input(Graph& graph, const std::string& input, DType dtype) {
  const std::vector<graph::Use> uses = graph.uses(input);
  for (const graph::Use& use : uses) {
    const std::string codes = use.node->output();
    graph.erase_node(*use.node);
    graph.replace_uses(codes, input);
    graph.erase_type(codes);
  }
  set_dtype(graph, input, dtype);
}

/// The DequantizeLinear of an output whose codes nothing else names.
const Node* output_conversion(const Graph& graph, const std::string& output) {
  const Node* node = graph.producer(output);
  if (!is(node, "DequantizeLinear") || graph.is_captured(output)) return nullptr;
  const std::string& codes = node->input(0);
  const bool movable = graph.producer(codes) != nullptr && !graph.is_output(codes) &&
                       !graph.is_captured(codes) && graph.uses(output).empty();
  return movable ? node : nullptr;
}

void open_output(Graph& graph, const Node& conversion, const std::string& output, DType dtype) {
  const std::string codes = conversion.input(0);
  const Node& producer = *graph.producer(codes);
  const auto& names = producer.outputs();
  const auto index = std::find(names.begin(), names.end(), codes) - names.begin();
  graph.erase_node(conversion);
  graph.replace_uses(codes, output);
  graph.set_output(producer, static_cast<std::size_t>(index), output);
  graph.erase_type(codes);
  set_dtype(graph, output, dtype);
}

}  // namespace

PassReport drop_border_conversions(Graph& graph, std::vector<BorderEncoding>& encodings) {
  PassReport report{"drop_border_conversions", {}, {}};
  const auto note = [&](const BorderEncoding& encoding) {
    encodings.push_back(encoding);
    report.applied_to.push_back(encoding.value);
  };
  for (const std::string& input : graph.inputs()) {
    const auto encoding = input_encoding(graph, input);
    if (!encoding) continue;
    open_input(graph, input, encoding->type);
    note(*encoding);
  }
  for (const std::string& output : graph.outputs()) {
    const Node* conversion = output_conversion(graph, output);
    const auto encoding =
        conversion == nullptr ? std::nullopt : encoding_of(graph, *conversion, output);
    if (!encoding) continue;
    open_output(graph, *conversion, output, encoding->type);
    note(*encoding);
  }
  return report;
}

}  // namespace hexquant::passes
