#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "target/legality.h"

// How ONNX Runtime sees a QDQ model: an operation with the DequantizeLinear before it and the
// QuantizeLinear behind it is one unit.
namespace hexquant::target {

enum class OperandKind {
  kAbsent,
  kFloat,              ///< computed, no DequantizeLinear in front
  kFloatConstant,      ///< initializer of a float type
  kQuantized,          ///< computed, behind a DequantizeLinear
  kQuantizedConstant,  ///< initializer behind a DequantizeLinear
  kInteger             ///< no float at all: indices, shapes, limits of a Clip
};

/// Form and, for one scale, the numbers of a Q/DQ node.
struct PairFormat : TensorFormat {
  double scale = 0.0;
  double zero_point = 0.0;

  [[nodiscard]] bool same_codes(const PairFormat& other) const noexcept {
    return type == other.type && scale == other.scale && zero_point == other.zero_point;
  }
};

struct Operand {
  OperandKind kind = OperandKind::kAbsent;
  PairFormat format;  ///< of the quantized kinds
  Shape shape;        ///< of constants

  [[nodiscard]] bool is_quantized() const noexcept {
    return kind == OperandKind::kQuantized || kind == OperandKind::kQuantizedConstant;
  }
  [[nodiscard]] bool is_constant() const noexcept {
    return kind == OperandKind::kFloatConstant || kind == OperandKind::kQuantizedConstant;
  }
};

/// An operation with its Q/DQ nodes.
struct NodeUnit {
  const graph::Node* node = nullptr;
  std::vector<Operand> inputs;
  std::optional<PairFormat> output;    ///< of the QuantizeLinear behind it; absent = float output
  const graph::Node* clamp = nullptr;  ///< Relu or Clip between it and its QuantizeLinear
  const graph::Node* addition = nullptr;  ///< Add of a bias behind a MatMul: the last input

  /// The same in the words of legality().
  [[nodiscard]] NodeFormats formats() const;
};

/// True for QuantizeLinear and DequantizeLinear of any domain.
[[nodiscard]] bool is_quantize(const graph::Node& node) noexcept;
[[nodiscard]] bool is_dequantize(const graph::Node& node) noexcept;
/// Either of the two.
[[nodiscard]] bool is_pair_part(const graph::Node& node) noexcept;
/// The constant that a value stands for: an initializer, or the codes behind a DequantizeLinear
/// that is no graph output. nullptr for computed values. For its form only.
[[nodiscard]] const Tensor* find_constant(const graph::Graph& graph, const std::string& value);
/// True for a model with Q/DQ pairs. The DequantizeLinear that states the encoding of an integer
/// input (graph::integer_input) does not make a float model quantized.
[[nodiscard]] bool is_quantized(const graph::Graph& graph);

/// Format of the integers on the quantized side of a Q or DQ node; nullopt when its scale or zero
/// point is computed.
[[nodiscard]] std::optional<PairFormat> pair_format(const graph::Graph& graph,
                                                    const graph::Node& node);

/// Finds the units of a model as ONNX Runtime's optimizer leaves them:
/// - an operation that only moves values passes the encoding of one side on to the other side where
///   that has none;
/// - of two pairs of one type behind each other one is left, with the range that both cover;
/// - MatMul and the Add of a bias are one Gemm.
class UnitFinder {
 public:
  explicit UnitFinder(const graph::Graph& graph) : graph_(graph) {}

  /// The unit around a node that is neither Q nor DQ.
  [[nodiscard]] NodeUnit find(const graph::Node& node) const;
  /// The Add that is joined with this MatMul, or nullptr.
  [[nodiscard]] const graph::Node* bias_addition(const graph::Node& matmul) const;

 private:
  [[nodiscard]] Operand operand(const std::string& value) const;
  [[nodiscard]] std::optional<PairFormat> format_before(const std::string& value) const;
  [[nodiscard]] const graph::Node* quantize_behind(const std::string& value) const;
  [[nodiscard]] std::optional<PairFormat> merged_pair(const graph::Node& node) const;
  void find_output(NodeUnit& unit, const std::string& value) const;
  const graph::Graph& graph_;
};

}  // namespace hexquant::target
