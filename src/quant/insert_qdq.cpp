#include "quant/insert_qdq.h"

#include <map>
#include <string>
#include <utility>

#include "core/format.h"
#include "graph/integer_input.h"
#include "hexquant/error.h"
#include "quant/fake_quant.h"

namespace hexquant::quant {
namespace {

using graph::Attributes;
using graph::Graph;
using graph::Node;
using graph::Use;

constexpr const char* kContribDomain = "com.microsoft";

/// Writes the pairs into the float graph.
class QdqWriter {
 public:
  QdqWriter(Graph& graph, CodeValues code_values) : graph_(graph), code_values_(code_values) {}

  /// Initializer -> integer initializer + DequantizeLinear that all readers use.
  void quantize_initializer(const std::string& name, const Encoding& encoding) {
    const Tensor values = *graph_.find_initializer(name);
    const std::string codes = graph_.unique_name(name + "_quantized");
    graph_.add_initializer(codes, code_values_ == CodeValues::kZero
                                      ? Tensor(encoding.type, values.shape())
                                      : quantize_tensor(values, encoding));
    const auto parameters = add_parameters(name, encoding, values.shape());
    const std::string dequantized = graph_.unique_name(name + "_DequantizeLinear_Output");
    const bool is_output = graph_.is_output(name);
    redirect(name, dequantized);
    add("DequantizeLinear", codes, parameters, dequantized, encoding);
    dequantized_[name] = dequantized;
    if (!is_output && graph_.uses(name).empty()) graph_.erase_initializer(name);
  }

  /// Value -> QuantizeLinear -> DequantizeLinear -> readers.
  void quantize_value(const std::string& name, const Encoding& encoding) {
    if (is_fed_so(name, encoding)) {
      dequantized_[name] = name;
      return;
    }
    std::string source = name;
    std::string result = graph_.unique_name(name + "_DequantizeLinear_Output");
    redirect(name, result);
    if (graph_.is_output(name) && !graph_.is_input(name)) {
      HEXQUANT_CHECK(!graph_.is_captured(name), "output '" + name + "' is read by a subgraph");
      source = graph_.unique_name(name + "_QuantizeLinear_Input");
      rename_producer_output(name, source);
      if (const graph::ValueType* type = graph_.find_type(name)) graph_.set_type(source, *type);
      // Readers follow the value under the graph output's own name.
      graph_.replace_uses(result, name);
      result = name;
    }
    add_pair(name, source, result, encoding);
    dequantized_[name] = result;
  }

  /// One edge -> its own pair behind the value's pair; edges with equal encodings share it.
  void quantize_edge(const Node& node, int index, const std::string& value,
                     const Encoding& encoding) {
    for (const auto& [known, output] : converted_[value]) {
      if (known == encoding) {
        graph_.set_input(node, static_cast<std::size_t>(index), output);
        return;
      }
    }
    const auto found = dequantized_.find(value);
    const std::string source = found == dequantized_.end() ? value : found->second;
    const std::string base = graph_.unique_name(value + "_convert");
    const std::string result = graph_.unique_name(base + "_DequantizeLinear_Output");
    add_pair(base, source, result, encoding);
    graph_.set_input(node, static_cast<std::size_t>(index), result);
    converted_[value].emplace_back(encoding, result);
  }

  void import_domains() {
    if (contrib_used_) graph_.opsets[kContribDomain] = 1;
  }

 private:
  /// True if the value is a graph input of just these codes.
  [[nodiscard]] bool is_fed_so(const std::string& name, const Encoding& encoding) const {
    const auto given = graph::integer_input(graph_, name);
    return given && encoding.type == given->type && encoding.granularity == Granularity::kTensor &&
           encoding.scale[0] == given->scale && encoding.zero_point[0] == given->zero_point;
  }

  struct Parameters {
    std::string scale;
    std::string zero_point;  ///< empty: int32 has none
  };

  /// All plain readers of `from` read `to`; subgraphs that captured `from` keep the float value.
  void redirect(const std::string& from, const std::string& to) {
    const std::vector<Use> readers = graph_.uses(from);
    for (const Use& use : readers) {
      if (use.index == Use::kCaptured) continue;
      graph_.set_input(*use.node, static_cast<std::size_t>(use.index), to);
    }
  }

  void rename_producer_output(const std::string& name, const std::string& renamed) {
    const Node* producer = graph_.producer(name);
    HEXQUANT_CHECK(producer != nullptr, "no node computes '" + name + "'");
    for (std::size_t i = 0; i < producer->outputs().size(); ++i) {
      if (producer->output(i) == name) graph_.set_output(*producer, i, renamed);
    }
  }

