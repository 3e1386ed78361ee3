#include "target/node_unit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "graph/integer_input.h"

namespace hexquant::target {
namespace {

using graph::Graph;
using graph::Node;

bool is_pair_op(const Node& node, const char* op_type) {
  return node.op_type() == op_type && (node.domain().empty() || node.domain() == "com.microsoft");
}

/// Operations through which ONNX Runtime passes a Q/DQ pair on.
bool passes_pairs_on(const Node& node) {
  static constexpr std::array<const char*, 6> kOps = {"Reshape",   "Transpose", "Squeeze",
                                                      "Unsqueeze", "Slice",     "MaxPool"};
  return std::any_of(kOps.begin(), kOps.end(), [&](const char* op) { return node.is(op); });
}

/// Lowest code of an integer type.
std::int64_t lowest_code(DType type) {
  const bool is_signed = type == DType::kInt8 || type == DType::kInt16 || type == DType::kInt4;
  return is_signed ? -(std::int64_t{1} << (dtype_bits(type) - 1)) : 0;
}

/// The code of 0.0 when the grid is symmetric.
std::int64_t middle_code(DType type) {
  return lowest_code(type) + (std::int64_t{1} << (dtype_bits(type) - 1));
}

std::vector<double> zero_points(const Graph& graph, const Node& node) {
  const Tensor* zero = graph.find_initializer(node.input(2));
  return zero == nullptr ? std::vector<double>{} : to_doubles(*zero);
}

/// Limit of a Clip; infinite when open, NaN when computed.
double clip_limit(const Graph& graph, const Node& node, std::size_t input, double open) {
  if (node.input(input).empty()) return open;
  const Tensor* value = graph.find_initializer(node.input(input));
  if (value == nullptr || value->size() != 1) return std::numeric_limits<double>::quiet_NaN();
  return to_doubles(*value)[0];
}

/// True when the grid of the QuantizeLinear holds no value that the Relu or Clip would change.
bool is_implied(const Graph& graph, const Node& clamp, const Node& quantize) {
  const Tensor* scale = graph.find_initializer(quantize.input(1));
  const auto format = pair_format(graph, quantize);
  if (scale == nullptr || !format || scale->size() != 1) return false;
  const std::vector<double> zeros = zero_points(graph, quantize);
  const double zero = zeros.empty() ? 0.0 : zeros[0];
  const double step = to_doubles(*scale)[0];
  const auto lowest = static_cast<double>(lowest_code(format->type));
  const double highest = lowest + std::exp2(dtype_bits(format->type)) - 1.0;
  constexpr double kOpen = std::numeric_limits<double>::infinity();
  const double min = clamp.is("Relu") ? 0.0 : clip_limit(graph, clamp, 1, -kOpen);
  const double max = clamp.is("Relu") ? kOpen : clip_limit(graph, clamp, 2, kOpen);
  // The upper limit may lie inside the last step.
  return (lowest - zero) * step >= min && (highest - zero) * step <= max + 0.5 * step;
}

}  // namespace

bool is_quantize(const Node& node) noexcept {
  return is_pair_op(node, "QuantizeLinear");
}
bool is_dequantize(const Node& node) noexcept {
  return is_pair_op(node, "DequantizeLinear");
}
bool is_pair_part(const Node& node) noexcept {
  return is_quantize(node) || is_dequantize(node);
}
const Tensor* find_constant(const Graph& graph, const std::string& value) {
  if (const Tensor* constant = graph.find_initializer(value)) return constant;
  const Node* producer = graph.producer(value);
  if (producer == nullptr || !is_dequantize(*producer) || graph.is_output(value)) return nullptr;
  return graph.find_initializer(producer->input(0));
}
bool is_quantized(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [&](const Node& node) {
    return is_pair_part(node) && !graph::integer_input(graph, node.output());
  });
}

