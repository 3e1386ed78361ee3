#include "pipeline/equalize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "calibrate/calibrator.h"
#include "core/format.h"
#include "graph/linear_layer.h"
#include "pipeline/group_error.h"
#include "pipeline/quantization_error.h"
#include "plan/plan.h"
#include "weights/channel_gains.h"
#include "weights/equalization_groups.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using weights::EqualizedGroup;
using weights::ScaleGroup;

/// Samples of each group's measurement, and of the whole model's.
constexpr std::int64_t kGroupSamples = 8;
constexpr std::int64_t kModelSamples = 16;
/// The whole model's error must fall to this share (1 dB): EfficientNet-Lite0 per channel, whose
/// channels need no equalization, moves by 8 % either way from one rounding to the next.
constexpr double kAcceptedShare = 0.8;

/// Values whose channels the noise model needs: what is quantized or rectified in a group, and what
/// its layers read.
std::map<std::string, calibrate::Tap> channel_taps(const Graph& graph, const quant::QuantPlan& plan,
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
    std::set<std::string> rectified(group.rectifiers.begin(), group.rectifiers.end());
    for (const std::string& output : group.rectifiers) {
      rectified.insert(graph.producer(output)->input(0));
    }
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

/// Says where the float model is kept on data like the calibration data only.
void report_observed_bounds(EqualizationResult& result) {
  std::int64_t channels = 0;
  for (const EqualizedGroup& group : result.groups) {
    if (group.strength > 0.0) channels += group.clipped.observed;
  }
  if (channels == 0 || result.reverted) return;
  result.findings.push_back(
      {"equalization-observed-bound", Severity::kInfo, "model",
       format("{} channels were scaled because they stay below the limit of their Clip on the "
              "calibration data; the float model changes on inputs that drive them beyond it",
              channels),
       "calibrate with data that cover what the model will see"});
}

void report_groups(EqualizationResult& result) {
  for (const EqualizedGroup& group : result.groups) {
    if (!group.rejected) continue;
    result.findings.push_back(
        {"equalization-left-out", Severity::kInfo, layers_of(group),
         format("no strength of equalization lowers the measured output error ({:.3g}) by 5 %",
                group.error_before),
         ""});
  }
  report_observed_bounds(result);
  if (!result.reverted) return;
  result.findings.push_back(
      {"equalization-reverted", Severity::kInfo, "model",
       format("all changes undone: the output error of the whole quantized model ({:.3g}) would "
              "become {:.3g}, and a fall by 1 dB is asked for",
              result.error_before, result.error_after),
       "leave cle out of --algorithms, which saves its time"});
}

bool any_change(const EqualizationResult& result) {
  if (!result.absorbed.empty()) return true;
  for (const EqualizedGroup& group : result.groups) {
    if (group.strength > 0.0) return true;
  }
  return false;
}

/// Leaves out groups whose weights or values have encodings given by the user: they belong to the
/// channels as they are.
void drop_given(const Graph& graph, const quant::QuantPlan& plan, std::vector<ScaleGroup>& groups) {
  const auto is_given = [&](const std::string& tensor) {
    const auto policy = plan.tensors.find(tensor);
    return policy != plan.tensors.end() && policy->second.fixed_encoding.has_value();
  };
  const auto has_given_weight = [&](const std::string& output) {
    const auto layer = graph::LinearLayer::find(graph, *graph.producer(output));
    return layer && is_given(layer->weight_name());
  };
  std::erase_if(groups, [&](const ScaleGroup& group) {
    return std::any_of(group.values.begin(), group.values.end(), is_given) ||
           std::any_of(group.producers.begin(), group.producers.end(), has_given_weight) ||
           std::any_of(group.consumers.begin(), group.consumers.end(), has_given_weight);
  });
}

}  // namespace

EqualizationResult equalize(Graph& graph, const QuantizeOptions& options,
                            const target::Target& target, const data::Dataset& dataset, int threads,
                            ProgressSink& progress) {
  EqualizationResult result;
  result.error_before = result.error_after = std::numeric_limits<double>::quiet_NaN();
  const quant::QuantPlan plan = plan::make_plan(graph, target, options.plan);
  std::vector<ScaleGroup> groups = weights::find_scale_groups(graph);
  drop_given(graph, plan, groups);
  if (groups.empty()) return result;
  Graph equalized = graph;
  result.absorbed = weights::absorb_biases(equalized, groups);
  weights::ChannelTable table = weights::channel_table(
      calibrate::calibrate(equalized, dataset, channel_taps(equalized, plan, groups), {},
                           {.threads = threads}, progress));
  GroupErrorMeter meter(options, plan, dataset, kGroupSamples, threads);
  weights::EqualizationOptions equalization;
  equalization.threads = threads;
  result.groups = weights::equalize_cross_layer(
      equalized, plan, table,
      [&](const Graph& current, const ScaleGroup& group, const weights::ChannelGains& gains) {
        return meter.measure(current, group, gains);
      },
      equalization, progress);
  if (any_change(result)) {
    const QuantizationMeter whole(graph, options, dataset, kModelSamples, threads);
    result.error_before = whole.model_error(graph, plan);
    result.error_after = whole.model_error(equalized, plan);
    result.reverted = !(result.error_after <= kAcceptedShare * result.error_before);
    if (!result.reverted) graph = std::move(equalized);
  }
  report_groups(result);
  return result;
}

}  // namespace hexquant::pipeline
