#include "weights/scale_problem.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "graph/linear_layer.h"
#include "hexquant/error.h"

namespace hexquant::weights {
namespace {

using graph::Graph;
using graph::LinearLayer;
using quant::QuantPlan;
using quant::Role;
using quant::TensorPolicy;
using Values = std::vector<double>;
using Gains = std::map<std::string, Values>;

/// Scales beyond this factor gain nothing in 8 bits and only feed float rounding.
constexpr double kLargestScale = 1e6;
/// Biases may exceed the activations that they give by this factor: 8 bits above accumulators of
/// usual layers, which keeps them within int32.
constexpr double kLargestBias = 256.0;

std::size_t index(std::int64_t value) {
  return static_cast<std::size_t>(value);
}

Values vector_for(const Gains& gains, const std::string& value, std::size_t channels) {
  const auto found = gains.find(value);
  if (found == gains.end()) return Values(channels, 1.0);
  if (found->second.size() == channels) return found->second;
  const double first = found->second.empty() ? 1.0 : found->second[0];
  return Values(channels, first);
}

const TensorPolicy* policy_of(const QuantPlan& plan, const std::string& name, Role role) {
  const auto found = plan.tensors.find(name);
  return found != plan.tensors.end() && found->second.role == role ? &found->second : nullptr;
}

double weight_levels(const TensorPolicy& policy) {
  return std::ldexp(1.0, dtype_bits(policy.type) - 1) - 1.0;
}

class ProblemBuilder {
 public:
  ProblemBuilder(const Graph& graph, const QuantPlan& plan, const ScaleGroup& group,
                 const ChannelTable& table, const Gains& gains)
      : graph_(graph), plan_(plan), group_(group), table_(table), gains_(gains) {}

  ScaleProblem run() {
    const std::size_t channels = index(group_.channels);
    const double limit = std::log(kLargestScale);
    problem_.low.assign(channels, -limit);
    problem_.high.assign(channels, limit);
    for (const std::string& value : group_.values) add_activation(value);
    for (const std::string& output : group_.producers) add_producer(layer_at(output));
    for (const std::string& output : group_.consumers) add_consumer(layer_at(output));
    return std::move(problem_);
  }

 private:
  [[nodiscard]] LinearLayer layer_at(const std::string& output) const {
    return *LinearLayer::find(graph_, *graph_.producer(output));
  }

  void add_activation(const std::string& value) {
    const TensorPolicy* policy = policy_of(plan_, value, Role::kActivation);
    const auto found = table_.find(value);
    if (policy == nullptr || found == table_.end()) return;
    for (const double high : found->second.max) largest_ = std::max(largest_, std::abs(high));
    for (const double low : found->second.min) largest_ = std::max(largest_, std::abs(low));
    if (policy->fixed_range || policy->fixed_encoding || !policy->shares_encoding_of.empty())
      return;
    ScaleProblem::Activation term;
    term.levels = std::ldexp(1.0, dtype_bits(policy->type)) - 1.0;
    for (const double low : found->second.min) term.low.push_back(std::max(-low, 0.0));
    for (const double high : found->second.max) term.high.push_back(std::max(high, 0.0));
    term.gain = vector_for(gains_, value, problem_.channels());
    problem_.activations.push_back(std::move(term));
  }

  void add_producer(const LinearLayer& layer) {
    limit_bias(layer);
    const TensorPolicy* policy = policy_of(plan_, layer.weight_name(), Role::kWeight);
    if (policy == nullptr) return;
    const std::size_t channels = problem_.channels();
    ScaleProblem::Producer term;
    term.per_channel = policy->granularity != Granularity::kTensor;
    term.levels = weight_levels(*policy);
    term.range.assign(channels, 0.0);
    term.energy.assign(channels, 0.0);
    const Values input = input_energy(layer);
    const auto weight = graph_.find_initializer(layer.weight_name())->data<float>();
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const graph::WeightChannels at = layer.channels_of(static_cast<std::int64_t>(i));
      double& range = term.range[index(at.output)];
      range = std::max(range, std::abs(static_cast<double>(weight[i])));
      term.energy[index(at.output)] += input[index(at.input)];
    }
    const Values gain = vector_for(gains_, layer.node().output(), channels);
    for (std::size_t c = 0; c < channels; ++c) term.energy[c] *= gain[c];
    problem_.producers.push_back(std::move(term));
  }

  /// E[x^2] of the layer's input channels; ones where nothing is known.
  [[nodiscard]] Values input_energy(const LinearLayer& layer) const {
    const std::size_t inputs = index(std::max<std::int64_t>(layer.input_layout().channels, 0));
    const auto found = table_.find(layer.node().input(0));
    if (found != table_.end() && found->second.mean_square.size() == inputs) {
      return found->second.mean_square;
    }
    return Values(std::max<std::size_t>(inputs, 1), 1.0);
  }

  /// The bias of a channel that is nearly always switched off would grow without limit.
  void limit_bias(const LinearLayer& layer) {
    if (largest_ == 0.0) return;
    const Values bias = layer.bias(graph_);
    for (std::size_t c = 0; c < bias.size(); ++c) {
      const double smallest = std::abs(bias[c]) / (kLargestBias * largest_);
      if (smallest == 0.0) continue;
      problem_.low[c] = std::max(problem_.low[c], std::min(std::log(smallest), 0.0));
    }
  }

