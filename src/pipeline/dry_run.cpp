#include "pipeline/dry_run.h"

#include <string>

#include "core/finding_list.h"
#include "core/format.h"
#include "formats/onnx/onnx_io.h"
#include "passes/fix_input_shapes.h"
#include "passes/prepare.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"
#include "pipeline/split_group_biases.h"
#include "plan/plan.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

std::string bits_text(int bits) {
  if (bits == 0) return "-";
  return bits >= 32 ? "float" : std::to_string(bits);
}

/// "tensor", "channel", "group:32", "group:32 lpbq"; "-" without quantized weights.
std::string scales_text(const quant::QuantPlan& plan, const quant::LayerDecision& layer) {
  const auto policy = plan.tensors.find(layer.weight);
  if (policy == plan.tensors.end()) return "-";
  const char* name = granularity_name(policy->second.granularity);
  if (policy->second.granularity != Granularity::kGroup) return name;
  return format("{}:{}{}", name, policy->second.block_size,
                policy->second.block_scale_bits > 0 ? " lpbq" : "");
}

std::string layers_text(const quant::QuantPlan& plan) {
  std::string text = format("{:<48} {:<20} {:>7} {:<14} {:>5}  {}\n", "layer", "op", "weights",
                            "scales", "acts", "note");
  for (const quant::LayerDecision& layer : plan.layers) {
    text += format("{:<48} {:<20} {:>7} {:<14} {:>5}  {}\n", layer.node, layer.op,
                   bits_text(layer.weight_bits), scales_text(plan, layer),
                   bits_text(layer.act_bits), layer.reason);
  }
  return text;
}

std::string sizes_text(const graph::Graph& graph, const quant::QuantPlan& plan) {
  std::int64_t float_bytes = 0;
  std::int64_t quantized_bytes = 0;
  for (const auto& [name, tensor] : graph.initializers()) {
    const auto tensor_bytes = static_cast<std::int64_t>(tensor.bytes());
    float_bytes += tensor_bytes;
    const auto policy = plan.tensors.find(name);
    quantized_bytes += policy == plan.tensors.end()
                           ? tensor_bytes
                           : (tensor.size() * dtype_bits(policy->second.type) + 7) / 8;
  }
  return format("weights: {:.2f} MB float -> {:.2f} MB quantized\n", float_bytes / 1e6,
                quantized_bytes / 1e6);
}

std::string findings_text(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += format("{}: {}: {} [{}]\n", severity_name(finding.severity), finding.where,
                   finding.reason, finding.id);
  }
  return text;
}

}  // namespace

std::string dry_run_text(const Recipe& recipe) {
  QuantizeOptions options = resolve_recipe(recipe, 1);
  const target::Target target = target::load_target(recipe.soc);
  const graph::Graph original = formats::read_onnx(recipe.model);
  options.plan.original = &original;
  graph::Graph graph = original;
  (void)passes::fix_input_shapes(graph, recipe.input_shapes);
  const auto dataset = data::open_dataset(options.data, model_inputs(graph));
  Findings findings;
  std::string passes_text;
  auto reports = passes::prepare(graph, prepare_options(recipe, options.plan, dataset->load(0)));
  split_group_biases(graph, target, options.plan, reports);
  for (const auto& report : reports) {
    if (!report.applied_to.empty()) {
      passes_text += format("  {:<28} {:>5}\n", report.pass, report.applied_to.size());
    }
    append(findings, report.findings);
  }
  const quant::QuantPlan plan = plan::make_plan(graph, target, options.plan);
  append(findings, plan.findings);
  std::string text =
      format("model: {} ({} nodes after preparation)\ntarget: {} ({})\n", recipe.model,
             graph.nodes().size(), target.soc.name, target.soc.htp_arch);
  text += format("calibration: {} samples\npasses:\n{}", dataset->size(), passes_text);
  text += sizes_text(graph, plan) + "\n" + layers_text(plan) + "\n" + findings_text(findings);
  return text + "dry run: nothing was calibrated or written\n";
}

}  // namespace hexquant::pipeline
