#include "target/joining.h"

#include "graph/constants.h"
#include "target/legality.h"

namespace hexquant::target {
namespace {

using graph::Node;

class JoiningCheck : public UnitCheck {
 public:
  using UnitCheck::UnitCheck;

  [[nodiscard]] Answer run() const {
    if (rule_.role == OpRole::kFloat) return Obstacle{rule_.reason, "replace the operation"};
    if (Answer obstacle = float_input_obstacle()) return obstacle;
    if (!unit_.output) {
      // A Gemm is joined without a QuantizeLinear, too.
      if (is_gemm()) return layer_obstacle();
      return Obstacle{"its output is not quantized", "put a Q/DQ pair on its output"};
    }
    if (Answer obstacle = type_obstacle()) return obstacle;
    if (weight() != nullptr) return layer_obstacle();
    if (const Operand* second = input(rule_.second_operand); second != nullptr &&
                                                             activation_type() == DType::kInt8 &&
                                                             second->format.type != DType::kInt8) {
      return Obstacle{
          format("int8 is joined with int8 only, not {}", dtype_name(second->format.type)),
          "use uint8 activations"};
    }
    if (has_bias_parameter()) return normalization_obstacle();
    if (needs_equal_scales() && unit_.inputs[0].format.scale != unit_.output->scale) {
      return Obstacle{"it only moves values, but input and output have different scales",
                      "give both sides the same scale and zero point"};
    }
    return std::nullopt;
  }

 private:
  /// Scale and bias of a normalization.
  [[nodiscard]] Answer normalization_obstacle() const {
    for (const ParameterRule& parameter : rule_.parameters) {
      const Operand* operand = input(parameter.input);
      if (operand == nullptr) continue;
      if (!operand->is_quantized()) {
        return Obstacle{format("parameter {} is not quantized", parameter.input),
                        "quantize scale and bias"};
      }
      if (parameter.bias_of >= 0 && operand->format.type != DType::kInt32) {
        return Obstacle{format("its bias is {}, not int32", dtype_name(operand->format.type)),
                        "quantize biases to 32 bits (--bias-bits 32)"};
      }
    }
    return std::nullopt;
  }
  /// Movers whose Q/DQ pair is dropped: the codes go through untouched.
  [[nodiscard]] bool needs_equal_scales() const {
    static const std::vector<std::string> kOps = {"Gather",    "Reshape",   "Expand",
                                                  "Flatten",   "Transpose", "Squeeze",
                                                  "Unsqueeze", "Tile",      "Resize"};
    return contains(kOps, node_.op_type());
  }

  [[nodiscard]] Answer float_input_obstacle() const {
    for (int i = 0; i < std::ssize(unit_.inputs); ++i) {
      const Operand& operand = unit_.inputs[static_cast<std::size_t>(i)];
      if (operand.kind == OperandKind::kFloat) {
        return Obstacle{format("input {} is not quantized", i), "put a Q/DQ pair on the input"};
      }
      if (operand.kind == OperandKind::kFloatConstant && is_activation(i)) {
        return Obstacle{format("input {} is a float constant", i), "quantize the constant"};
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] Answer type_obstacle() const {
    const DType type = activation_type();
    const bool mixed_operand = rule_.second_operand >= 0;
    for (int i = 0; i < std::ssize(unit_.inputs); ++i) {
      const Operand& operand = unit_.inputs[static_cast<std::size_t>(i)];
      if (!is_activation(i) || !operand.is_quantized() || operand.format.type == type) continue;
      if (mixed_operand && i == rule_.second_operand) continue;
      return types_differ(type, operand.format.type);
    }
    if (unit_.output->type != type) return types_differ(type, unit_.output->type);
    return std::nullopt;
  }
  static Obstacle types_differ(DType a, DType b) {
    return {
        format("its inputs and output have different types ({} and {})", dtype_name(a),
               dtype_name(b)),
        "put a Q/DQ pair of the other type behind the first pair, so that it becomes a Convert"};
  }

  [[nodiscard]] Answer layer_obstacle() const {
    const Operand& constant = *weight();
    if (constant.kind == OperandKind::kFloatConstant) {
      if (node_.is("MatMul") && unit_.addition == nullptr)
        return Obstacle{"its weights are float", "quantize the weights"};
    } else if (activation_type() == DType::kInt8 && constant.format.type != DType::kInt8) {
      return Obstacle{format("int8 activations are joined with int8 weights only, not {}",
                             dtype_name(constant.format.type)),
                      "use uint8 activations or int8 weights"};
    }
    const Operand* addend = bias();
    if (addend == nullptr) return std::nullopt;
    if (addend->is_quantized() && addend->format.type != DType::kInt32) {
      return Obstacle{format("its bias is {}, not int32", dtype_name(addend->format.type)),
                      "quantize biases to 32 bits (--bias-bits 32)"};
    }
    if (addend->is_quantized() && constant.kind == OperandKind::kFloatConstant) {
      return Obstacle{"its weights are float and its bias is not", "quantize the weights"};
    }
    const bool float_bias = addend->kind == OperandKind::kFloatConstant;
    if (float_bias && is_gemm() && !bias_is_reached()) {
      return Obstacle{"its float bias is not quantized on the way", "quantize the bias"};
    }
    if (float_bias && is_gemm() && !bias_can_follow(constant)) {
      return Obstacle{"its float bias has no scale to follow: the weights have one for each input",
                      "put the weights' scales on the output channels"};
    }
    return std::nullopt;
  }

  /// Whether ONNX Runtime quantizes a float bias at all. The Gemm that stands for MatMul and Add
  /// has
  /// a Reshape on either side when there are more than two dimensions.
  [[nodiscard]] bool bias_is_reached() const {
    const Node& last = unit_.addition != nullptr ? *unit_.addition : node_;
    const Tensor* constant = find_constant(model_, node_.input(0));
    const auto rank =
        constant != nullptr ? constant->rank() : graph::known_rank(model_, node_.input(0));
    const bool reshaped = unit_.addition != nullptr && !(rank && *rank == 2);
    if (!unit_.output) return !reshaped && !model_.is_output(last.output());
    return !reshaped || unit_.clamp == nullptr;
  }

  /// ONNX Runtime quantizes a float bias with the scales of input and weights.
  [[nodiscard]] bool bias_can_follow(const Operand& constant) const {
    if (!constant.is_quantized() || constant.format.granularity == Granularity::kTensor) {
      return true;
    }
    if (constant.format.granularity == Granularity::kGroup) return false;
    return constant.format.axis == channel_axis(rule_, node_, constant.shape);
  }
};

}  // namespace

Answer joining_obstacle(const Rules& rules, const graph::Graph& model, const NodeUnit& unit,
                        const OpRule& rule) {
  return JoiningCheck(rules, model, unit, rule).run();
}

}  // namespace hexquant::target
