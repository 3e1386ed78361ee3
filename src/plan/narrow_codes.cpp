#include "plan/narrow_codes.h"

#include <set>
#include <string>

#include "core/format.h"

namespace hexquant::plan {
namespace {

using quant::QuantPlan;
using quant::Role;
using quant::TensorPolicy;

/// Name of the tensor whose statistics decide the encoding of `name`.
const std::string& representative(const std::string& name, const TensorPolicy& policy) {
  return policy.shares_encoding_of.empty() ? name : policy.shares_encoding_of;
}

bool can_be_narrow(const graph::Graph& graph, const std::string& name, const TensorPolicy& policy) {
  return policy.role == Role::kActivation && policy.type == DType::kUInt8 && !policy.fixed_range &&
         !policy.fixed_encoding && graph.producer(name) != nullptr && !graph.is_output(name);
}

/// Tensors that share an encoding are narrowed together or not at all.
void narrow_activations(const graph::Graph& graph, QuantPlan& plan) {
  std::set<std::string> kept;
  for (const auto& [name, policy] : plan.tensors) {
    if (!can_be_narrow(graph, name, policy)) kept.insert(representative(name, policy));
  }
  for (auto& [name, policy] : plan.tensors) {
    if (policy.role != Role::kActivation || kept.contains(representative(name, policy))) continue;
    policy.type = DType::kUInt4;
  }
}

}  // namespace

void narrow_codes(const graph::Graph& graph, const NarrowCodes& narrow, QuantPlan& plan) {
  if (!narrow.any()) return;
  if (narrow.act_bits < 8) narrow_activations(graph, plan);
  for (quant::LayerDecision& layer : plan.layers) {
    if (narrow.weight_bits < 4 && layer.weight_bits == 4) {
      layer.requested_weight_bits = layer.weight_bits = narrow.weight_bits;
    }
    const auto output = plan.tensors.find(layer.output);
    if (output != plan.tensors.end() && output->second.type == DType::kUInt4) {
      layer.requested_act_bits = layer.act_bits = narrow.act_bits;
    }
  }
  plan.findings.push_back(
      {"cannot-run-on-htp", Severity::kWarning, "",
       format(
           "weights of {} bits and activations of {} bits are for research: no HTP computes with "
           "{}",
           narrow.weight_bits, narrow.act_bits,
           narrow.act_bits < 8 ? "activations below 8 bits" : "weights below 4 bits"),
       "use --act-bits 8 or 16 and --weight-bits 4 or 8 for a device"});
}

}  // namespace hexquant::plan
