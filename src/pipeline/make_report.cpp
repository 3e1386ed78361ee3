#include "pipeline/make_report.h"

#include <cmath>
#include <limits>

#include "calibrate/observer.h"
#include "evaluate/compare_layers.h"
#include "pipeline/recipe_json.h"
#include "pipeline/result_files.h"

namespace hexquant::pipeline {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
/// Enough for a stable layer-by-layer picture; more would dominate the run time of small jobs.
constexpr std::int64_t kLayerSamples = 4;

/// Share of elements outside [low, high], to one histogram bin.
double clipped_fraction(const quant::ValueStatistics& values, double low, double high) {
  if (values.count == 0) return 0.0;
  const quant::Histogram& histogram = values.histogram;
  std::uint64_t outside = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double left = histogram.lower_edge() + static_cast<double>(i) * histogram.bin_width();
    // A bin that begins at the upper end holds that end itself, which is no clipping.
    if (left + histogram.bin_width() <= low || left > high) outside += histogram.counts[i];
  }
  return static_cast<double>(outside) / static_cast<double>(values.count);
}

/// Unknown for ranges that no observer chose: fixed by the operation, or a Softmax's input.
double range_excess_db(const QuantizedModel& model, const std::string& name,
                       const quant::ValueStatistics& values, const Encoding& encoding) {
  const auto policy = model.plan.tensors.find(name);
  const bool is_chosen = policy != model.plan.tensors.end() && !policy->second.fixed_range &&
                         !policy->second.range_limits && !values.smallest_row_max;
  if (!is_chosen || values.histogram.counts.empty()) return kUnknown;
  // Symmetric encodings of values that are never negative use all codes.
  const bool symmetric = encoding.symmetric && encoding.range_min() < 0.0;
  return calibrate::range_excess_db(
      values, {static_cast<float>(encoding.range_min()), static_cast<float>(encoding.range_max())},
      dtype_bits(encoding.type), symmetric);
}

std::vector<report::ActivationRow> activation_rows(const QuantizedModel& model) {
  std::vector<report::ActivationRow> rows;
  for (const auto& [name, values] : model.statistics.values) {
    const auto found = model.encodings.tensors.find(name);
    if (found == model.encodings.tensors.end()) continue;
    const Encoding& encoding = found->second;
    report::ActivationRow row;
    row.tensor = name;
    row.type = dtype_name(encoding.type);
    row.observed_min = values.min;
    row.observed_max = values.max;
    row.range_min = encoding.range_min();
    row.range_max = encoding.range_max();
    row.scale = encoding.scale[0];
    row.zero_point = encoding.zero_point[0];
    row.clipped_fraction = clipped_fraction(values, row.range_min, row.range_max);
    row.range_excess_db = range_excess_db(model, name, values, encoding);
    row.histogram = values.histogram;
    rows.push_back(std::move(row));
  }
  return rows;
}

double weight_sqnr_db(const QuantizedModel& model, const std::string& weight) {
  for (const weights::WeightReport& row : model.weights) {
    if (row.weight == weight) return row.sqnr_db;
  }
  return kUnknown;
}

