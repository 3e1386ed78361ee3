#include "weights/equalize_cross_layer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "core/parallel.h"
#include "hexquant/error.h"

namespace hexquant::weights {
namespace {

using graph::Graph;
using quant::QuantPlan;
using Values = std::vector<double>;

Values scales_at(const Values& log_scale, double strength) {
  Values scale;
  for (const double u : log_scale) scale.push_back(std::exp(strength * u));
  return scale;
}

std::vector<std::string> node_names(const Graph& graph, const std::vector<std::string>& outputs) {
  std::vector<std::string> names;
  for (const std::string& output : outputs) names.push_back(graph.producer(output)->name());
  return names;
}

class Equalizer {
 public:
  Equalizer(Graph& graph, const QuantPlan& plan, ChannelTable& table, const GroupMeter& meter,
            const EqualizationOptions& options)
      : graph_(graph),
        plan_(plan),
        table_(table),
        meter_(meter),
        options_(options),
        groups_(find_scale_groups(graph)),
        gains_(channel_gains(graph, table)) {
    for (const ScaleGroup& group : groups_) {
      EqualizedGroup row;
      row.producers = node_names(graph, group.producers);
      row.consumers = node_names(graph, group.consumers);
      row.channels = group.channels;
      row.error_before = row.error_after = std::numeric_limits<double>::quiet_NaN();
      rows_.push_back(std::move(row));
      totals_.emplace_back(static_cast<std::size_t>(group.channels), 1.0);
    }
  }

  std::vector<EqualizedGroup> run(ProgressSink& progress) {
    ProgressStage stage(progress, "equalize",
                        static_cast<std::int64_t>(groups_.size()) * options_.rounds);
    std::set<std::string> touched;  // layers that changed since a group was last looked at
    for (int round = 0; round < options_.rounds; ++round) {
      std::set<std::string> changed;
      for (std::size_t i = 0; i < groups_.size(); ++i) {
        stage.step();
        if (round > 0 && !concerns(groups_[i], touched) && !concerns(groups_[i], changed)) continue;
        if (!improve(i)) continue;
        changed.insert(groups_[i].producers.begin(), groups_[i].producers.end());
        changed.insert(groups_[i].consumers.begin(), groups_[i].consumers.end());
      }
      if (changed.empty()) break;
      touched = std::move(changed);
    }
    for (std::size_t i = 0; i < groups_.size(); ++i) finish_row(i);
    return std::move(rows_);
  }

 private:
  static bool concerns(const ScaleGroup& group, const std::set<std::string>& layers) {
    const auto is_in = [&](const std::string& output) { return layers.contains(output); };
    return std::any_of(group.producers.begin(), group.producers.end(), is_in) ||
           std::any_of(group.consumers.begin(), group.consumers.end(), is_in);
  }

  /// One look at a group; true if the graph changed.
  bool improve(std::size_t i) {
    const ScaleGroup& group = groups_[i];
    EqualizedGroup& row = rows_[i];
    std::map<std::string, ChannelBounds> bounds;
    if (!group.clips.empty()) bounds = channel_bounds(graph_);
    const GroupProblem built =
        make_scale_problem(graph_, plan_, group, table_, gains_, bounds, options_.problem);
    row.clipped = built.clipped;
    const ScaleSolution solution = search_scales(built.problem);
    if (const char* d = std::getenv("CLE_DUMP"); d && std::stoul(d) == i) {  // DEBUG
      fprintf(stderr, "group %zu noise %.4g -> %.4g\n", i, solution.noise_before, solution.noise);
      const ScaleProblem& p = built.problem;
      for (std::size_t c = 0; c < p.channels(); ++c) {
        fprintf(stderr, "%zu [%.2f %.2f] u %.3f", c, p.low[c], p.high[c], solution.log_scale[c]);
        for (auto& q : p.producers) fprintf(stderr, " P(r %.3g e %.3g)", q.range[c], q.energy[c]);
        for (auto& q : p.activations) fprintf(stderr, " A(%.3g %.3g g %.3g)", -q.low[c], q.high[c], q.gain[c]);
        for (auto& q : p.consumers) { double r=0; for (auto& row : q.rows) if (c>=row.first && c<row.first+row.range.size()) r=std::max(r,row.range[c-row.first]); fprintf(stderr, " C(r %.3g e %.3g)", r, q.energy[c]); }
        fprintf(stderr, "\n");
      }
      ScaleProblem only = p; only.producers.clear(); only.activations.clear();
      fprintf(stderr, "consumer noise %.4g -> %.4g\n", total_noise(only, Values(p.channels(), 0.0)), total_noise(only, solution.log_scale));
      only = p; only.consumers.clear(); only.activations.clear();
      fprintf(stderr, "producer noise %.4g -> %.4g\n", total_noise(only, Values(p.channels(), 0.0)), total_noise(only, solution.log_scale));
      only = p; only.consumers.clear(); only.producers.clear();
      fprintf(stderr, "activation noise %.4g -> %.4g\n", total_noise(only, Values(p.channels(), 0.0)), total_noise(only, solution.log_scale));
    }
    if (!(solution.noise < options_.promised_share * solution.noise_before)) return false;
    const Values errors = measure_strengths(group, solution.log_scale);
    const auto best = std::min_element(errors.begin(), errors.end());
    if (std::isnan(row.error_before)) row.error_before = errors[0];
    row.error_after = errors[0];
    if (!(*best <= options_.accepted_share * errors[0])) {
      row.rejected = row.strength == 0.0;
      return false;
    }
    row.rejected = false;
    row.error_after = *best;
    row.strength = options_.strengths[static_cast<std::size_t>(best - errors.begin()) - 1];
    accept(i, scales_at(solution.log_scale, row.strength));
    return true;
  }