std::optional<PairFormat> pair_format(const Graph& graph, const Node& node) {
  const Tensor* scale = graph.find_initializer(node.input(1));
  if (scale == nullptr) return std::nullopt;
  PairFormat format;
  const std::string& codes = is_quantize(node) ? node.output() : node.input(0);
  if (const Tensor* constant = graph.find_initializer(codes)) {
    format.type = constant->dtype();
  } else if (const Tensor* zero = graph.find_initializer(node.input(2))) {
    format.type = zero->dtype();
  } else if (const graph::ValueType* type = graph.find_type(codes)) {
    format.type = type->dtype;
  } else {
    return std::nullopt;
  }
  const std::vector<double> zeros = zero_points(graph, node);
  if (scale->size() == 1 && is_floating(scale->dtype())) format.scale = to_doubles(*scale)[0];
  if (zeros.size() == 1) format.zero_point = zeros[0];
  const auto middle = static_cast<double>(middle_code(format.type));
  format.symmetric =
      format.type == DType::kInt32 ||
      std::all_of(zeros.begin(), zeros.end(), [&](double zero) { return zero == middle; });
  if (zeros.empty()) format.symmetric = middle == 0.0;
  format.block_size = node.int_attribute("block_size", 0);
  if (scale->rank() > 0 && scale->size() > 0) {
    const bool blocks = format.block_size > 0;
    format.granularity = blocks ? Granularity::kGroup : Granularity::kChannel;
    format.axis = static_cast<int>(node.int_attribute("axis", 1));
  }
  return format;
}

NodeFormats NodeUnit::formats() const {
  NodeFormats formats;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].is_quantized()) formats.inputs[static_cast<int>(i)] = inputs[i].format;
  }
  formats.output = output;
  return formats;
}

/// The pair that is left of two: Q1 DQ1 Q2 DQ2 with one type become Q DQ whose range both cover.
/// Formulas: ranges [(q_min - z) s, (q_max - z) s]; s = (max - min) / (q_max - q_min);
/// z = round(q_min - min / s).
PairFormat covered_by_both(const PairFormat& first, const PairFormat& second) {
  const auto lowest = static_cast<double>(lowest_code(first.type));
  const double highest = lowest + std::exp2(dtype_bits(first.type)) - 1.0;
  const auto real = [](double code, const PairFormat& pair) {
    return (code - pair.zero_point) * pair.scale;
  };
  const double min = std::max(real(lowest, first), real(lowest, second));
  const double max = std::min(real(highest, first), real(highest, second));
  PairFormat merged = first;
  merged.scale = (max - min) / (highest - lowest);
  merged.zero_point = merged.scale > 0.0 ? std::nearbyint(lowest - min / merged.scale) : 0.0;
  merged.symmetric = merged.zero_point == static_cast<double>(middle_code(merged.type));
  return merged;
}

/// For a Q or DQ node: the pair in front of or behind its own is of the same type, so that one of
/// the two is dropped.
std::optional<PairFormat> UnitFinder::merged_pair(const Node& node) const {
  const auto own = pair_format(graph_, node);
  if (!own) return std::nullopt;
  const Node* quantize = is_quantize(node) ? &node : graph_.producer(node.input(0));
  if (quantize == nullptr || !is_quantize(*quantize)) return own;
  const Node* other = nullptr;
  if (is_quantize(node)) {  // look behind: Q DQ [Q]
    const Node* dequantize = graph_.single_consumer(node.output());
    if (dequantize == nullptr || !is_dequantize(*dequantize)) return own;
    other = graph_.single_consumer(dequantize->output());
    if (other == nullptr || !is_quantize(*other)) return own;
  } else {  // look in front: [Q] DQ Q DQ
    const Node* dequantize = graph_.producer(quantize->input(0));
    if (dequantize == nullptr || !is_dequantize(*dequantize)) return own;
    if (graph_.single_consumer(dequantize->output()) != quantize) return own;
    other = graph_.producer(dequantize->input(0));
    if (other == nullptr || !is_quantize(*other)) return own;
    if (graph_.single_consumer(other->output()) != dequantize) return own;
  }
  const auto second = pair_format(graph_, *other);
  if (!second || second->type != own->type || own->same_codes(*second)) return own;
  return covered_by_both(*own, *second);
}

