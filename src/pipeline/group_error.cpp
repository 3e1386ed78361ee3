#include "pipeline/group_error.h"

#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <unordered_set>
#include <utility>

#include "graph/linear_layer.h"
#include "graph/subgraph.h"
#include "pipeline/quantization_error.h"
#include "runtime/session.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;
using graph::Node;
using quant::QuantPlan;
using quant::Role;
using weights::ChannelGains;
using weights::ScaleGroup;

/// A group whose first error is above this is measured at the outputs of the model: what large
/// errors do there does not follow from small ones' gains.
constexpr double kFarError = 0.004;

/// Nodes in front of the first producer of a group.
std::size_t cut_before(const Graph& graph, const ScaleGroup& group) {
  const std::set<std::string> producers(group.producers.begin(), group.producers.end());
  std::size_t position = 0;
  for (const Node& node : graph.nodes()) {
    if (producers.contains(node.output())) break;
    ++position;
  }
  return position;
}

/// Values that exist before node number `cut` and are read at it or behind.
std::vector<std::string> values_at(const Graph& graph, std::size_t cut) {
  std::vector<std::string> known;
  for (const std::string& input : graph.inputs()) {
    if (graph.find_initializer(input) == nullptr) known.push_back(input);
  }
  std::unordered_set<const Node*> before;
  for (const Node& node : graph.nodes()) {
    if (before.size() == cut) break;
    before.insert(&node);
    known.insert(known.end(), node.outputs().begin(), node.outputs().end());
  }
  std::erase_if(known, [&](const std::string& value) {
    const auto& uses = graph.uses(value);
    return value.empty() || std::none_of(uses.begin(), uses.end(), [&](const graph::Use& use) {
             return !before.contains(use.node);
           });
  });
  return known;
}

/// What the nodes between the producers of a group and `outputs` read from elsewhere.
std::vector<std::string> inputs_of(const Graph& graph, const ScaleGroup& group,
                                   const std::vector<std::string>& outputs) {
  const std::set<std::string> producers(group.producers.begin(), group.producers.end());
  std::unordered_set<std::string> behind;
  for (const Node& node : graph.nodes()) {
    bool inside = producers.contains(node.output());
    for (const std::string& input : node.inputs()) inside = inside || behind.contains(input);
    if (inside) behind.insert(node.outputs().begin(), node.outputs().end());
  }
  std::unordered_set<std::string> wanted(outputs.begin(), outputs.end());
  std::set<std::string> inputs;
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    bool needed = false;
    for (const std::string& output : node->outputs()) {
      needed = needed || (behind.contains(output) && wanted.contains(output));
    }
    if (!needed) continue;
    for (const std::string& input : node->inputs()) {
      if (behind.contains(input)) {
        wanted.insert(input);
      } else if (!input.empty() && graph.find_initializer(input) == nullptr) {
        inputs.insert(input);
      }
    }
  }
  return {inputs.begin(), inputs.end()};
}

/// Outputs of the model that depend on a group and can be compared; its consumers if there are
/// none.
std::vector<std::string> outputs_of(const Graph& graph, const ScaleGroup& group) {
  std::unordered_set<std::string> behind(group.producers.begin(), group.producers.end());
  for (const Node& node : graph.nodes()) {
    for (const std::string& input : node.inputs()) {
      if (!behind.contains(input)) continue;
      behind.insert(node.outputs().begin(), node.outputs().end());
      break;
    }
  }
  std::vector<std::string> outputs;
  for (const std::string& output : graph.outputs()) {
    const graph::ValueType* type = graph.find_type(output);
    const bool is_float = type != nullptr && type->dtype == DType::kFloat32;
    if (behind.contains(output) && is_float) outputs.push_back(output);
  }
  return outputs.empty() ? group.consumers : outputs;
}

/// The part of a plan that concerns a group: its activations, the weights of its layers and their
/// biases.
QuantPlan plan_of_group(const Graph& graph, const QuantPlan& plan, const ScaleGroup& group) {
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
  for (const auto& [name, source] : plan.biases) {
    if (part.tensors.contains(source.weight)) part.biases.emplace(name, source);
  }
  return part;
}

/// Where the channels of a consumer's output lie, and how much noise in each matters.
struct OutputChannels {
  std::vector<double> gain;
  std::size_t inner = 1;  ///< elements of a channel that lie side by side
};

OutputChannels channels_of(const Graph& graph, const ChannelGains& gains, const std::string& value,
                           const Shape& shape) {
  OutputChannels channels;
  channels.gain = {1.0};
  const auto layer = graph::LinearLayer::find(graph, *graph.producer(value));
  if (!layer || gains.empty()) return channels;
  const graph::ChannelLayout& layout = layer->output_layout();
  channels.gain.assign(static_cast<std::size_t>(layout.channels), 1.0);
  const auto found = gains.find(value);
  if (found != gains.end() && !found->second.empty()) {
    const bool fits = found->second.size() == channels.gain.size();
    for (std::size_t c = 0; c < channels.gain.size(); ++c) {
      channels.gain[c] = found->second[fits ? c : 0];
    }
  }
  for (std::size_t d = shape.size() - static_cast<std::size_t>(layout.dims_after); d < shape.size();
       ++d) {
    channels.inner *= static_cast<std::size_t>(shape[d]);
  }
  return channels;
}

