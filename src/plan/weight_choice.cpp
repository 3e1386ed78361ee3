#include "plan/weight_choice.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "core/format.h"
#include "plan/override_numbers.h"
#include "target/legality.h"

namespace hexquant::plan {
namespace {

using graph::Node;
using quant::TensorPolicy;

constexpr float kInt16Max = 32767.0F;
/// First operator set whose DequantizeLinear has a block_size; com.microsoft's has none.
constexpr std::int64_t kBlockOpset = 21;

bool all_equal(const std::vector<std::int64_t>& values, std::int64_t wanted) {
  return std::all_of(values.begin(), values.end(),
                     [&](std::int64_t value) { return value == wanted; });
}

/// Number of output channels of a layer.
std::int64_t output_count(const target::OpRule& rule, const Node& node, const Shape& weight) {
  const int axis = target::channel_axis(rule, node, weight);
  if (axis >= 0) return weight.at(static_cast<std::size_t>(axis));
  return weight.empty() ? 1 : weight.back();
}

/// Why 4-bit weights would not make the layer faster on the HTP; empty when they would.
std::string no_four_bit_gain(const target::Rules& rules, const target::OpRule& rule,
                             const Node& node, const Shape& weight) {
  if (node.is("ConvTranspose")) return "a transposed convolution gains nothing from 4 bits";
  if (node.is("Conv")) {
    const Shape kernel(weight.begin() + std::min<std::ptrdiff_t>(2, std::ssize(weight)),
                       weight.end());
    const std::string size = kernel.empty() ? "" : format("{}", join(kernel, "x"));
    if (node.int_attribute("group", 1) != 1) {
      return "a grouped convolution gains nothing from 4 bits";
    }
    if (!all_equal(kernel, 1)) return format("a {} convolution gains nothing from 4 bits", size);
    if (!all_equal(node.ints_attribute("strides", {}), 1)) {
      return "a convolution with strides gains nothing from 4 bits";
    }
  }
  const std::int64_t outputs = output_count(rule, node, weight);
  if (outputs >= rules.four_bit_gain_min_outputs) return "";
  return format("{} outputs are too few to gain from 4 bits (at least {})", outputs,
                rules.four_bit_gain_min_outputs);
}

class WeightChooser {
 public:
  WeightChooser(const Context& context, const Node& node, const Tensor& weight)
      : opset_(context.graph.opset()),
        rules_(context.target.rules),
        options_(context.options),
        config_(context.config),
        choice_(context.choice(node)),
        rule_(*choice_.rule),
        node_(node),
        shape_(weight.shape()) {
    const std::string& name = node.input(static_cast<std::size_t>(rule_.weight->input));
    override_ = context.overrides.find(name);
    granularity_ = options_.granularity;
    // A granularity other than the default is a wish of its own.
    if (granularity_ == Granularity::kChannel && !config_.per_channel(node).value_or(true)) {
      granularity_ = Granularity::kTensor;
    }
    wants_symmetric_ = config_.symmetric_param(node, "weight").value_or(options_.weight_symmetric);
    if (override_ != nullptr && override_->symmetric) wants_symmetric_ = *override_->symmetric;
    is_strict_ = options_.weight_strict || config_.strict_symmetric();
  }

  TensorPolicy run() {
    policy_.role = quant::Role::kWeight;
    choose_bits();
    choose_symmetry();
    choose_granularity();
    for (const std::string& reason : reasons_) {
      policy_.reason += (policy_.reason.empty() ? "" : "; ") + reason;
    }
    if (override_ != nullptr) {
      use_weight_numbers(*override_, node_.input(static_cast<std::size_t>(rule_.weight->input)),
                         shape_, policy_);
    }
    return policy_;
  }

 private:
  void choose_bits() {
    const int wanted = choice_.requested_weight_bits;
    bits_ = wanted;
    if (wanted == 4 && !choice_.weight_bits_forced) {
      const std::string reason = no_four_bit_gain(rules_, rule_, node_, shape_);
      if (!reason.empty()) fall_back_to_int8(reason + " on the HTP");
    }
    if (wanted == 16 && choice_.act_bits == 8) {
      fall_back_to_int8("16-bit weights need 16-bit activations");
    } else if (wanted == 16 && !rules_.weight_formats.contains(DType::kInt16)) {
      fall_back_to_int8("this HTP version has no 16-bit weights");
    }
    choose_kernel();
  }

  /// The configuration's kernels have the last word; the wider ones keep more accuracy.
  void choose_kernel() {
    if (config_.has_weight_kernel(node_, choice_.act_bits, bits_)) return;
    for (const int bits : {8, 16, 4}) {
      if (!config_.has_weight_kernel(node_, choice_.act_bits, bits)) continue;
      reasons_.push_back(
          format("asked int{}, got int{}: the configuration has no kernel of {}-bit "
                 "weights and {}-bit activations for {}",
                 bits_, bits, bits_, choice_.act_bits, node_.op_type()));
      bits_ = bits;
      return;
    }
  }

  void fall_back_to_int8(const std::string& why) {
    reasons_.push_back(format("asked int{}, got int8: {}", bits_, why));
    bits_ = 8;
  }

