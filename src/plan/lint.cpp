#include "plan/lint.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/format.h"
#include "target/legality.h"

namespace hexquant::plan {
namespace {

using graph::Node;
using quant::QuantPlan;
using quant::TensorPolicy;

target::TensorFormat format_of(const TensorPolicy& policy) {
  return {policy.type, policy.symmetric, policy.granularity, policy.axis, policy.block_size};
}

target::TensorFormat bias_format() {
  return {DType::kInt32, true, Granularity::kTensor, 0, 0};
}

std::optional<target::TensorFormat> input_format(const QuantPlan& plan, const Node& node,
                                                 int index) {
  const auto edge = plan.edges.find({node.name(), index});
  if (edge != plan.edges.end()) return format_of(edge->second);
  const std::string& value = node.input(static_cast<std::size_t>(index));
  if (plan.biases.contains(value)) return bias_format();
  const auto tensor = plan.tensors.find(value);
  if (tensor == plan.tensors.end()) return std::nullopt;
  return format_of(tensor->second);
}

target::NodeFormats formats_of(const QuantPlan& plan, const Fusions& fusions, const Node& node) {
  target::NodeFormats formats;
  for (int i = 0; i < std::ssize(node.inputs()); ++i) {
    if (auto format = input_format(plan, node, i)) formats.inputs[i] = *format;
  }
  const auto output = plan.tensors.find(fusions.tail_of(node).output());
  if (output != plan.tensors.end()) formats.output = format_of(output->second);
  return formats;
}

void lint_nodes(const Context& context, const Fusions& fusions, QuantPlan& plan) {
  for (const Node& node : context.graph.nodes()) {
    const Handling handling = context.choice(node).handling;
    if (handling == Handling::kFloat || handling == Handling::kOutside) continue;
    const target::NodeFormats formats = formats_of(plan, fusions, node);
    // Movers between float nodes, and followers in a chain, which their head stands for.
    if (!formats.output || fusions.is_member(node)) continue;
    const auto obstacle = target::legality(context.target.rules, context.graph, node, formats);
    if (!obstacle) continue;
    plan.findings.push_back({"htp-illegal", Severity::kWarning, node.name(),
                             format("{}: {}", node.op_type(), *obstacle),
                             "the HTP runs it in float, on the CPU, or not at all: change the "
                             "model or the options"});
  }
}

void lint_inputs(const Context& context, QuantPlan& plan) {
  for (const std::string& input : context.graph.inputs()) {
    const graph::ValueType* type = context.graph.find_type(input);
    if (type != nullptr && type->fixed_shape()) continue;
    plan.findings.push_back({"dynamic-shape", Severity::kWarning, input,
                             "the shape of this input is not fixed: the HTP compiles fixed shapes",
                             "fix it with --input-shape"});
  }
}

/// Groups were asked for and nobody got any: one line instead of a reason for each layer.
void report_no_blocks(const PlanOptions& options, QuantPlan& plan) {
  const auto layer = std::find_if(
      plan.layers.begin(), plan.layers.end(), [](const quant::LayerDecision& candidate) {
        return candidate.granularity == Granularity::kChannel && !candidate.reason.empty();
      });
  if (layer == plan.layers.end()) return;
  plan.findings.push_back(
      {"no-groups", Severity::kWarning, layer->node,
       format("no layer takes groups of {}; this one: {}", options.group_size, layer->reason),
       "groups need --act-bits 16 and HTP v69 or later"});
}

void lint_blocks(const PlanOptions& options, QuantPlan& plan) {
  const auto blocks = std::count_if(
      plan.tensors.begin(), plan.tensors.end(),
      [](const auto& entry) { return entry.second.granularity == Granularity::kGroup; });
  if (blocks == 0) {
    if (options.granularity == Granularity::kGroup) report_no_blocks(options, plan);
    return;
  }
  plan.findings.push_back({"block-weights", Severity::kInfo, format("{} weights", blocks),
                           "block-quantized weights are expanded to float16 on the HTP: they save "
                           "memory traffic, not arithmetic",
                           ""});
}

/// 4 bits with one scale for a whole channel cost accuracy that groups were to keep.
void lint_coarse_layers(const PlanOptions& options, QuantPlan& plan) {
  if (options.granularity != Granularity::kGroup) return;
  std::vector<std::string> coarse;
  for (const quant::LayerDecision& layer : plan.layers) {
    if (layer.weight_bits == 4 && layer.granularity != Granularity::kGroup) {
      coarse.push_back(layer.node);
    }
  }
  if (coarse.empty()) return;
  plan.findings.push_back(
      {"four-bits-without-groups", Severity::kWarning, format("{} layers", coarse.size()),
       format("4-bit weights with one scale a channel instead of groups: {}", join(coarse, ", ")),
       "give them 8 bits with --layer-bits; their reasons are in the report"});
}

}  // namespace

void lint_plan(const Context& context, const Fusions& fusions, QuantPlan& plan) {
  lint_nodes(context, fusions, plan);
  lint_inputs(context, plan);
  lint_blocks(context.options, plan);
  lint_coarse_layers(context.options, plan);
}

}  // namespace hexquant::plan