  Parameters add_parameters(const std::string& base, const Encoding& encoding, const Shape& shape) {
    Parameters parameters;
    const Shape layout = scale_shape(shape, encoding);
    parameters.scale = graph_.unique_name(base + "_scale");
    graph_.add_initializer(parameters.scale, Tensor::from<float>(layout, encoding.scale));
    if (encoding.type == DType::kInt32) return parameters;
    parameters.zero_point = graph_.unique_name(base + "_zero_point");
    graph_.add_initializer(parameters.zero_point, zero_point_tensor(layout, encoding));
    return parameters;
  }

  static Tensor zero_point_tensor(const Shape& layout, const Encoding& encoding) {
    // Quantizing the integers with scale 1 stores them in the encoding's type, 4 bits packed.
    std::vector<float> values(encoding.zero_point.begin(), encoding.zero_point.end());
    Encoding unit;
    unit.type = encoding.type;
    unit.scale = {1.0F};
    unit.zero_point = {0};
    return quantize_tensor(Tensor::from<float>(layout, values), unit);
  }

  void add_pair(const std::string& base, const std::string& source, const std::string& result,
                const Encoding& encoding) {
    const Parameters parameters = add_parameters(base, encoding, {});
    const std::string codes = graph_.unique_name(base + "_QuantizeLinear_Output");
    add("QuantizeLinear", source, parameters, codes, encoding);
    add("DequantizeLinear", codes, parameters, result, encoding);
  }

  void add(const char* op_type, const std::string& input, const Parameters& parameters,
           const std::string& output, const Encoding& encoding) {
    graph::NodeSpec spec;
    spec.op_type = op_type;
    spec.name = graph_.unique_name(output + "_" + op_type);
    spec.inputs = {input, parameters.scale};
    if (!parameters.zero_point.empty()) spec.inputs.push_back(parameters.zero_point);
    spec.outputs = {output};
    if (encoding.granularity != Granularity::kTensor) {
      spec.attributes["axis"] = static_cast<std::int64_t>(encoding.axis);
    }
    if (encoding.granularity == Granularity::kGroup) {
      spec.attributes["block_size"] = encoding.block_size;
    }
    if (graph_.opset() < needed_opset(encoding)) {
      spec.domain = kContribDomain;
      contrib_used_ = true;
    }
    graph_.add_node(std::move(spec));
  }

  static std::int64_t needed_opset(const Encoding& encoding) {
    const int bits = encoding.bits();
    if (bits == 4 || bits == 16 || encoding.granularity == Granularity::kGroup) return 21;
    return encoding.granularity == Granularity::kChannel ? 13 : 10;
  }

  Graph& graph_;
  CodeValues code_values_;
  std::map<std::string, std::string> dequantized_;  ///< value -> output of its pair
  std::map<std::string, std::vector<std::pair<Encoding, std::string>>> converted_;
  bool contrib_used_ = false;
};

/// Original value behind input `index` of every edge of the plan, before anything is renamed.
std::map<EdgeKey, std::pair<const Node*, std::string>> resolve_edges(
    const Graph& graph, const EncodingTable& encodings) {
  std::map<std::string, const Node*> by_name;
  for (const Node& node : graph.nodes()) by_name[node.name()] = &node;
  std::map<EdgeKey, std::pair<const Node*, std::string>> edges;
  for (const auto& [key, encoding] : encodings.edges) {
    const auto found = by_name.find(key.node);
    HEXQUANT_CHECK(found != by_name.end(), "no node '" + key.node + "'");
    edges[key] = {found->second, found->second->input(static_cast<std::size_t>(key.index))};
  }
  return edges;
}

}  // namespace

Graph insert_qdq(Graph graph, const EncodingTable& encodings, CodeValues codes) {
  const auto edges = resolve_edges(graph, encodings);
  QdqWriter writer(graph, codes);
  for (const auto& [name, encoding] : encodings.tensors) {
    HEXQUANT_CHECK(graph.has_value(name), "no value '" + name + "'");
    if (graph.find_initializer(name) != nullptr) {
      writer.quantize_initializer(name, encoding);
    } else {
      writer.quantize_value(name, encoding);
    }
  }
  for (const auto& [key, encoding] : encodings.edges) {
    const auto& [node, value] = edges.at(key);
    writer.quantize_edge(*node, key.index, value, encoding);
  }
  writer.import_domains();
  graph.sort();
  return graph;
}

}  // namespace hexquant::quant
