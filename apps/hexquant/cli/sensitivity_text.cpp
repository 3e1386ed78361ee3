#include "cli/sensitivity_text.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "cli/table.h"
#include "core/format.h"

namespace hexquant::cli {
namespace {

using mixed_precision::Candidate;
using mixed_precision::CandidateKind;
using mixed_precision::Effect;
using mixed_precision::SensitivityRow;
using mixed_precision::SensitivityTable;

constexpr std::size_t kRows = 30;
constexpr double kBarLength = 20.0;

/// "w8", "a16", "w8a8"
std::string candidate_text(const Candidate& candidate) {
  std::string text;
  if (candidate.kind != CandidateKind::kActivation) text += format("w{}", candidate.weight_bits);
  if (candidate.kind != CandidateKind::kWeights) text += format("a{}", candidate.act_bits);
  return text;
}

std::string loss_text(const std::string& metric, double loss) {
  if (std::isnan(loss)) return "-";
  if (metric == "top1" || metric == "top5") return format("{:.2f}", 100.0 * loss);
  return format("{:.3g}", loss);
}

/// Every candidate that some row has, in the order of their first appearance.
std::vector<Candidate> all_candidates(const std::vector<SensitivityRow>& rows) {
  std::vector<Candidate> candidates;
  for (const SensitivityRow& row : rows) {
    for (const auto& one : row.measured) {
      if (std::find(candidates.begin(), candidates.end(), one.candidate) == candidates.end()) {
        candidates.push_back(one.candidate);
      }
    }
  }
  return candidates;
}

double worst_sqnr_db(const SensitivityRow& row) {
  double worst = HUGE_VAL;
  for (const auto& one : row.measured) worst = std::fmin(worst, one.effect.sqnr_db);
  return worst;
}

/// Largest loss first; where losses are equal (a rate over few samples), the most noise first.
std::vector<const SensitivityRow*> worst_first(const std::vector<SensitivityRow>& rows) {
  std::vector<const SensitivityRow*> order;
  for (const SensitivityRow& row : rows) order.push_back(&row);
  const auto loss = [](const SensitivityRow& row) {
    const double worst = row.worst_loss();
    return std::isnan(worst) ? -HUGE_VAL : worst;
  };
  std::stable_sort(order.begin(), order.end(), [&](const auto* a, const auto* b) {
    if (loss(*a) != loss(*b)) return loss(*a) > loss(*b);
    return worst_sqnr_db(*a) < worst_sqnr_db(*b);
  });
  return order;
}

std::string rows_table(const SensitivityTable& table, const std::vector<SensitivityRow>& rows,
                       const char* title) {
  const std::vector<Candidate> candidates = all_candidates(rows);
  const std::vector<const SensitivityRow*> order = worst_first(rows);
  double largest = 0.0;
  for (const SensitivityRow& row : rows) largest = std::fmax(largest, row.worst_loss());
  const bool is_rate = table.metric == "top1" || table.metric == "top5";
  const bool has_op = std::any_of(rows.begin(), rows.end(),
                                  [](const SensitivityRow& row) { return !row.op.empty(); });
  std::vector<std::string> header = {title};
  if (has_op) header.emplace_back("op");
  for (const Candidate& one : candidates) {
    header.push_back(candidate_text(one) + (is_rate ? " pts" : " loss"));
  }
  header.insert(header.end(), {"SQNR dB", "KL", ""});
  std::vector<std::vector<std::string>> cells;
  for (const SensitivityRow* row : order) {
    if (cells.size() == kRows) break;
    cells.push_back({row->name});
    if (has_op) cells.back().push_back(row->op);
    double kl = std::nan("");
    for (const Candidate& one : candidates) {
      const Effect* effect = row->find(one);
      cells.back().push_back(effect == nullptr ? "" : loss_text(table.metric, effect->loss));
      if (effect != nullptr) kl = std::fmax(kl, effect->kl);
    }
    const double share = largest > 0.0 ? std::max(0.0, row->worst_loss()) / largest : 0.0;
    const std::string bar(std::isnan(share) ? 0 : static_cast<std::size_t>(share * kBarLength),
                          '#');
    cells.back().insert(cells.back().end(),
                        {number_text(worst_sqnr_db(*row), 1),
                         std::isnan(kl) ? "-" : format("{:.2g}", kl), format("{:<20}", bar)});
  }
  std::string text = table_text(header, cells);
  if (order.size() > cells.size()) {
    text += format("... {} more: see --json or -o\n", order.size() - cells.size());
  }
  return text;
}

}  // namespace

std::string sensitivity_text(const SensitivityTable& table) {
  const auto value = table.baseline.find("value");
  const bool is_rate = table.metric == "top1" || table.metric == "top5";
  const std::string baseline = value == table.baseline.end() || std::isinf(value->second) ? ""
                               : is_rate ? ", float " + percent_text(value->second)
                                         : ", float " + number_text(value->second, 4);
  std::string text = format("{}: metric {}{}, {} samples, {} layers\n\n", table.model, table.metric,
                            baseline, table.samples, table.layers.size());
  text += rows_table(table, table.layers, "layer (worst first)");
  if (!table.blocks.empty()) {
    text += "\n" + rows_table(table, table.blocks, "block (worst first)");
  }
  return text;
}

std::string sensitivity_cost_text(const pipeline::SensitivityResult& result) {
  std::size_t candidates = 0;
  for (const auto* rows : {&result.table.layers, &result.table.blocks}) {
    for (const SensitivityRow& row : *rows) candidates += row.measured.size();
  }
  const double passes = result.seconds / result.float_pass_seconds;
  return format(
      "{} candidates of {} layers and {} blocks in {:.1f} s ({} rows resumed); one float pass: "
      "{:.2f} s, so {:.2f} passes a candidate\n",
      candidates, result.table.layers.size(), result.table.blocks.size(), result.seconds,
      result.resumed_rows, result.float_pass_seconds,
      candidates == 0 ? 0.0 : passes / static_cast<double>(candidates));
}

std::string weight_noise_text(const std::vector<pipeline::WeightNoise>& rows, int bits,
                              double below_db) {
  std::vector<const pipeline::WeightNoise*> order;
  for (const pipeline::WeightNoise& row : rows) order.push_back(&row);
  const auto key = [](const pipeline::WeightNoise& row) {
    return std::isnan(row.snr_db) ? HUGE_VAL : row.snr_db;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const auto* a, const auto* b) { return key(*a) < key(*b); });
  std::vector<std::vector<std::string>> cells;
  std::size_t marked = 0;
  for (const pipeline::WeightNoise* row : order) {
    const bool is_sensitive = row->snr_db < below_db;
    if (is_sensitive) ++marked;
    cells.push_back({row->layer, row->op, shape_text(row->shape), format("{:.3g}", row->mse),
                     number_text(row->snr_db, 2), number_text(row->channel_snr_db, 2),
                     is_sensitive ? "sensitive" : ""});
  }
  return format("weights alone, {} bits, symmetric, nearest\n\n", bits) +
         table_text({"layer (worst first)", "op", "weights", "MSE", "SNR dB", "per channel dB", ""},
                    cells) +
         format("\n{} of {} layers below {} dB\n", marked, rows.size(), below_db);
}

Json weight_noise_json(const std::vector<pipeline::WeightNoise>& rows, double below_db) {
  const auto number = [](double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  };
  Json json = Json::array();
  for (const pipeline::WeightNoise& row : rows) {
    json.push_back({{"layer", row.layer},
                    {"op", row.op},
                    {"weight", row.weight},
                    {"shape", row.shape},
                    {"mse", row.mse},
                    {"snr_db", number(row.snr_db)},
                    {"channel_snr_db", number(row.channel_snr_db)},
                    {"exact", std::isinf(row.snr_db)},
                    {"sensitive", row.snr_db < below_db}});
  }
  return json;
}

}  // namespace hexquant::cli
