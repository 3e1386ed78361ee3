#include "pipeline/model_info.h"

#include <cmath>
#include <set>

#include "core/finding_json.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "passes/prepare.h"
#include "plan/plan.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

std::string op_name(const graph::Node& node) {
  return node.domain().empty() ? node.op_type() : node.domain() + ":" + node.op_type();
}

OpCounts count_ops(const graph::Graph& graph) {
  OpCounts counts;
  for (const graph::Node& node : graph.nodes()) ++counts[op_name(node)];
  return counts;
}

PortInfo port_info(const graph::Graph& graph, const std::string& name) {
  PortInfo port;
  port.name = name;
  port.type = dtype_name(DType::kUndefined);
  if (const graph::ValueType* type = graph.find_type(name)) {
    port.type = dtype_name(type->dtype);
    port.dims = type->shape;
  }
  return port;
}

/// Q/DQ of ai.onnx or of com.microsoft (16 and 4 bits below opset 21).
bool is_quantize(const graph::Node& node) {
  return node.op_type() == "QuantizeLinear";
}
bool is_dequantize(const graph::Node& node) {
  return node.op_type() == "DequantizeLinear";
}

/// Codes packed into bytes, with the scales as an input of the operator itself.
bool is_nbits(const graph::Node& node) {
  return node.op_type() == "MatMulNBits";
}

bool is_integer_operator(const graph::Node& node) {
  const std::string& type = node.op_type();
  return type.starts_with("QLinear") || type == "MatMulInteger" || type == "ConvInteger" ||
         type.starts_with("QAttention") || type == "QGemm" || type == "DynamicQuantizeLinear" ||
         type == "MatMulNBits";
}

std::string scales_of(const graph::Graph& graph, const graph::Node& node) {
  const Tensor* scale = graph.find_initializer(node.input(1));
  if (node.int_attribute("block_size", 0) > 0) return "group";
  return scale != nullptr && scale->size() > 1 ? "channel" : "tensor";
}

QuantizationState quantization_state(const graph::Graph& graph) {
  QuantizationState state;
  for (const graph::Node& node : graph.nodes()) {
    if (is_integer_operator(node)) ++state.integer_nodes;
    if (is_nbits(node)) {
      ++state.weight_bits[static_cast<int>(node.int_attribute("bits", 4))];
      ++state.weight_granularity["group"];
    }
    if (is_quantize(node)) {
      ++state.quantize_nodes;
      const Tensor* zero_point = graph.find_initializer(node.input(2));
      const bool weight = graph.find_initializer(node.input(0)) != nullptr;
      const int bits = zero_point == nullptr ? 8 : dtype_bits(zero_point->dtype());
      ++(weight ? state.weight_bits : state.activation_bits)[bits];
      if (weight) ++state.weight_granularity[scales_of(graph, node)];
    }
    if (!is_dequantize(node)) continue;
    ++state.dequantize_nodes;
    const Tensor* codes = graph.find_initializer(node.input(0));
    if (codes == nullptr || codes->dtype() == DType::kInt32) continue;  // activations, biases
    ++state.weight_bits[dtype_bits(codes->dtype())];
    ++state.weight_granularity[scales_of(graph, node)];
  }
  return state;
}

/// Constants that are scales or zero points of Q/DQ nodes and of MatMulNBits.
std::set<std::string> quantization_parameters(const graph::Graph& graph) {
  std::set<std::string> names;
  for (const graph::Node& node : graph.nodes()) {
    if (is_quantize(node) || is_dequantize(node)) names.insert({node.input(1), node.input(2)});
    if (is_nbits(node)) names.insert({node.input(1), node.input(2), node.input(3)});
  }
  return names;
}

bool feeds_dequantize(const graph::Graph& graph, const std::string& value) {
  for (const graph::Use& use : graph.uses(value)) {
    if (is_dequantize(*use.node) && use.index == 0) return true;
  }
  return false;
}

bool has_non_finite(const Tensor& tensor) {
  if (tensor.dtype() != DType::kFloat32 || tensor.size() < 2) return false;
  for (const float value : tensor.data<float>()) {
    if (!std::isfinite(value)) return true;
  }
  return false;
}

void count_constant(const Tensor& tensor, bool is_weight, ModelInfo& info) {
  info.constant_bytes[dtype_name(tensor.dtype())] += static_cast<std::int64_t>(tensor.bytes());
  if (is_weight) info.parameters += tensor.size();
}

void count_constants(const graph::Graph& graph, ModelInfo& info) {
  const std::set<std::string> skipped = quantization_parameters(graph);
  for (const auto& [name, tensor] : graph.initializers()) {
    const bool is_weight =
        !skipped.contains(name) && (is_floating(tensor.dtype()) || feeds_dequantize(graph, name));
    count_constant(tensor, is_weight, info);
    if (has_non_finite(tensor)) {
      info.findings.push_back({"non-finite-weights", Severity::kWarning, name,
                               "the constant holds NaN or infinities", "export the model again"});
    }
  }
  for (const graph::Node& node : graph.nodes()) {
    if (is_nbits(node)) info.parameters += node.int_attribute("K", 0) * node.int_attribute("N", 0);
    if (!node.is("Constant")) continue;
    const graph::Attribute* value = node.find_attribute("value");
    const Tensor* tensor = value == nullptr ? nullptr : std::get_if<Tensor>(value);
    if (tensor == nullptr) continue;
    count_constant(*tensor, is_floating(tensor->dtype()) && !skipped.contains(node.output()), info);
  }
}

