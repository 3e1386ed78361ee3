#include "pipeline/quantization_error.h"

#include <algorithm>
#include <limits>
#include <set>
#include <unordered_set>
#include <utility>

#include "calibrate/calibrator.h"
#include "calibrate/encode_activations.h"
#include "graph/subgraph.h"
#include "quant/insert_qdq.h"
#include "weights/quantize_weights.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using graph::Node;
using quant::QuantPlan;
using quant::Role;

/// Samples in memory.
class KeptSamples final : public data::Dataset {
 public:
  explicit KeptSamples(const std::vector<runtime::Feeds>& feeds) : feeds_(feeds) {}
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(feeds_.size());
  }
  [[nodiscard]] data::Sample load(std::int64_t index) const override {
    return feeds_[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] std::string describe(std::int64_t index) const override {
    return "sample " + std::to_string(index);
  }

 private:
  const std::vector<runtime::Feeds>& feeds_;
};

/// The graph as it runs after quantization by `plan`; weights stay float, on their grids.
Graph quantized_graph(Graph graph, const QuantPlan& plan, const QuantizeOptions& options,
                      const std::vector<runtime::Feeds>& feeds) {
  const KeptSamples samples(feeds);
  Findings ignored;
  const auto taps = calibrate::taps_for_plan(graph, plan);
  quant::Statistics statistics;
  if (!taps.empty()) {
    statistics = calibrate::calibrate(graph, samples, taps, {}, {}, silent_progress());
  }
  quant::EncodingTable encodings =
      calibrate::encode_activations(graph, plan, statistics, options.observer, ignored);
  const quant::EncodingTable activations = encodings;
  weights::WeightOptions weight_options = options.weights;
  weight_options.threads = 1;
  (void)weights::quantize_weights(graph, plan, encodings, weight_options, silent_progress());
  weights::quantize_biases(graph, plan, encodings);
  return quant::insert_qdq(graph, activations);
}

double relative_error(const Graph& graph, const std::vector<std::string>& outputs,
                      const std::vector<runtime::Feeds>& feeds,
                      const std::vector<std::vector<Tensor>>& expected) {
  const runtime::Session session(graph, {.integer_kernels = false}, outputs);
  std::vector<double> signal(outputs.size(), 0.0);
  std::vector<double> noise(outputs.size(), 0.0);
  for (std::size_t s = 0; s < feeds.size(); ++s) {
    const std::vector<Tensor> results = session.run(feeds[s]);
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      if (results[o].dtype() != DType::kFloat32) continue;
      const auto got = results[o].data<float>();
      const auto wanted = expected[s][o].data<float>();
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double y = wanted[i];
        const double d = y - got[i];
        signal[o] += y * y;
        noise[o] += d * d;
      }
    }
  }
  double total = 0.0;
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    if (signal[o] > 0.0) total += noise[o] / signal[o];
  }
  return total / static_cast<double>(std::max<std::size_t>(outputs.size(), 1));
}

/// What depends on the group: the nodes behind its producers, and the values that they read from
/// elsewhere.
struct Segment {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
};

Segment cut_behind(const Graph& graph, const weights::ScaleGroup& group) {
  const std::set<std::string> producers(group.producers.begin(), group.producers.end());
  std::unordered_set<std::string> computed;
  std::set<std::string> inputs;
  for (const Node& node : graph.nodes()) {
    bool inside = producers.contains(node.output());
    for (const std::string& input : node.inputs()) inside = inside || computed.contains(input);
    if (!inside) continue;
    computed.insert(node.outputs().begin(), node.outputs().end());
    for (const std::string& input : node.inputs()) inputs.insert(input);
  }
  Segment segment;
  for (const std::string& input : inputs) {
    if (input.empty() || computed.contains(input)) continue;
    if (graph.find_initializer(input) == nullptr) segment.inputs.push_back(input);
  }
  for (const std::string& output : graph.outputs()) {
    if (computed.contains(output)) segment.outputs.push_back(output);
  }
  return segment;
}

/// The part of a plan that concerns a group: its activations and the weights of its layers.
QuantPlan plan_of_group(const Graph& graph, const QuantPlan& plan,
                        const weights::ScaleGroup& group) {
  QuantPlan part;
  const auto take = [&](const std::string& name, Role role) {
    const auto found = plan.tensors.find(name);
    if (found == plan.tensors.end() || found->second.role != role) return;
    const std::string& source = found->second.shares_encoding_of;
    const bool known = source.empty() || std::find(group.values.begin(), group.values.end(),
                                                   source) != group.values.end();
    if (known) part.tensors.insert(*found);
  };
  for (const std::string& value : group.values) take(value, Role::kActivation);
  for (const auto* layers : {&group.producers, &group.consumers}) {
    for (const std::string& output : *layers) {
      take(graph.producer(output)->input(1), Role::kWeight);
    }
  }
  return part;
}

/// Everything that measuring the candidates of one group needs.
struct GroupMeasurement {
  QuantizeOptions options;
  QuantPlan plan;
  Segment segment;
  std::vector<runtime::Feeds> feeds;
  std::vector<std::vector<Tensor>> expected;

  [[nodiscard]] double error(const Graph& candidate) const {
    const Graph part = graph::extract_subgraph(candidate, segment.inputs, segment.outputs);
    return relative_error(quantized_graph(part, plan, options, feeds), segment.outputs, feeds,
                          expected);
  }
};

}  // namespace

QuantizationMeter::QuantizationMeter(const Graph& graph, const QuantizeOptions& options,
                                     const data::Dataset& dataset, std::int64_t samples)
    : options_(options), outputs_(graph.outputs()) {
  const runtime::Session session(graph, {}, outputs_);
  for (std::int64_t i = 0; i < std::min(samples, dataset.size()); ++i) {
    feeds_.push_back(dataset.load(i));
    expected_.push_back(session.run(feeds_.back()));
  }
}

double QuantizationMeter::model_error(const Graph& graph, const QuantPlan& plan) const {
  return relative_error(quantized_graph(graph, plan, options_, feeds_), outputs_, feeds_,
                        expected_);
}

weights::CandidateError QuantizationMeter::group_error(const Graph& graph, const QuantPlan& plan,
                                                       const weights::ScaleGroup& group) const {
  auto measurement = std::make_shared<GroupMeasurement>();
  measurement->options = options_;
  measurement->plan = plan_of_group(graph, plan, group);
  measurement->segment = cut_behind(graph, group);
  const Segment& segment = measurement->segment;
  const runtime::Session prefix(graph, {}, segment.inputs);
  for (std::size_t s = 0; s < feeds_.size(); ++s) {
    std::vector<Tensor> values = prefix.run(feeds_[s]);
    runtime::Feeds feeds;
    for (std::size_t i = 0; i < values.size(); ++i) {
      feeds.emplace(segment.inputs[i], std::move(values[i]));
    }
    measurement->feeds.push_back(std::move(feeds));
    std::vector<Tensor> expected;
    for (const std::string& output : segment.outputs) {
      const auto at = std::find(outputs_.begin(), outputs_.end(), output) - outputs_.begin();
      expected.push_back(expected_[s][static_cast<std::size_t>(at)]);
    }
    measurement->expected.push_back(std::move(expected));
  }
  return [measurement](const Graph& candidate) { return measurement->error(candidate); };
}

}  // namespace hexquant::pipeline