  void add_consumer(const LinearLayer& layer) {
    const TensorPolicy* policy = policy_of(plan_, layer.weight_name(), Role::kWeight);
    if (policy == nullptr) return;
    ScaleProblem::Consumer term;
    term.levels = weight_levels(*policy);
    term.energy = input_energy(layer);
    const std::size_t outputs = index(layer.output_layout().channels);
    const Values gain = vector_for(gains_, layer.node().output(), outputs);
    const auto weight = graph_.find_initializer(layer.weight_name())->data<float>();
    const std::int64_t kernel = static_cast<std::int64_t>(weight.size()) * layer.groups() /
                                (layer.output_layout().channels * group_.channels);
    for (double& energy : term.energy) energy *= static_cast<double>(kernel);
    if (policy->granularity == Granularity::kTensor) {
      term.rows.push_back(whole_tensor(layer, weight, gain, term.energy));
    } else {
      term.rows = rows_by_output(layer, weight, gain);
    }
    problem_.consumers.push_back(std::move(term));
  }

  /// One row; the gains of the outputs that a channel reaches become part of its energy.
  [[nodiscard]] ScaleProblem::Row whole_tensor(const LinearLayer& layer,
                                               std::span<const float> weight, const Values& gain,
                                               Values& energy) const {
    ScaleProblem::Row row;
    row.range.assign(energy.size(), 0.0);
    const std::size_t groups = index(layer.groups());
    Values reach(groups, 0.0);
    for (std::size_t o = 0; o < gain.size(); ++o) reach[o * groups / gain.size()] += gain[o];
    for (std::size_t c = 0; c < energy.size(); ++c) energy[c] *= reach[c * groups / energy.size()];
    for (std::size_t i = 0; i < weight.size(); ++i) {
      double& range = row.range[index(layer.channels_of(static_cast<std::int64_t>(i)).input)];
      range = std::max(range, std::abs(static_cast<double>(weight[i])));
    }
    return row;
  }

  [[nodiscard]] std::vector<ScaleProblem::Row> rows_by_output(const LinearLayer& layer,
                                                              std::span<const float> weight,
                                                              const Values& gain) const {
    const std::size_t groups = index(layer.groups());
    const std::size_t width = index(group_.channels) / groups;
    std::vector<ScaleProblem::Row> rows(gain.size());
    for (std::size_t o = 0; o < rows.size(); ++o) {
      rows[o].first = o * groups / rows.size() * width;
      rows[o].range.assign(width, 0.0);
      rows[o].importance = gain[o];
    }
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const graph::WeightChannels at = layer.channels_of(static_cast<std::int64_t>(i));
      ScaleProblem::Row& row = rows[index(at.output)];
      double& range = row.range[index(at.input) - row.first];
      range = std::max(range, std::abs(static_cast<double>(weight[i])));
    }
    return rows;
  }

  const Graph& graph_;
  const QuantPlan& plan_;
  const ScaleGroup& group_;
  const ChannelTable& table_;
  const Gains& gains_;
  ScaleProblem problem_;
  double largest_ = 0.0;  // of the group's activations
};

/// A channel whose largest calibration value is not below this share of the limit reaches it.
constexpr double kBelowLimit = 0.99;

/// Upper end of each channel before the Clip, and whether it holds for every input.
struct UpperEnd {
  double value = 0.0;
  bool exact = false;
  bool known = false;
};

UpperEnd upper_end(const ClipLimit& clip, const Graph& graph, std::size_t c,
                   const ChannelTable& table, const std::map<std::string, ChannelBounds>& bounds,
                   double margin) {
  const auto exact = bounds.find(graph.producer(clip.value)->input(0));
  const bool known = exact != bounds.end() && c < exact->second.high.size();
  if (known && exact->second.high[c] <= clip.limit) {
    return {exact->second.high[c], true, true};
  }
  const auto seen = table.find(clip.value);
  if (margin <= 0.0 || seen == table.end()) return {};
  const double largest = seen->second.max[c];
  return {std::min(largest * margin, static_cast<double>(clip.limit)), false,
          largest < kBelowLimit * clip.limit};
}

/// After division by s the value must stay below the limit; where it does so before and after, the
/// Clip acts on it as a Relu.
ClipChannels limit_by_clips(const Graph& graph, const ScaleGroup& group, const ChannelTable& table,
                            const std::map<std::string, ChannelBounds>& bounds, double margin,
                            ScaleProblem& problem) {
  ClipChannels counts;
  for (std::size_t c = 0; c < problem.channels() && !group.clips.empty(); ++c) {
    bool exact = true;
    bool known = true;
    for (const ClipLimit& clip : group.clips) {
      const UpperEnd end = upper_end(clip, graph, c, table, bounds, margin);
      exact = exact && end.exact;
      known = known && end.known;
      if (end.value > 0.0) {
        problem.low[c] = std::max(problem.low[c], std::log(end.value / clip.limit));
      }
    }
    if (!known) problem.low[c] = problem.high[c] = 0.0;
    ++(!known ? counts.fixed : exact ? counts.exact : counts.observed);
  }
  return counts;
}

}  // namespace

GroupProblem make_scale_problem(const Graph& graph, const QuantPlan& plan, const ScaleGroup& group,
                                const ChannelTable& table, const Gains& gains,
                                const std::map<std::string, ChannelBounds>& bounds,
                                const ProblemOptions& options) {
  GroupProblem result;
  result.problem = ProblemBuilder(graph, plan, group, table, gains).run();
  result.clipped =
      limit_by_clips(graph, group, table, bounds, options.observed_margin, result.problem);
  return result;
}

}  // namespace hexquant::weights
