#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/tensor.h"

namespace hexquant::pipeline {

/// An input or output of a model.
struct PortInfo {
  std::string name;
  std::string type;                             ///< "float32", "int64", ...
  std::optional<std::vector<graph::Dim>> dims;  ///< absent: even the rank is unknown
};

/// How far a model is quantized already.
struct QuantizationState {
  std::int64_t quantize_nodes = 0;          ///< QuantizeLinear
  std::int64_t dequantize_nodes = 0;        ///< DequantizeLinear
  std::int64_t integer_nodes = 0;           ///< QLinearConv, MatMulInteger, ...: the QOperator form
  std::map<int, std::int64_t> weight_bits;  ///< quantized weights (not biases) by width
  std::map<int, std::int64_t> activation_bits;             ///< quantized activations by width
  std::map<std::string, std::int64_t> weight_granularity;  ///< tensor, channel, group

  /// "none", "qdq" or "qoperator".
  [[nodiscard]] std::string form() const;
};

/// Numbers by operation type; operations of other domains are written "domain:Type".
using OpCounts = std::map<std::string, std::int64_t>;

/// What preparation and planning would make of the model.
struct PreparedInfo {
  std::vector<std::pair<std::string, std::int64_t>> passes;  ///< pass, places it changed
  OpCounts ops;
  std::int64_t nodes = 0;
  std::int64_t integer_layers = 0;  ///< rows of the plan that run in integers at W8A8
  std::int64_t float_layers = 0;    ///< rows that stay float
};

struct ModelInfo {
  std::int64_t ir_version = 0;
  std::string producer;
  std::map<std::string, std::int64_t> opsets;  ///< "ai.onnx" for the default domain
  std::vector<PortInfo> inputs;
  std::vector<PortInfo> outputs;
  std::int64_t nodes = 0;
  OpCounts ops;
  /// Elements of the weights: floating-point constants, and quantized constants that a
  /// DequantizeLinear reads; scales and zero points are not counted.
  std::int64_t parameters = 0;
  std::map<std::string, std::int64_t> constant_bytes;  ///< by type, scales and shapes included
  /// Symbolic input dimensions: symbol ("" = unnamed) -> "input[axis]" places.
  std::vector<std::pair<std::string, std::string>> free_dimensions;
  QuantizationState quantization;
  std::optional<PreparedInfo> prepared;
  Findings findings;
};

/// Facts that the graph alone shows; nothing is run.
[[nodiscard]] ModelInfo describe_model(const graph::Graph& graph);

/// Runs the prepare passes on a copy and plans it for a chip at W8A8; adds `prepared` and the
/// findings of both. Free dimensions count as 1 unless `input_shapes` fixes them.
/// @throws Error(kInvalidModel) when preparation fails, Error(kInvalidArgument) on unknown chips
void describe_preparation(const graph::Graph& graph,
                          const std::map<std::string, Shape>& input_shapes, const std::string& soc,
                          ModelInfo& info);

/// Members of docs/schema/info.schema.json after the header.
[[nodiscard]] Json to_json(const ModelInfo& info);

}  // namespace hexquant::pipeline
