#include "pipeline/equalize.h"

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "calibrate/calibrator.h"
#include "core/format.h"
#include "graph/linear_layer.h"
#include "pipeline/quantization_error.h"
#include "plan/plan.h"
#include "weights/channel_gains.h"
#include "weights/equalization_groups.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using weights::EqualizedGroup;
using weights::ScaleGroup;

/// Samples of the measurements. They tell differences of 5 % apart (see docs).
constexpr std::int64_t kMeasuredSamples = 8;

/// Values whose channels the noise model needs: what is quantized or rectified in a group, and what
/// its layers read.
std::map<std::string, calibrate::Tap> channel_taps(const Graph& graph,
                                                   const quant::QuantPlan& plan,
                                                   const std::vector<ScaleGroup>& groups) {
  std::map<std::string, calibrate::Tap> taps;
  const auto add = [&](const std::string& value, int axis) {
    taps[value] = {.histogram = false, .channel_moments = true, .channel_axis = axis};
  };
  const auto add_input = [&](const std::string& output) {
    const auto layer = graph::LinearLayer::find(graph, *graph.producer(output));
    if (layer->input_layout().channels == 0) return;
    add(layer->node().input(0), static_cast<int>(-1 - layer->input_layout().dims_after));
  };
  for (const ScaleGroup& group : groups) {
    const std::set<std::string> rectified(group.rectifiers.begin(), group.rectifiers.end());
    for (std::size_t i = 0; i < group.values.size(); ++i) {
      const std::string& value = group.values[i];
      if (plan.tensors.contains(value) || rectified.contains(value)) add(value, group.axes[i]);
    }
    for (const std::string& output : group.producers) add_input(output);
    for (const std::string& output : group.consumers) add_input(output);
  }
  return taps;
}

std::string layers_of(const EqualizedGroup& group) {
  return format("{} -> {}", join(group.producers, ", "), join(group.consumers, ", "));
}

void report_groups(EqualizationResult& result) {
  for (const EqualizedGroup& group : result.groups) {
    if (!group.rejected) continue;
    result.findings.push_back(
        {"equalization-left-out", Severity::kInfo, layers_of(group),
         format("no strength of equalization lowers the measured output error ({:.3g})",
                group.error_before),
         ""});
  }
  if (!result.reverted) return;
  result.findings.push_back(
      {"equalization-reverted", Severity::kInfo, "model",
       format("the output error of the whole quantized model would rise from {:.3g} to {:.3g}",
              result.error_before, result.error_after),
       "leave cle out of --algorithms, which saves its time"});
}

bool any_change(const std::vector<EqualizedGroup>& groups) {
  for (const EqualizedGroup& group : groups) {
    if (group.strength > 0.0) return true;
  }
  return false;
}

}  // namespace

EqualizationResult equalize(Graph& graph, const QuantizeOptions& options,
                            const target::Target& target, const data::Dataset& dataset, int threads,
                            ProgressSink& progress) {
  EqualizationResult result;
  result.error_before = result.error_after = std::numeric_limits<double>::quiet_NaN();
  const std::vector<ScaleGroup> groups = weights::find_scale_groups(graph);
  if (groups.empty()) return result;
  const quant::QuantPlan plan = plan::make_plan(graph, target, options.plan);
  weights::ChannelTable table = weights::channel_table(calibrate::calibrate(
      graph, dataset, channel_taps(graph, plan, groups), {}, {.threads = threads}, progress));
  const QuantizationMeter meter(graph, options, dataset, kMeasuredSamples);
  weights::EqualizationOptions equalization;
  equalization.threads = threads;
  Graph equalized = graph;
  result.groups = weights::equalize_cross_layer(
      equalized, plan, table,
      [&](const Graph& current, const ScaleGroup& group) {
        return meter.group_error(current, plan, group);
      },
      equalization, progress);
  if (any_change(result.groups)) {
    result.error_before = meter.model_error(graph, plan);
    result.error_after = meter.model_error(equalized, plan);
    result.reverted = !(result.error_after <= result.error_before);
    if (!result.reverted) graph = std::move(equalized);
  }
  if (std::getenv("CLE_DEBUG")) {  // DEBUG
    for (const auto& g : result.groups)
      fprintf(stderr, "%s | a=%.2f err %.4g -> %.4g ch %ld scaled %ld ratio %.3g clip e%ld o%ld f%ld%s\n", layers_of(g).c_str(), g.strength, g.error_before, g.error_after, g.channels, g.scaled, g.largest_ratio, g.clipped.exact, g.clipped.observed, g.clipped.fixed, g.rejected ? " rejected" : "");
    fprintf(stderr, "model %.4g -> %.4g\n", result.error_before, result.error_after);
  }
  report_groups(result);
  return result;
}

}  // namespace hexquant::pipeline
