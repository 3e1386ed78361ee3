#include "target/acceptance.h"

#include "target/joining.h"
#include "target/validation.h"

namespace hexquant::target {
namespace {

class UnitVerdict : public UnitCheck {
 public:
  using UnitCheck::UnitCheck;

  Acceptance run() const {
    if (const Answer obstacle = rank_obstacle(rules_.max_rank, "on the HTP");
        obstacle && unit_.addition == nullptr) {
      return alone(refused(*obstacle));
    }
    if (const Answer obstacle = joining_obstacle(rules_, model_, unit_, rule_))
      return alone(as_float(*obstacle));
    if (const Answer obstacle = validation_obstacle(rules_, model_, unit_, rule_))
      return unfolded(*obstacle);
    if (has_blocks()) {
      return {Verdict::kFloat, "block-quantized weights are expanded to float16",
              "use one scale a channel where float16 is too slow"};
    }
    return {};
  }

 private:
  static Acceptance alone(Acceptance verdict) {
    verdict.joined = false;
    return verdict;
  }
  [[nodiscard]] Acceptance refused(const Obstacle& obstacle) const {
    return {Verdict::kRefused, obstacle.reason, obstacle.fix,
            rule_.channels_last && !obstacle.early};
  }

  /// Refused where the operation is an ONNX function: ONNX Runtime replaces it by its parts.
  [[nodiscard]] Acceptance unfolded(const Obstacle& obstacle) const {
    if (rule_.unfolds) {
      return {Verdict::kFloat, obstacle.reason + ": it is unfolded into float operations",
              obstacle.fix};
    }
    return refused(obstacle);
  }

  [[nodiscard]] Acceptance as_float(const Obstacle& obstacle) const {
    if (rule_.cpu_only) return refused({rule_.reason, "replace the operation"});
    const Answer rank = rank_obstacle(rule_.float_max_rank, "in float");
    if (rank && unit_.addition == nullptr) return unfolded(*rank);
    if (!rule_.has_float) {
      return {Verdict::kRefused,
              format("{}, and the HTP has no {} in float", obstacle.reason, node_.op_type()),
              obstacle.fix};
    }
    if (const Answer scaled = scaling_obstacle()) return refused(*scaled);
    const Operand* constant = weight();
    if (constant != nullptr && constant->kind == OperandKind::kFloatConstant &&
        unit_.addition == nullptr && !rule_.channels_last) {
      // Float weights make it a FullyConnected, quantized ones a MatMul.
      if (const Answer flat = rank_obstacle(rule_.max_rank, "with float weights")) {
        return refused(*flat);
      }
    }
    return {Verdict::kFloat, obstacle.reason, obstacle.fix, float_fails()};
  }

  /// Taken in float by the provider, and then the graph does not compile.
  [[nodiscard]] bool float_fails() const {
    return rule_.float_fails || (is_nearest_resize() && !rules_.has_float());
  }
};

}  // namespace

Acceptance acceptance(const Rules& rules, const graph::Graph& model, const NodeUnit& unit,
                      const OpRule& rule) {
  return UnitVerdict(rules, model, unit, rule).run();
}

}  // namespace hexquant::target