/// Everything that measuring the candidates of one group needs.
struct GroupMeasurement {
  QuantizeOptions options;
  QuantPlan plan;
  std::map<std::string, graph::ValueType> inputs;
  std::vector<std::string> outputs;
  std::vector<OutputChannels> channels;  // of each output
  std::vector<runtime::Feeds> feeds;
  std::vector<std::vector<Tensor>> expected;

  [[nodiscard]] double error(const Graph& candidate) const {
    const Graph part = graph::extract_typed_subgraph(candidate, inputs, outputs);
    const runtime::Session session(
        quantized_graph(part, plan, options, feeds, {.solve = false, .quantize_biases = false}),
        {.integer_kernels = false}, outputs);
    double signal = 0.0;
    double noise = 0.0;
    for (std::size_t s = 0; s < feeds.size(); ++s) {
      const std::vector<Tensor> results = session.run(feeds[s]);
      for (std::size_t o = 0; o < outputs.size(); ++o) {
        add(results[o].data<float>(), expected[s][o].data<float>(), channels[o], signal, noise);
      }
    }
    return signal > 0.0 ? noise / signal : 0.0;
  }

 private:
  static void add(std::span<const float> got, std::span<const float> wanted,
                  const OutputChannels& channels, double& signal, double& noise) {
    const std::size_t inner = channels.inner;
    const std::size_t runs = wanted.size() / inner;
    const double unit =
        static_cast<double>(channels.gain.size()) / static_cast<double>(wanted.size());
    for (std::size_t r = 0; r < runs; ++r) {
      float y2 = 0.0F;
      float d2 = 0.0F;
      for (std::size_t i = r * inner; i < (r + 1) * inner; ++i) {
        const float d = wanted[i] - got[i];
        y2 += wanted[i] * wanted[i];
        d2 += d * d;
      }
      const double gain = unit * channels.gain[r % channels.gain.size()];
      signal += gain * static_cast<double>(y2);
      noise += gain * static_cast<double>(d2);
    }
  }
};

}  // namespace

GroupErrorMeter::GroupErrorMeter(const QuantizeOptions& options, const QuantPlan& plan,
                                 const data::Dataset& dataset, std::int64_t samples, int threads)
    : options_(options), plan_(plan), dataset_(dataset), samples_(samples), threads_(threads) {}

void GroupErrorMeter::move_to(const Graph& graph, std::size_t cut) {
  if (!stream_ || cut < cut_) {
    stream_.emplace(dataset_, samples_, threads_);
    cut_ = 0;
  }
  if (cut > cut_) stream_->advance(graph, values_at(graph, cut));
  cut_ = cut;
}

weights::CandidateError GroupErrorMeter::measure(const Graph& graph, const ScaleGroup& group,
                                                 const ChannelGains& gains) {
  move_to(graph, cut_before(graph, group));
  const auto seen = far_.find(group.producers.front());
  if (seen != far_.end() && seen->second)
    return measure_at(graph, group, outputs_of(graph, group), {});
  weights::CandidateError near = measure_at(graph, group, group.consumers, gains);
  if (seen != far_.end()) return near;
  const bool far = near(graph) > kFarError;
  far_.emplace(group.producers.front(), far);
  return far ? measure_at(graph, group, outputs_of(graph, group), {}) : near;
}

weights::CandidateError GroupErrorMeter::measure_at(const Graph& graph, const ScaleGroup& group,
                                                    const std::vector<std::string>& outputs,
                                                    const ChannelGains& gains) const {
  auto measurement = std::make_shared<GroupMeasurement>();
  measurement->options = options_;
  measurement->plan = plan_of_group(graph, plan_, group);
  measurement->outputs = outputs;
  const std::vector<std::string> inputs = inputs_of(graph, group, outputs);
  const auto count = static_cast<std::size_t>(stream_->samples());
  measurement->feeds.resize(count);
  measurement->expected.resize(count);
  std::vector<std::string> values = inputs;
  values.insert(values.end(), outputs.begin(), outputs.end());
  calibrate::ValueStream::Reader(*stream_, graph, values)
      .read(0, stream_->samples(), [&](std::int64_t sample, const std::vector<Tensor>& results) {
        const auto s = static_cast<std::size_t>(sample);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          measurement->feeds[s].emplace(inputs[i], results[i]);
        }
        measurement->expected[s].assign(
            results.begin() + static_cast<std::ptrdiff_t>(inputs.size()), results.end());
      });
  for (const auto& [name, tensor] : measurement->feeds.front()) {
    measurement->inputs.emplace(name, graph::type_of(tensor));
  }
  for (std::size_t o = 0; o < outputs.size(); ++o) {
    measurement->channels.push_back(
        channels_of(graph, gains, outputs[o], measurement->expected.front()[o].shape()));
  }
  return [measurement](const Graph& candidate) { return measurement->error(candidate); };
}

}  // namespace hexquant::pipeline