void find_free_dimensions(ModelInfo& info) {
  for (const PortInfo& input : info.inputs) {
    if (!input.dims) {
      info.findings.push_back({"unknown-rank", Severity::kWarning, input.name,
                               "the model does not say the rank of this input",
                               "fix its shape with --input-shape"});
      continue;
    }
    for (std::size_t axis = 0; axis < input.dims->size(); ++axis) {
      const graph::Dim& dim = (*input.dims)[axis];
      if (dim.is_fixed()) continue;
      info.free_dimensions.emplace_back(dim.symbol, format("{}[{}]", input.name, axis));
    }
  }
}

void find_control_flow(const graph::Graph& graph, ModelInfo& info) {
  for (const graph::Node& node : graph.nodes()) {
    if (!node.has_subgraph()) continue;
    info.findings.push_back({"control-flow", Severity::kInfo, node.name(),
                             format("{} holds a subgraph, which stays float", node.op_type()),
                             "export without it if the NPU is to run this part"});
  }
}

Json dims_json(const std::optional<std::vector<graph::Dim>>& dims) {
  if (!dims) return nullptr;
  Json list = Json::array();
  for (const graph::Dim& dim : *dims) {
    list.push_back(dim.is_fixed() ? Json(dim.value) : Json(dim.symbol));
  }
  return list;
}

Json ports_json(const std::vector<PortInfo>& ports) {
  Json list = Json::array();
  for (const PortInfo& port : ports) {
    list.push_back({{"name", port.name}, {"type", port.type}, {"shape", dims_json(port.dims)}});
  }
  return list;
}

template <typename Pairs>
Json members_json(const Pairs& pairs) {
  Json object = Json::object();
  for (const auto& [name, value] : pairs) object[format("{}", name)] = value;
  return object;
}

Json quantization_json(const QuantizationState& state) {
  return {{"form", state.form()},
          {"quantize_nodes", state.quantize_nodes},
          {"dequantize_nodes", state.dequantize_nodes},
          {"integer_nodes", state.integer_nodes},
          {"weight_bits", members_json(state.weight_bits)},
          {"activation_bits", members_json(state.activation_bits)},
          {"weight_granularity", members_json(state.weight_granularity)}};
}

}  // namespace

std::string QuantizationState::form() const {
  if (quantize_nodes + dequantize_nodes > 0) return "qdq";
  return integer_nodes > 0 ? "qoperator" : "none";
}

ModelInfo describe_model(const graph::Graph& graph) {
  ModelInfo info;
  info.ir_version = graph.info.ir_version;
  info.producer = graph.info.producer_name;
  if (!graph.info.producer_version.empty()) info.producer += " " + graph.info.producer_version;
  for (const auto& [domain, version] : graph.opsets) {
    info.opsets[domain.empty() ? "ai.onnx" : domain] = version;
  }
  for (const std::string& name : graph.inputs()) info.inputs.push_back(port_info(graph, name));
  for (const std::string& name : graph.outputs()) info.outputs.push_back(port_info(graph, name));
  info.ops = count_ops(graph);
  info.nodes = static_cast<std::int64_t>(graph.nodes().size());
  count_constants(graph, info);
  find_free_dimensions(info);
  find_control_flow(graph, info);
  info.quantization = quantization_state(graph);
  return info;
}

void describe_preparation(const graph::Graph& graph,
                          const std::map<std::string, Shape>& input_shapes, const std::string& soc,
                          ModelInfo& info) {
  const target::Target target = target::load_target(soc);
  graph::Graph prepared = graph;
  PreparedInfo result;
  for (const passes::PassReport& report : passes::prepare(prepared, {input_shapes, {}})) {
    if (!report.applied_to.empty()) {
      result.passes.emplace_back(report.pass, static_cast<std::int64_t>(report.applied_to.size()));
    }
    append(info.findings, report.findings);
  }
  result.ops = count_ops(prepared);
  result.nodes = static_cast<std::int64_t>(prepared.nodes().size());
  const quant::QuantPlan plan = plan::make_plan(prepared, target, {});
  for (const quant::LayerDecision& layer : plan.layers) {
    const bool stays_float = layer.weight_bits >= 32 || layer.act_bits >= 32;
    ++(stays_float ? result.float_layers : result.integer_layers);
  }
  append(info.findings, plan.findings);
  info.prepared = std::move(result);
}

Json to_json(const ModelInfo& info) {
  Json json;
  json["ir_version"] = info.ir_version;
  json["producer"] = info.producer;
  json["opsets"] = members_json(info.opsets);
  json["inputs"] = ports_json(info.inputs);
  json["outputs"] = ports_json(info.outputs);
  json["nodes"] = info.nodes;
  json["ops"] = members_json(info.ops);
  json["parameters"] = info.parameters;
  json["constant_bytes"] = members_json(info.constant_bytes);
  json["free_dimensions"] = Json::array();
  for (const auto& [symbol, place] : info.free_dimensions) {
    json["free_dimensions"].push_back({{"symbol", symbol}, {"place", place}});
  }
  json["quantization"] = quantization_json(info.quantization);
  json["prepared"] = nullptr;
  if (info.prepared) {
    json["prepared"] = {{"nodes", info.prepared->nodes},
                        {"ops", members_json(info.prepared->ops)},
                        {"passes", members_json(info.prepared->passes)},
                        {"integer_layers", info.prepared->integer_layers},
                        {"float_layers", info.prepared->float_layers}};
  }
  json["findings"] = findings_json(info.findings);
  return json;
}

}  // namespace hexquant::pipeline