std::optional<PairFormat> UnitFinder::format_before(const std::string& value) const {
  const Node* producer = graph_.producer(value);
  if (producer == nullptr) return std::nullopt;
  if (is_dequantize(*producer)) return merged_pair(*producer);
  if (passes_pairs_on(*producer)) return format_before(producer->input(0));
  return std::nullopt;
}

const Node* UnitFinder::quantize_behind(const std::string& value) const {
  const Node* reader = graph_.single_consumer(value);
  if (reader == nullptr || is_quantize(*reader)) return reader;
  return passes_pairs_on(*reader) ? quantize_behind(reader->output()) : nullptr;
}

Operand UnitFinder::operand(const std::string& value) const {
  Operand operand;
  if (value.empty()) return operand;
  if (const Tensor* constant = graph_.find_initializer(value)) {
    operand.kind =
        is_floating(constant->dtype()) ? OperandKind::kFloatConstant : OperandKind::kInteger;
    operand.shape = constant->shape();
    return operand;
  }
  const graph::ValueType* type = graph_.find_type(value);
  operand.kind = OperandKind::kFloat;
  if (type != nullptr && type->dtype != DType::kUndefined && !is_floating(type->dtype)) {
    operand.kind = OperandKind::kInteger;
  }
  const Node* producer = graph_.producer(value);
  if (producer == nullptr) return operand;
  const Tensor* codes =
      is_dequantize(*producer) ? graph_.find_initializer(producer->input(0)) : nullptr;
  const auto format = format_before(value);
  if (!format) return operand;
  operand.kind = codes != nullptr ? OperandKind::kQuantizedConstant : OperandKind::kQuantized;
  operand.format = *format;
  if (codes != nullptr) operand.shape = codes->shape();
  return operand;
}

void UnitFinder::find_output(NodeUnit& unit, const std::string& value) const {
  const Node* quantize = quantize_behind(value);
  const Node* reader = graph_.single_consumer(value);
  if (reader != nullptr && (reader->is("Relu") || reader->is("Clip"))) {
    const Node* behind = quantize_behind(reader->output());
    if (behind != nullptr && is_implied(graph_, *reader, *behind)) {
      unit.clamp = reader;
      quantize = behind;
    }
  }
  if (quantize != nullptr) unit.output = merged_pair(*quantize);
}

const Node* UnitFinder::bias_addition(const Node& matmul) const {
  if (!matmul.is("MatMul")) return nullptr;
  const Node* add = graph_.single_consumer(matmul.output());
  if (add == nullptr || !add->is("Add")) return nullptr;
  const Operand weight = operand(matmul.input(1));
  const Operand bias = operand(add->input(0) == matmul.output() ? add->input(1) : add->input(0));
  const bool fits = weight.is_constant() && weight.shape.size() == 2 && bias.is_constant() &&
                    bias.shape.size() == 1 && bias.shape[0] == weight.shape[1];
  return fits ? add : nullptr;
}

NodeUnit UnitFinder::find(const Node& node) const {
  NodeUnit unit;
  unit.node = &node;
  for (const std::string& input : node.inputs()) unit.inputs.push_back(operand(input));
  unit.addition = bias_addition(node);
  if (unit.addition != nullptr) {
    const std::size_t other = unit.addition->input(0) == node.output() ? 1 : 0;
    unit.inputs.push_back(operand(unit.addition->input(other)));
  }
  find_output(unit, unit.addition != nullptr ? unit.addition->output() : node.output());
  if (!passes_pairs_on(node) || unit.inputs.empty()) return unit;
  if (!unit.output && unit.inputs[0].is_quantized()) unit.output = unit.inputs[0].format;
  // Backwards only where nobody else reads the float value.
  if (unit.output && unit.inputs[0].kind == OperandKind::kFloat &&
      graph_.single_consumer(node.input(0)) == &node) {
    unit.inputs[0].kind = OperandKind::kQuantized;
    unit.inputs[0].format = *unit.output;
  }
  return unit;
}

}  // namespace hexquant::target