  /// Errors of the group as it is, and at each strength. NaN counts as worst.
  [[nodiscard]] Values measure_strengths(const ScaleGroup& group, const Values& log_scale) const {
    const CandidateError measure = meter_(graph_, group);
    Values errors(options_.strengths.size() + 1);
    parallel_for(static_cast<std::int64_t>(errors.size()), options_.threads, [&](std::int64_t k) {
      const auto at = static_cast<std::size_t>(k);
      Graph candidate = graph_;
      if (at > 0) apply_scales(candidate, group, scales_at(log_scale, options_.strengths[at - 1]));
      const double error = measure(candidate);
      errors[at] = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
    });
    return errors;
  }

  void accept(std::size_t i, const Values& scale) {
    const ScaleGroup& group = groups_[i];
    apply_scales(graph_, group, scale);
    for (const std::string& value : group.values) {
      scale_statistics(value, scale);
      const auto found = gains_.find(value);
      if (found == gains_.end()) continue;
      Values& gain = found->second;
      if (gain.size() != scale.size()) gain.assign(scale.size(), gain[0]);
      for (std::size_t c = 0; c < scale.size(); ++c) gain[c] *= scale[c] * scale[c];
    }
    for (std::size_t c = 0; c < scale.size(); ++c) totals_[i][c] *= scale[c];
  }

  void scale_statistics(const std::string& value, const Values& scale) {
    const auto found = table_.find(value);
    if (found == table_.end()) return;
    ChannelStatistics& channels = found->second;
    for (std::size_t c = 0; c < scale.size(); ++c) {
      channels.min[c] /= scale[c];
      channels.max[c] /= scale[c];
      channels.mean[c] /= scale[c];
      channels.mean_square[c] /= scale[c] * scale[c];
    }
  }

  void finish_row(std::size_t i) {
    constexpr double kUnity = 1e-3;
    double smallest = std::numeric_limits<double>::infinity();
    double largest = 0.0;
    for (const double scale : totals_[i]) {
      smallest = std::min(smallest, scale);
      largest = std::max(largest, scale);
      if (std::abs(scale - 1.0) > kUnity) ++rows_[i].scaled;
    }
    if (largest > 0.0) rows_[i].largest_ratio = largest / smallest;
  }

  Graph& graph_;
  const QuantPlan& plan_;
  ChannelTable& table_;
  const GroupMeter& meter_;
  const EqualizationOptions& options_;
  std::vector<ScaleGroup> groups_;
  std::map<std::string, Values> gains_;
  std::vector<EqualizedGroup> rows_;
  std::vector<Values> totals_;
};

}  // namespace

std::vector<EqualizedGroup> equalize_cross_layer(Graph& graph, const QuantPlan& plan,
                                                 ChannelTable& table, const GroupMeter& meter,
                                                 const EqualizationOptions& options,
                                                 ProgressSink& progress) {
  return Equalizer(graph, plan, table, meter, options).run(progress);
}

}  // namespace hexquant::weights
