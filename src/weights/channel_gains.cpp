#include "weights/channel_gains.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

#include "graph/linear_layer.h"

namespace hexquant::weights {
namespace {

using graph::Graph;
using graph::LinearLayer;
using graph::Node;
using Gains = std::vector<double>;

/// Operations whose output channel c depends on input channel c alone.
bool keeps_channels(const Node& node) {
  static constexpr std::array<std::string_view, 23> kOps = {"Relu",
                                                            "Clip",
                                                            "LeakyRelu",
                                                            "PRelu",
                                                            "Sigmoid",
                                                            "Tanh",
                                                            "HardSigmoid",
                                                            "HardSwish",
                                                            "Elu",
                                                            "Add",
                                                            "Sub",
                                                            "Mul",
                                                            "Identity",
                                                            "Dropout",
                                                            "Pad",
                                                            "Resize",
                                                            "Flatten",
                                                            "Squeeze",
                                                            "MaxPool",
                                                            "AveragePool",
                                                            "BatchNormalization",
                                                            "GlobalMaxPool",
                                                            "GlobalAveragePool"};
  return std::any_of(kOps.begin(), kOps.end(), [&](std::string_view op) { return node.is(op); });
}

double mean_of(const Gains& gains) {
  return std::accumulate(gains.begin(), gains.end(), 0.0) / static_cast<double>(gains.size());
}

double at(const Gains& gains, std::size_t channel) {
  return gains.size() == 1 ? gains[0] : gains[channel];
}

/// P(0 < x + n < high) for normal x and noise n as large as x itself: noise that matters switches
/// channels on that rest just below 0, but none that are off by far.
double active_share(double mean, double variance, double high) {
  const double spread = 2.0 * std::sqrt(variance);  // sqrt(2) for the noise, sqrt(2) for erf
  if (spread == 0.0) return mean > 0.0 && mean < high ? 1.0 : 0.0;
  return 0.5 * (std::erf((high - mean) / spread) + std::erf(mean / spread));
}

class GainPass {
 public:
  GainPass(const Graph& graph, const ChannelTable& table) : graph_(graph), table_(table) {}

  std::map<std::string, Gains> run() {
    for (const std::string& output : graph_.outputs()) add(output, {1.0});
    for (auto node = graph_.nodes().rbegin(); node != graph_.nodes().rend(); ++node) visit(*node);
    return std::move(gains_);
  }

 private:
  void visit(const Node& node) {
    const auto found = gains_.find(node.output());
    if (found == gains_.end()) return;
    const Gains gains = found->second;
    if (const auto layer = LinearLayer::find(graph_, node)) {
      return add(node.input(0), through_layer(*layer, gains));
    }
    const bool keeps = keeps_channels(node);
    Gains passed = keeps ? gains : Gains{mean_of(gains)};
    if (node.is("Relu") || node.is("Clip")) apply_activity(node, passed);
    for (const std::string& input : node.inputs()) add(input, passed);
  }

  [[nodiscard]] Gains through_layer(const LinearLayer& layer, const Gains& gains) const {
    const auto outputs = static_cast<std::size_t>(layer.output_layout().channels);
    const Gains& usable = gains.size() == outputs ? gains : Gains{mean_of(gains)};
    const auto weight = graph_.find_initializer(layer.weight_name())->data<float>();
    Gains passed(static_cast<std::size_t>(std::max<std::int64_t>(layer.input_layout().channels, 1)),
                 0.0);
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const graph::WeightChannels where = layer.channels_of(static_cast<std::int64_t>(i));
      const double w = weight[i];
      const auto input = static_cast<std::size_t>(where.input);
      passed[passed.size() == 1 ? 0 : input] +=
          w * w * at(usable, static_cast<std::size_t>(where.output));
    }
    return passed;
  }

  void apply_activity(const Node& node, Gains& gains) const {
    const auto found = table_.find(node.input(0));
    if (found == table_.end()) return;
    const ChannelStatistics& channels = found->second;
    if (gains.size() == 1) gains.assign(channels.mean.size(), gains[0]);
    if (gains.size() != channels.mean.size()) return;
    const Tensor* limit = node.is("Clip") ? graph_.find_initializer(node.input(2)) : nullptr;
    const bool limited = limit != nullptr && limit->size() == 1;
    const double high = limited ? to_doubles(*limit)[0] : std::numeric_limits<double>::infinity();
    for (std::size_t c = 0; c < gains.size(); ++c) {
      const double mean = channels.mean[c];
      const double variance = std::max(channels.mean_square[c] - mean * mean, 0.0);
      gains[c] *= active_share(mean, variance, high);
    }
  }

  void add(const std::string& value, const Gains& gains) {
    if (value.empty() || graph_.find_initializer(value) != nullptr) return;
    const auto [found, added] = gains_.emplace(value, gains);
    if (added) return;
    Gains& sum = found->second;
    if (sum.size() == 1 && gains.size() > 1) sum.assign(gains.size(), sum[0]);
    const bool fits = gains.size() == 1 || gains.size() == sum.size();
    const double common = fits ? 0.0 : mean_of(gains);
    for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += fits ? at(gains, c) : common;
  }

  const Graph& graph_;
  const ChannelTable& table_;
  std::map<std::string, Gains> gains_;
};

}  // namespace

ChannelTable channel_table(const quant::Statistics& statistics) {
  ChannelTable table;
  for (const auto& [name, value] : statistics.values) {
    if (!value.channels || value.channels->count == 0) continue;
    const quant::ChannelMoments& moments = *value.channels;
    ChannelStatistics& channels = table[name];
    const auto count = static_cast<double>(moments.count);
    for (std::size_t c = 0; c < moments.sum.size(); ++c) {
      channels.min.push_back(moments.min[c]);
      channels.max.push_back(moments.max[c]);
      channels.mean.push_back(moments.sum[c] / count);
      channels.mean_square.push_back(moments.sum_of_squares[c] / count);
    }
  }
  return table;
}

ChannelGains channel_gains(const Graph& graph, const ChannelTable& table) {
  return GainPass(graph, table).run();
}

}  // namespace hexquant::weights
