#include "pipeline/granularity_analysis.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/format.h"
#include "hexquant/error.h"
#include "passes/prepare.h"
#include "target/legality.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

using weights::kScaleChoices;

DType symmetric_type(int bits) {
  if (bits == 4) return DType::kInt4;
  return bits == 16 ? DType::kInt16 : DType::kInt8;
}

/// True if the target takes weights of this type with these scales under some activation width.
bool has_format(const target::Rules& rules, DType type, Granularity granularity) {
  const auto found = rules.weight_formats.find(type);
  if (found == rules.weight_formats.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const auto& entry) {
    return std::find(entry.second.begin(), entry.second.end(), granularity) != entry.second.end();
  });
}

std::array<bool, kScaleChoices.size()> runnable(const target::Rules& rules, const graph::Node& node,
                                                const target::OpRule& rule, const Shape& shape,
                                                DType type) {
  std::array<bool, kScaleChoices.size()> runs = {};
  for (std::size_t c = 0; c < kScaleChoices.size(); ++c) {
    const weights::ScaleChoice& choice = kScaleChoices[c];
    if (choice.granularity == Granularity::kGroup) {
      runs[c] = !target::block_obstacle(rules, node, rule, shape, type, rules.block_activation_bits,
                                        choice.block_size);
    } else {
      const bool fits = choice.granularity == Granularity::kTensor ||
                        target::channel_axis(rule, node, shape) >= 0;
      runs[c] = fits && has_format(rules, type, choice.granularity);
    }
  }
  return runs;
}

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json error_json(const weights::ScaleError& error) {
  return {{"mse", error.mse()},
          {"sqnr_db", number(error.sqnr_db())},
          {"exact", error.signal > 0.0 && error.squared_error == 0.0},
          {"scale_bytes", error.scale_bytes}};
}

Json errors_json(const weights::GranularityRow& row) {
  Json json;
  for (std::size_t schema = 0; schema < 2; ++schema) {
    Json& part = json[schema == 0 ? "symmetric" : "asymmetric"];
    for (std::size_t c = 0; c < kScaleChoices.size(); ++c) {
      part[kScaleChoices[c].name] = error_json(row.errors[schema][c]);
    }
  }
  return json;
}

}  // namespace

GranularityAnalysis analyze_granularity(const graph::Graph& graph, const std::string& soc,
                                        int weight_bits) {
  const target::Target target = target::load_target(soc);
  graph::Graph prepared = graph;
  (void)passes::prepare(prepared, {});
  GranularityAnalysis analysis;
  analysis.weight_bits = weight_bits;
  analysis.soc = target.soc.name;
  std::set<std::string> seen;
  for (const graph::Node& node : prepared.nodes()) {
    const target::OpRule* rule = target::find_rule(target.rules, node);
    if (rule == nullptr || !rule->weight) continue;
    const std::string& name = node.input(static_cast<std::size_t>(rule->weight->input));
    const Tensor* weight = prepared.find_initializer(name);
    if (weight == nullptr || weight->dtype() != DType::kFloat32 || weight->rank() < 2) continue;
    if (!seen.insert(name).second) continue;
    weights::GranularityRow row = weights::measure_granularity(
        *weight, target::channel_axis(*rule, node, weight->shape()),
        target::reduction_axis(*rule, node, weight->shape()), weight_bits);
    row.weight = name;
    row.layer = node.name();
    row.op = node.op_type();
    analysis.rows.push_back(std::move(row));
    analysis.runs.push_back(
        runnable(target.rules, node, *rule, weight->shape(), symmetric_type(weight_bits)));
  }
  if (analysis.rows.empty()) {
    throw Error(ErrorCode::kInvalidModel,
                "no layer has constant float weights: expected Conv, Gemm, MatMul or the like");
  }
  analysis.total = weights::total_granularity(analysis.rows);
  return analysis;
}

Json to_json(const GranularityAnalysis& analysis) {
  Json json;
  json["soc"] = analysis.soc;
  json["weight_bits"] = analysis.weight_bits;
  json["total"] = errors_json(analysis.total);
  json["total"]["elements"] = analysis.total.errors[0][0].elements;
  json["weights"] = Json::array();
  for (std::size_t i = 0; i < analysis.rows.size(); ++i) {
    const weights::GranularityRow& row = analysis.rows[i];
    Json item = {{"weight", row.weight},
                 {"layer", row.layer},
                 {"op", row.op},
                 {"shape", row.shape},
                 {"elements", row.errors[0][0].elements}};
    item.update(errors_json(row));
    for (std::size_t c = 0; c < kScaleChoices.size(); ++c) {
      item["runs"][kScaleChoices[c].name] = analysis.runs[i][c];
    }
    json["weights"].push_back(std::move(item));
  }
  return json;
}

}  // namespace hexquant::pipeline