std::vector<report::LayerRow> layer_rows(const QuantizedModel& model,
                                         const Verification& verification) {
  std::vector<report::LayerRow> rows;
  for (const quant::LayerDecision& layer : model.plan.layers) {
    report::LayerRow row;
    row.name = layer.node;
    row.op = layer.op;
    row.weight_bits = layer.weight_bits;
    row.act_bits = layer.act_bits;
    row.requested_weight_bits = layer.requested_weight_bits;
    row.requested_act_bits = layer.requested_act_bits;
    row.granularity = layer.granularity;
    row.reason = layer.reason;
    row.output = layer.output;
    const auto found = verification.tensors.find(layer.output);
    row.sqnr_db = found == verification.tensors.end() ? kUnknown : found->second.sqnr_db();
    row.weight_sqnr_db = layer.weight.empty() ? kUnknown : weight_sqnr_db(model, layer.weight);
    if (const Tensor* weight = model.prepared.find_initializer(layer.weight)) {
      row.parameters = weight->size();
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

double noise_to_db(double noise_fraction) {
  return -10.0 * std::log10(noise_fraction);
}

std::vector<report::RoundingRow> rounding_rows(const QuantizedModel& model) {
  std::vector<report::RoundingRow> rows;
  for (const weights::RoundingReport& rounded : model.rounding) {
    report::RoundingRow row;
    row.layer = rounded.node;
    row.weight = rounded.weight;
    row.min_max_db = noise_to_db(rounded.error_min_max);
    row.clip_search_db = noise_to_db(rounded.error_clip);
    row.gptq_db = noise_to_db(rounded.error_gptq);
    row.result_db = noise_to_db(rounded.error);
    row.clamped_before_db = noise_to_db(rounded.clamped_before);
    row.clamped_result_db = noise_to_db(rounded.clamped_after);
    row.bias_shift = rounded.bias_shift;
    row.sweeps = rounded.sweeps;
    row.positions = rounded.positions;
    rows.push_back(std::move(row));
  }
  return rows;
}

/// How the scaled channels of a group are kept below its Clip.
const char* bound_name(const weights::EqualizedGroup& group) {
  const weights::ClipChannels& clipped = group.clipped;
  if (clipped.exact + clipped.observed + clipped.fixed == 0) return "none";
  return clipped.observed > 0 ? "observed" : "interval";
}

std::vector<report::EqualizationRow> equalization_rows(const EqualizationResult& result) {
  std::vector<report::EqualizationRow> rows;
  for (const weights::EqualizedGroup& group : result.groups) {
    report::EqualizationRow row;
    row.producers = group.producers;
    row.consumers = group.consumers;
    row.strength = result.reverted ? 0.0 : group.strength;
    row.error_before = group.error_before;
    row.error_after = result.reverted ? group.error_before : group.error_after;
    row.channels = group.channels;
    row.channels_scaled = result.reverted ? 0 : group.scaled;
    row.channels_fixed = group.clipped.fixed;
    row.bound = bound_name(group);
    for (const weights::AbsorbedGroup& absorbed : result.absorbed) {
      if (result.reverted || absorbed.producer != group.producers.front()) continue;
      row.dead_channels = absorbed.dead;
      row.absorbed_channels = absorbed.shifted;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

report::Summary make_summary(const Verification& verification) {
  const evaluate::CandidateScore& candidate = verification.scores.candidates.front();
  report::Summary summary;
  summary.metric = verification.scores.metric;
  summary.fp32 = verification.scores.reference.metrics;
  summary.quantized = candidate.score.metrics;
  summary.sqnr_db = candidate.outputs.sqnr_db();
  summary.cosine = candidate.outputs.cosine();
  summary.mse = candidate.outputs.mse();
  summary.agreement = candidate.agreement;
  summary.samples = verification.scores.samples;
  if (candidate.difference_interval) {
    summary.interval = {candidate.difference_interval->low, candidate.difference_interval->high};
  }
  return summary;
}

std::int64_t initializer_bytes(const graph::Graph& graph) {
  std::int64_t total_bytes = 0;
  for (const auto& [name, tensor] : graph.initializers()) {
    total_bytes += static_cast<std::int64_t>(tensor.bytes());
  }
  return total_bytes;
}

}  // namespace

std::map<std::string, evaluate::Difference> compare_encoded_tensors(const QuantizedModel& model,
                                                                    const data::Dataset& data,
                                                                    int threads) {
  const auto matched = evaluate::match_values(model.prepared, model.quantized);
  std::map<std::string, std::string> pairs;
  for (const quant::LayerDecision& layer : model.plan.layers) {
    const auto found = matched.find(layer.output);
    if (found != matched.end()) pairs.insert(*found);
  }
  std::map<std::string, evaluate::Difference> differences;
  if (pairs.empty()) return differences;
  for (evaluate::LayerDifference& layer :
       evaluate::compare_layers(model.prepared, model.quantized, pairs, data,
                                {.samples = kLayerSamples, .threads = threads})) {
    differences[layer.tensor] = layer.difference;
  }
  return differences;
}

report::QuantizeReport make_report(const Recipe& recipe, const target::Target& target,
                                   const QuantizedModel& model, const Verification& verification,
                                   const std::filesystem::path& folder) {
  report::QuantizeReport report;
  report.model = recipe.model;
  report.soc = target.soc.name;
  report.htp_arch = target.soc.htp_arch;
  report.recipe = recipe_to_json(recipe);
  report.summary = make_summary(verification);
  report.layers = layer_rows(model, verification);
  report.activations = activation_rows(model);
  report.rounding = rounding_rows(model);
  report.equalization = equalization_rows(model.equalization);
  for (const passes::PassReport& pass : model.passes) {
    report.passes.emplace_back(pass.pass, static_cast<std::int64_t>(pass.applied_to.size()));
  }
  report.seconds = model.seconds;
  for (const std::string& name : {quantized_file(recipe), float_file(recipe),
                                  recipe.prefix + ".encodings", std::string("overrides.json")}) {
    report.file_bytes.emplace_back(
        name, static_cast<std::int64_t>(std::filesystem::file_size(folder / name)));
  }
  report.float_weight_bytes = initializer_bytes(model.prepared);
  report.quantized_weight_bytes = initializer_bytes(model.quantized);
  report.samples = model.statistics.samples;
  report.findings = model.findings;
  return report;
}

}  // namespace hexquant::pipeline
