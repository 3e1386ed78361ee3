#include "weights/absorb_bias.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "graph/linear_layer.h"
#include "weights/channel_bounds.h"

namespace hexquant::weights {
namespace {

using graph::Graph;
using graph::LinearLayer;
using Values = std::vector<double>;

LinearLayer layer_at(const Graph& graph, const std::string& output) {
  return *LinearLayer::find(graph, *graph.producer(output));
}

/// One producer, one Relu or Clip, then consumers only.
bool is_plain_chain(const ScaleGroup& group) {
  return group.producers.size() == 1 && group.rectifiers.size() == 1 && group.values.size() == 2 &&
         group.shifts.empty();
}

/// Factors that clear the marked channels.
Values keep_factors(const std::vector<bool>& cleared) {
  Values factors;
  for (const bool clear : cleared) factors.push_back(clear ? 0.0 : 1.0);
  return factors;
}

class Absorption {
 public:
  Absorption(Graph& graph, const ScaleGroup& group, const ChannelBounds& bounds)
      : graph_(graph), group_(group), bounds_(bounds) {}

  AbsorbedGroup run() {
    AbsorbedGroup row;
    const LinearLayer producer = layer_at(graph_, group_.producers[0]);
    row.producer = producer.node().name();
    row.dead = clear_dead(producer);
    row.shifted = shift_biases(producer);
    return row;
  }

 private:
  /// Number of channels that are zero for every input and had weights.
  std::int64_t clear_dead(const LinearLayer& producer) {
    std::vector<bool> dead;
    for (const double high : bounds_.high) dead.push_back(high <= 0.0);
    const auto count = std::count(dead.begin(), dead.end(), true);
    if (count == 0) return 0;
    const Values factors = keep_factors(dead);
    producer.scale_weight(graph_, factors, {});
    if (!producer.bias_name().empty()) {
      Values bias = producer.bias(graph_);
      for (std::size_t c = 0; c < bias.size(); ++c) bias[c] *= factors[c];
      producer.set_bias(graph_, bias);
    }
    for (const std::string& output : group_.consumers) {
      layer_at(graph_, output).scale_weight(graph_, {}, factors);
    }
    return count;
  }

  std::int64_t shift_biases(const LinearLayer& producer) {
    if (producer.bias_name().empty()) return 0;
    const double limit = group_.clips.empty() ? std::numeric_limits<double>::infinity()
                                              : static_cast<double>(group_.clips[0].limit);
    Values shift(bounds_.low.size(), 0.0);
    std::int64_t count = 0;
    for (std::size_t c = 0; c < shift.size(); ++c) {
      if (!(bounds_.low[c] > 0.0) || !(bounds_.high[c] <= limit)) continue;
      shift[c] = bounds_.low[c];
      ++count;
    }
    for (const std::string& output : group_.consumers) {
      const LinearLayer consumer = layer_at(graph_, output);
      if (consumer.is_padded() || consumer.bias_name().empty()) return 0;
    }
    if (count == 0) return 0;
    Values bias = producer.bias(graph_);
    for (std::size_t c = 0; c < bias.size(); ++c) bias[c] -= shift[c];
    producer.set_bias(graph_, bias);
    for (const std::string& output : group_.consumers) {
      const LinearLayer consumer = layer_at(graph_, output);
      Values moved = consumer.bias(graph_);
      const Values response = consumer.response_to_shift(graph_, shift);
      for (std::size_t o = 0; o < moved.size(); ++o) moved[o] += response[o];
      consumer.set_bias(graph_, moved);
    }
    return count;
  }

  Graph& graph_;
  const ScaleGroup& group_;
  const ChannelBounds& bounds_;
};

}  // namespace

std::vector<AbsorbedGroup> absorb_biases(Graph& graph, const std::vector<ScaleGroup>& groups) {
  std::vector<AbsorbedGroup> rows;
  const std::map<std::string, ChannelBounds> bounds = channel_bounds(graph);
  for (const ScaleGroup& group : groups) {
    if (!is_plain_chain(group)) continue;
    const auto found = bounds.find(group.producers[0]);
    if (found == bounds.end()) continue;
    AbsorbedGroup row = Absorption(graph, group, found->second).run();
    if (row.dead > 0 || row.shifted > 0) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace hexquant::weights
