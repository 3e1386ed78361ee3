#include "target/validation.h"

#include "target/legality.h"

namespace hexquant::target {
namespace {

bool is_byte(DType type) {
  return dtype_bits(type) == 8;
}

class ValidationCheck : public UnitCheck {
 public:
  using UnitCheck::UnitCheck;

  [[nodiscard]] Answer run() const {
    const DType type = activation_type();
    if (Answer scaled = scaling_obstacle()) return scaled;
    if (unit_.addition == nullptr && !has_blocks()) {
      if (Answer rank = rank_obstacle(integer_rank(type), "in integers")) return rank;
    }
    const bool refused_move = is_nearest_resize() && type == DType::kInt16;
    if (!contains(rule_.accepted_types, type) || refused_move) {
      return Obstacle{format("{} does not take {} activations", node_.op_type(), dtype_name(type)),
                      type == DType::kInt16 ? "use uint16" : "use uint8"};
    }
    if (has_blocks()) return block_validation(type);
    if (node_.is("Gather") && !unit_.inputs[0].format.same_codes(*unit_.output)) {
      return Obstacle{"it only moves values, but input and output have different encodings",
                      "give both sides the same scale and zero point"};
    }
    if (is_gemm() && !unit_.output) {
      return Obstacle{"a Gemm without a Q/DQ pair on its output is joined and then refused",
                      "put a Q/DQ pair on its output"};
    }
    if (weight() != nullptr) return weight_obstacle(type);
    if (rule_.second_operand >= 0) return operand_obstacle(type);
    if (has_bias_parameter()) return parameter_obstacle();
    return std::nullopt;
  }

 private:
  [[nodiscard]] int integer_rank(DType type) const {
    // Measured: products of computed uint16 operands and moves of the other types go further.
    if (node_.is("MatMul") && weight() == nullptr && type == DType::kUInt16) return rules_.max_rank;
    if (node_.is("Transpose") && type == DType::kInt16) return rule_.max_rank - 1;
    return rule_.max_rank;
  }

  [[nodiscard]] Answer parameter_obstacle() const {
    for (const ParameterRule& parameter : rule_.parameters) {
      const Operand* operand = input(parameter.input);
      const auto expected = parameter.types.find(dtype_bits(activation_type()));
      if (operand == nullptr || parameter.bias_of >= 0 || expected == parameter.types.end()) {
        continue;
      }
      if (operand->format.type == expected->second) continue;
      return Obstacle{format("its parameter {} is {}: the HTP takes {}", parameter.input,
                             dtype_name(operand->format.type), dtype_name(expected->second)),
                      "quantize it to " + dtype_name(expected->second)};
    }
    return std::nullopt;
  }

  [[nodiscard]] Answer block_validation(DType type) const {
    const Operand& constant = *weight();
    const Shape& shape = constant.shape;
    const int weight_bits = dtype_bits(constant.format.type);
    const bool wide = dtype_bits(type) == 16 && unit_.output;
    const bool plane_conv = node_.is("Conv") && shape.size() == 4 && !is_depthwise();
    const auto axis = static_cast<std::size_t>(constant.format.axis);
    const bool whole = axis < shape.size() && shape[axis] % constant.format.block_size == 0;
    const bool early = rule_.channels_last && (!plane_conv || weight_bits > 8 || !whole);
    if (early && !plane_conv) return wrong_axis(constant);
    if (weight_bits > 8) {
      return Obstacle{
          format("{} weights are not taken in blocks", dtype_name(constant.format.type)),
          "use int4 or int8 blocks", early};
    }
    if (!whole) {
      return Obstacle{format("its inputs are not whole blocks of {}", constant.format.block_size),
                      "choose a block size that divides the number of inputs", early};
    }
    if (!wide) {
      return Obstacle{"block-quantized weights need 16-bit activations on both sides",
                      "use --act-bits 16 or one scale a channel"};
    }
    if (rules_.block_types.empty()) {
      return Obstacle{"this HTP has no float16, which block-quantized weights need",
                      "use one scale a channel"};
    }
    if (plane_conv && (shape[2] != 1 || shape[3] != 1)) {
      return Obstacle{"blocks are taken for 1x1 convolutions only", "use one scale a channel"};
    }
    return std::nullopt;
  }

