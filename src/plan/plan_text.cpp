#include "plan/plan_text.h"

#include "core/format.h"

namespace hexquant::plan {
namespace {

using quant::TensorPolicy;

std::string granularity_text(const TensorPolicy& policy) {
  switch (policy.granularity) {
    case Granularity::kTensor:
      return "tensor";
    case Granularity::kChannel:
      return format("channel:{}", policy.axis);
    case Granularity::kGroup:
      return format("group:{} axis:{}{}", policy.block_size, policy.axis,
                    policy.block_scale_bits > 0 ? " lpbq" : "");
  }
  return "tensor";
}

std::string policy_text(const TensorPolicy& policy) {
  std::string text = policy.role == quant::Role::kActivation ? "activation" : "weight";
  text += format(" {}{}{} {}", dtype_name(policy.type), policy.symmetric ? " symmetric" : "",
                 policy.strict ? " strict" : "", granularity_text(policy));
  if (policy.fixed_range) {
    text += format(" fixed [{}, {}]", policy.fixed_range->min, policy.fixed_range->max);
  }
  if (policy.range_limits) {
    text += format(" within [{}, {}]", policy.range_limits->min, policy.range_limits->max);
  }
  if (policy.unsigned_if_positive) text += " unsigned if positive";
  if (policy.fixed_encoding) {
    text += format(" given scale {} zero point {}", policy.fixed_encoding->scale.front(),
                   policy.fixed_encoding->zero_point.front());
  }
  if (policy.range_factor != 1.0F) text += format(" range x{}", policy.range_factor);
  if (!policy.shares_encoding_of.empty()) text += format(" of '{}'", policy.shares_encoding_of);
  if (!policy.reason.empty()) text += " | " + policy.reason;
  return text;
}

}  // namespace

std::string plan_text(const quant::QuantPlan& plan) {
  std::string text;
  for (const auto& [name, policy] : plan.tensors) {
    text += format("tensor '{}' {}\n", name, policy_text(policy));
  }
  for (const auto& [key, policy] : plan.edges) {
    text += format("edge '{}' input {} {}\n", key.node, key.index, policy_text(policy));
  }
  for (const auto& [name, source] : plan.biases) {
    text += format("bias '{}' = '{}' x '{}'{}\n", name, source.activation, source.weight,
                   source.activation_edge ? " by its edge" : "");
  }
  for (const quant::LayerDecision& layer : plan.layers) {
    text += format("layer '{}' {} w{}/{} a{}/{} {} -> '{}'", layer.node, layer.op,
                   layer.weight_bits, layer.requested_weight_bits, layer.act_bits,
                   layer.requested_act_bits, granularity_name(layer.granularity), layer.output);
    if (!layer.weight.empty()) text += format(" weight '{}'", layer.weight);
    text += layer.reason.empty() ? "\n" : " | " + layer.reason + "\n";
  }
  for (const Finding& finding : plan.findings) {
    text += format("finding {} {} '{}': {}\n", finding.id, severity_name(finding.severity),
                   finding.where, finding.reason);
  }
  return text;
}

}  // namespace hexquant::plan