  void choose_symmetry() {
    policy_.symmetric = wants_symmetric_ || bits_ != 8;
    if (!wants_symmetric_ && bits_ != 8) {
      reasons_.push_back(format("{}-bit weights are symmetric on the HTP", bits_));
    }
    policy_.type = bits_ == 4          ? DType::kInt4
                   : bits_ == 16       ? DType::kInt16
                   : policy_.symmetric ? DType::kInt8
                                       : DType::kUInt8;
    policy_.strict = policy_.symmetric && is_strict_ && bits_ != 16;
    if (bits_ == 16) {
      policy_.range_factor = kInt16Max / static_cast<float>(rules_.int16_max_code);
    }
  }

  void choose_granularity() {
    if (granularity_ == Granularity::kGroup && take_groups()) return;
    const int axis = target::channel_axis(rule_, node_, shape_);
    const bool wants_channels = granularity_ != Granularity::kTensor && axis >= 0;
    if (wants_channels && !policy_.symmetric && !accepts(Granularity::kChannel)) {
      // A scale for each channel is worth more than a zero point for the tensor.
      make_symmetric("asymmetric weights take one scale for the tensor");
    }
    if (granularity_ != Granularity::kTensor || !accepts(Granularity::kTensor)) {
      if (axis >= 0 && accepts(Granularity::kChannel)) {
        take_channels(axis);
        return;
      }
      reasons_.push_back(
          format("per tensor: {} weights of this form take one scale", node_.op_type()));
    }
    if (!accepts(Granularity::kTensor)) {
      // 4-bit weights per tensor are rejected: 8 bits take their place.
      fall_back_to_int8("4-bit weights need a scale for each channel");
      choose_symmetry();
    }
    policy_.granularity = Granularity::kTensor;
  }

  void make_symmetric(const std::string& why) {
    reasons_.push_back("symmetric: " + why);
    policy_.symmetric = true;
    policy_.type = DType::kInt8;
    policy_.strict = is_strict_;
  }

  bool take_groups() {
    std::int64_t block = options_.group_size;
    auto obstacle = find_block(block);
    if (!obstacle && opset_ < kBlockOpset) {
      obstacle = format("the model stays at opset {}, blocks need {}", opset_, kBlockOpset);
    }
    if (obstacle) {
      reasons_.push_back("not per group: " + *obstacle);
      return false;
    }
    if (!policy_.symmetric) make_symmetric("groups have no zero points on the HTP");
    if (block != options_.group_size) {
      reasons_.push_back(
          format("asked blocks of {}, got {}: it divides the inputs", options_.group_size, block));
    }
    policy_.granularity = Granularity::kGroup;
    policy_.axis = target::reduction_axis(rule_, node_, shape_);
    policy_.block_size = block;
    if (bits_ == 4) policy_.block_scale_bits = options_.block_scale_bits;
    return true;
  }

  /// Halves `block` until the target accepts it; why it does not accept the one asked for when no
  /// half will do. Fewer inputs than a block: one scale a channel is finer than what was asked.
  [[nodiscard]] std::optional<std::string> find_block(std::int64_t& block) const {
    const auto obstacle = [&](std::int64_t size) {
      // Asymmetric ones would become int8.
      const DType type = policy_.symmetric ? policy_.type : DType::kInt8;
      return target::block_obstacle(rules_, node_, rule_, shape_, type, choice_.act_bits, size);
    };
    const auto first = obstacle(block);
    const auto axis = static_cast<std::size_t>(target::reduction_axis(rule_, node_, shape_));
    if (!first || shape_.at(axis) < block) return first;
    for (std::int64_t half = block / 2; half >= rules_.block_multiple; half /= 2) {
      if (obstacle(half)) continue;
      block = half;
      return std::nullopt;
    }
    return first;
  }

  void take_channels(int axis) {
    if (granularity_ == Granularity::kTensor) {
      reasons_.push_back(
          format("per channel: {} weights per tensor are not accepted", dtype_name(policy_.type)));
    }
    policy_.granularity = Granularity::kChannel;
    policy_.axis = axis;
  }

  [[nodiscard]] bool accepts(Granularity granularity) const {
    const auto by_type = rules_.weight_formats.find(policy_.type);
    if (by_type == rules_.weight_formats.end()) return false;
    const auto by_bits = by_type->second.find(choice_.act_bits);
    if (by_bits == by_type->second.end()) return false;
    const auto& list = by_bits->second;
    return std::find(list.begin(), list.end(), granularity) != list.end();
  }

  std::int64_t opset_;
  const target::Rules& rules_;
  const PlanOptions& options_;
  const ConfigRules& config_;
  const NodeChoice& choice_;
  const target::OpRule& rule_;
  const Node& node_;
  const Shape& shape_;
  const TensorOverride* override_ = nullptr;
  Granularity granularity_ = Granularity::kChannel;  ///< wished for
  bool wants_symmetric_ = true;
  bool is_strict_ = false;
  int bits_ = 8;
  TensorPolicy policy_;
  std::vector<std::string> reasons_;
};

}  // namespace

TensorPolicy choose_weights(const Context& context, const Node& node, const Tensor& weight) {
  return WeightChooser(context, node, weight).run();
}

}  // namespace hexquant::plan