  [[nodiscard]] Answer weight_obstacle(DType type) const {
    const Operand& constant = *weight();
    const bool is_conv = rule_.channels_last;
    if (is_conv && is_channelwise(constant) &&
        constant.format.axis != channel_axis(rule_, node_, constant.shape)) {
      return wrong_axis(constant);
    }
    if (is_conv && type == DType::kInt16 && is_depthwise()) {
      return Obstacle{"depthwise convolutions do not take int16 activations", "use uint16"};
    }
    if (constant.kind == OperandKind::kFloatConstant) return std::nullopt;
    const TensorFormat& format = constant.format;
    const Obstacle wrong = {
        hexquant::format("{} weights {} are not taken with {} activations", dtype_name(format.type),
                         form_text(constant), dtype_name(type)),
        "use int8 weights, symmetric, with one scale for each output channel"};
    const auto by_activation = rules_.accepted_weights.find(type);
    if (by_activation == rules_.accepted_weights.end()) return wrong;
    const auto by_type = by_activation->second.find(format.type);
    if (by_type == by_activation->second.end()) return wrong;
    const bool shifted_channels = is_channelwise(constant) && !format.symmetric;
    // FullyConnected is stricter than MatMul and the convolutions.
    if (is_gemm() && format.type == DType::kUInt16 && !format.symmetric) return wrong;
    // A Conv of one dimension is turned into two dimensions and takes uint16 channels, too.
    const bool flat_channels = is_conv && constant.shape.size() == 3 && is_channelwise(constant) &&
                               format.type == DType::kUInt16;
    if (shifted_channels) return wrong;
    if (!flat_channels && !contains(by_type->second, form_of(constant))) return wrong;
    if (!is_conv) return std::nullopt;
    const bool one_dimensional = constant.shape.size() == 3;

    if (dtype_bits(format.type) == 4 && !is_channelwise(constant) && bias() != nullptr &&
        !one_dimensional) {
      return Obstacle{"4-bit weights with one scale cannot have a bias",
                      "give them a scale for each channel"};
    }
    return std::nullopt;
  }

  static Obstacle wrong_axis(const Operand& constant) {
    return {format("scales lie on axis {} of the weights", constant.format.axis),
            "put the scales on the output channels", true};
  }

  [[nodiscard]] static WeightForm form_of(const Operand& constant) {
    if (is_channelwise(constant)) return WeightForm::kChannel;
    return constant.format.symmetric ? WeightForm::kTensor : WeightForm::kShifted;
  }
  [[nodiscard]] static std::string form_text(const Operand& constant) {
    return std::string(constant.format.symmetric ? "(symmetric, " : "(asymmetric, ") +
           (is_channelwise(constant) ? "per channel)" : "per tensor)");
  }

  [[nodiscard]] Answer operand_obstacle(DType type) const {
    const Operand* second = input(rule_.second_operand);
    if (second == nullptr || !second->is_quantized()) return std::nullopt;
    const auto found = rules_.accepted_operands.find(type);
    if (found != rules_.accepted_operands.end()) {
      for (const OperandFormat& known : found->second) {
        if (known.type != second->format.type) continue;
        if (second->format.symmetric || !known.symmetric) return std::nullopt;
      }
    }
    return Obstacle{format("{} x {} is no product of computed operands that the HTP takes",
                           dtype_name(type), dtype_name(second->format.type)),
                    is_byte(type) ? "give both operands uint8"
                                  : "give the second operand int16, symmetric (HTP v73 on)"};
  }
};

}  // namespace

Answer validation_obstacle(const Rules& rules, const graph::Graph& model, const NodeUnit& unit,
                           const OpRule& rule) {
  return ValidationCheck(rules, model, unit, rule).run();
}

}  // namespace hexquant::target
