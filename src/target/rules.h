#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "hexquant/tensor.h"

namespace hexquant::target {

/// What an operation is to the quantizer.
enum class OpRole {
  kLayer,    ///< has weights of its own (Conv, Gemm, MatMul, ...)
  kCompute,  ///< computes in integers with an encoding of its own for the output
  kMover,    ///< moves codes: output and input share one encoding
  kConcat,   ///< joins inputs, which may share the output's encoding
  kFloat,    ///< runs in float or on the CPU
  kIgnored   ///< no float arithmetic (Shape, Cast, comparisons): demands nothing
};

/// Channel axis of a layer's weights.
enum class WeightAxis {
  kFirst,   ///< Conv [O, I, ...]
  kSecond,  ///< ConvTranspose [I, O, ...]
  kTransB,  ///< Gemm: 0 with transB, else 1
  kColumns  ///< MatMul [K, N]: N; on K it is accepted but computed wrongly
};

struct WeightRule {
  int input = 1;
  WeightAxis axis = WeightAxis::kFirst;
};

/// A parameter that is not a layer weight: scale and bias of a normalization, slope of a PRelu.
struct ParameterRule {
  int input = 1;
  std::map<int, DType> types;  ///< by activation bits; per tensor, asymmetric
  int bias_of = -1;            ///< int32 bias whose scale follows this parameter input
};

/// How one operation type is treated. Source: data/targets/hexagon.json.
struct OpRule {
  OpRole role = OpRole::kFloat;
  std::vector<DType> types;  ///< activation types for which it runs in integers
  std::vector<int> inputs;   ///< inputs that carry activations; empty = all float inputs
  std::optional<Range> fixed_range;
  std::optional<WeightRule> weight;
  int bias = -1;            ///< bias input of a layer
  int second_operand = -1;  ///< input with types of its own when it is computed (attention)
  std::vector<ParameterRule> parameters;
  bool keeps_all = false;  ///< mover whose output holds every element of its input
  std::string when;        ///< condition on the node: "zero_pad"
  std::string reason;      ///< kFloat: why
  /// Activation types that the vendor's compiler takes, right or wrong: what placement follows.
  std::vector<DType> accepted_types;
  bool cpu_only = false;     ///< not even in float on the NPU
  bool unfolds = false;      ///< an ONNX function: refused, its parts run in float
  bool has_float = true;     ///< the NPU computes it in float
  bool float_fails = false;  ///< in float it is taken, and then the graph does not compile
  int max_rank = 5;          ///< dimensions, in integers
  int float_max_rank = 5;
  bool channels_last = false;  ///< its layout is changed first: it cannot go back to the CPU
};

/// Operations that run as one: nothing is quantized between head and tail.
struct FusionRule {
  std::vector<std::string> heads;
  std::vector<std::string> tails;
  std::string when;  ///< "implied_by_range" (Relu, Clip from 0) or "constant_bias"
};

struct OperandFormat {
  DType type = DType::kUInt8;
  bool symmetric = false;
};

/// Forms of layer weights that the vendor's compiler takes with one activation type.
enum class WeightForm {
  kTensor,   ///< one scale, symmetric
  kShifted,  ///< one scale, any zero point
  kChannel   ///< a scale for each channel, symmetric
};

/// Everything that one HTP version accepts.
struct Rules {
  int max_rank = 5;
  std::vector<DType> float_types;  ///< float types it computes in; empty: float means CPU
  /// Weight type -> activation bits -> granularities.
  std::map<DType, std::map<int, std::vector<Granularity>>> weight_formats;
  std::vector<DType> block_types;    ///< weight types that may be block-quantized
  int block_activation_bits = 16;    ///< and the activations they need
  std::int64_t block_multiple = 16;  ///< block sizes are multiples of this
  std::int32_t int16_max_code = 32767;
  std::int64_t four_bit_gain_min_outputs = 33;
  /// Computed second operands of MatMul, by activation bits; the first is preferred.
  std::map<int, std::vector<OperandFormat>> second_operand;
  /// What the vendor's compiler takes, right or wrong: activation type -> weight type -> forms, and
  /// activation type -> computed second operands of MatMul.
  std::map<DType, std::map<DType, std::vector<WeightForm>>> accepted_weights;
  std::map<DType, std::vector<OperandFormat>> accepted_operands;
  std::vector<FusionRule> fused;
  std::map<std::string, OpRule> ops;

  [[nodiscard]] bool has_float() const noexcept { return !float_types.empty(); }
};

/// Key of an operation in Rules::ops: "Conv", "com.microsoft:Gelu".
[[nodiscard]] std::string op_key(const graph::Node& node);
/// Rule of a node's operation, or nullptr.
[[nodiscard]] const OpRule* find_rule(const Rules& rules, const graph::Node& node);

/// Rules of `htp_arch` from a hexagon.json text: the base with that version's differences (a JSON
/// merge patch). @throws Error(kInvalidData) naming `origin` and what is wrong or missing
[[nodiscard]] Rules parse_rules(const std::string& text, const std::string& origin,
                                const std::string& htp_arch);

}  // namespace hexquant::target
