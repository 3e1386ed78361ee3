#include "weights/equalize_cross_layer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "core/parallel.h"
#include "graph/subgraph.h"
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
      stale_.push_back(false);
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
        std::set<std::string> layers(groups_[i].producers.begin(), groups_[i].producers.end());
        layers.insert(groups_[i].consumers.begin(), groups_[i].consumers.end());
        for (std::size_t k = 0; k < groups_.size(); ++k) {
          if (k != i && concerns(groups_[k], layers)) stale_[k] = true;
        }
        changed.merge(layers);
      }
      if (changed.empty()) break;
      touched = std::move(changed);
    }
    measure_again();
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
    if (!group.clips.empty()) bounds = bounds_before(group);
    const GroupProblem built =
        make_scale_problem(graph_, plan_, group, table_, gains_, bounds, options_.problem);
    row.clipped = built.clipped;
    const ScaleSolution solution = search_scales(built.problem, options_.threads);
    const bool small = row.error_after <= options_.large_error;
    const double promise = small ? options_.promised_share : options_.promised_share_large;
    if (!(solution.noise < promise * solution.noise_before)) return false;
    const std::vector<Candidate> candidates = measure_strengths(group, built.problem, solution);
    const double before = candidates.front().error;
    if (std::isnan(row.error_before)) row.error_before = before;
    row.error_after = before;
    stale_[i] = false;
    const Candidate* best = best_candidate(candidates);
    row.rejected = best == nullptr && row.strength == 0.0;
    if (best == nullptr) return false;
    row.error_after = best->error;
    row.strength = best->strength;
    accept(i, scales_at(solution.log_scale, row.strength));
    return true;
  }

  struct Candidate {
    double strength = 0.0;
    double noise = 0.0;  // by the model
    double error = 0.0;  // measured
  };

  /// The group as it is (first), and at each strength.
  [[nodiscard]] std::vector<Candidate> measure_strengths(const ScaleGroup& group,
                                                         const ScaleProblem& problem,
                                                         const ScaleSolution& solution) const {
    const CandidateError measure = meter_(graph_, group, gains_);
    std::vector<Candidate> candidates = {{0.0}, {1.0}};
    const auto measure_from = [&](std::size_t first) {
      const auto count = static_cast<std::int64_t>(candidates.size() - first);
      parallel_for(count, options_.threads, [&](std::int64_t k) {
        Candidate& candidate = candidates[first + static_cast<std::size_t>(k)];
        Values log_scale = solution.log_scale;
        for (double& u : log_scale) u *= candidate.strength;
        candidate.noise = total_noise(problem, log_scale);
        Graph changed = graph_;
        if (candidate.strength > 0.0) apply_scales(changed, group, scales_at(log_scale, 1.0));
        candidate.error = measure(changed);
      });
    };
    measure_from(0);
    const std::size_t measured = candidates.size();
    if (candidates.front().error > options_.large_error || best_candidate(candidates) == nullptr) {
      for (const double strength : options_.strengths) candidates.push_back({strength});
      measure_from(measured);
    }
    return candidates;
  }

  /// The best candidate among those whose measured error falls enough; nullptr = none. Large errors
  /// decide by themselves; small ones, where luck is as large as the gain, together with the model:
  /// by the product of modelled noise and measured error.
  [[nodiscard]] const Candidate* best_candidate(const std::vector<Candidate>& candidates) const {
    const Candidate* best = nullptr;
    const bool large = candidates.front().error > options_.large_error;
    const auto score = [&](const Candidate& candidate) {
      return large ? candidate.error : candidate.error * candidate.noise;
    };
    for (const Candidate& candidate : candidates) {
      if (!(candidate.error <= options_.accepted_share * candidates.front().error)) continue;
      if (best == nullptr || score(candidate) < score(*best)) best = &candidate;
    }
    return best;
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

  /// Interval arithmetic of what the Clips of a group read.
  [[nodiscard]] std::map<std::string, ChannelBounds> bounds_before(const ScaleGroup& group) const {
    std::vector<std::string> read;
    for (const ClipLimit& clip : group.clips) read.push_back(graph_.producer(clip.value)->input(0));
    return channel_bounds(graph::extract_subgraph(graph_, graph_.inputs(), read));
  }

  /// The errors after of groups whose neighbours have changed since they were looked at.
  void measure_again() {
    std::vector<std::pair<std::size_t, CandidateError>> waiting;
    const auto flush = [&] {
      parallel_for(static_cast<std::int64_t>(waiting.size()), options_.threads,
                   [&](std::int64_t k) {
                     const auto& [row, measure] = waiting[static_cast<std::size_t>(k)];
                     rows_[row].error_after = measure(graph_);
                   });
      waiting.clear();
    };
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      if (!stale_[i] || std::isnan(rows_[i].error_before)) continue;
      waiting.emplace_back(i, meter_(graph_, groups_[i], gains_));
      if (waiting.size() >= static_cast<std::size_t>(options_.threads)) flush();
    }
    flush();
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
  ChannelGains gains_;
  std::vector<EqualizedGroup> rows_;
  std::vector<Values> totals_;
  std::vector<bool> stale_;  // a neighbour changed since the last measurement
};

}  // namespace

std::vector<EqualizedGroup> equalize_cross_layer(Graph& graph, const QuantPlan& plan,
                                                 ChannelTable& table, const GroupMeter& meter,
                                                 const EqualizationOptions& options,
                                                 ProgressSink& progress) {
  return Equalizer(graph, plan, table, meter, options).run(progress);
}

}  // namespace hexquant::weights
