#include "evaluate/compare_layers.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "core/format.h"
#include "core/parallel.h"
#include "evaluate/session_choice.h"
#include "hexquant/error.h"
#include "runtime/session.h"

namespace hexquant::evaluate {
namespace {

using graph::Graph;
using graph::Node;
using graph::Use;

bool is_op(const Node* node, std::string_view op_type) {
  return node != nullptr && node->op_type() == op_type;
}

/// Output of the DequantizeLinear behind the QuantizeLinear that reads `value`; "" without a pair.
std::string dequantized_value(const Graph& quantized, const std::string& value) {
  for (const Use& use : quantized.uses(value)) {
    if (use.index != 0 || !is_op(use.node, "QuantizeLinear")) continue;
    for (const Use& next : quantized.uses(use.node->output())) {
      if (next.index == 0 && is_op(next.node, "DequantizeLinear")) return next.node->output();
    }
  }
  return {};
}

/// Values of the reference in the order of its inputs and nodes, paired ones only.
std::vector<LayerDifference> ordered_layers(const Graph& reference,
                                            const std::map<std::string, std::string>& pairs) {
  std::vector<LayerDifference> layers;
  const auto add = [&](const std::string& value, const Node* node) {
    const auto found = pairs.find(value);
    if (found == pairs.end()) return;
    layers.push_back({value,
                      found->second,
                      node == nullptr ? "" : node->name(),
                      node == nullptr ? "Input" : node->op_type(),
                      {}});
  };
  for (const std::string& input : reference.inputs()) add(input, nullptr);
  for (const Node& node : reference.nodes()) {
    for (const std::string& output : node.outputs()) add(output, &node);
  }
  if (layers.size() == pairs.size() && !layers.empty()) return layers;
  if (pairs.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "no tensor of the reference carries a Q/DQ pair in the quantized model: compare "
                "with the float model it was made from");
  }
  std::set<std::string> known;
  for (const LayerDifference& layer : layers) known.insert(layer.tensor);
  for (const auto& [value, partner] : pairs) {
    if (known.contains(value)) continue;
    throw Error(ErrorCode::kInvalidArgument,
                format("the reference computes no value '{}' to compare", value));
  }
  return layers;
}

std::int64_t value_bytes(const Graph& graph, const std::string& value) {
  const graph::ValueType* type = graph.find_type(value);
  std::int64_t elements = 1;
  if (type != nullptr && type->shape) {
    for (const graph::Dim& dim : *type->shape) elements *= std::max<std::int64_t>(1, dim.value);
  }
  return elements * static_cast<std::int64_t>(sizeof(float));
}

/// Ends of the groups of layers that are read together, each within the budget.
std::vector<std::size_t> group_ends(const Graph& reference,
                                    const std::vector<LayerDifference>& layers,
                                    std::int64_t budget_bytes) {
  std::vector<std::size_t> ends;
  std::int64_t used_bytes = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::int64_t bytes = 2 * value_bytes(reference, layers[i].tensor);
    if (i > 0 && used_bytes + bytes > budget_bytes) {
      ends.push_back(i);
      used_bytes = 0;
    }
    used_bytes += bytes;
  }
  ends.push_back(layers.size());
  return ends;
}

using Layers = std::span<LayerDifference>;

/// Sums of one sample, in the order of `layers`.
std::vector<Difference> compare_sample(const Layers& layers,
                                       const runtime::InferenceSession& reference,
                                       const runtime::InferenceSession& quantized,
                                       const data::Sample& sample) {
  const std::vector<Tensor> expected = reference.run(sample);
  const std::vector<Tensor> found = quantized.run(sample);
  std::vector<Difference> sums(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    try {
      sums[i].add(expected[i], found[i]);
    } catch (const Error& error) {
      throw Error(error.code(), format("tensor '{}': {}", layers[i].tensor, error.what()));
    }
  }
  return sums;
}

}  // namespace

std::map<std::string, std::string> match_values(const Graph& reference, const Graph& quantized) {
  std::map<std::string, std::string> pairs;
  const auto match = [&](const std::string& value) {
    if (value.empty() || !quantized.has_value(value)) return;
    const std::string dequantized = dequantized_value(quantized, value);
    if (!dequantized.empty()) {
      pairs.emplace(value, dequantized);
    } else if (reference.is_output(value) || is_op(quantized.producer(value), "DequantizeLinear")) {
      pairs.emplace(value, value);
    }
  };
  for (const std::string& input : reference.inputs()) match(input);
  for (const Node& node : reference.nodes()) {
    for (const std::string& output : node.outputs()) match(output);
  }
  return pairs;
}

std::map<std::string, std::string> activation_values(const Graph& quantized) {
  std::map<std::string, std::string> pairs;
  for (const Node& node : quantized.nodes()) {
    const bool is_activation =
        is_op(&node, "DequantizeLinear") && quantized.find_initializer(node.input(0)) == nullptr;
    if (is_activation) pairs.emplace(node.output(), node.output());
  }
  return pairs;
}

std::vector<LayerDifference> compare_layers(const Graph& reference, const Graph& quantized,
                                            const std::map<std::string, std::string>& pairs,
                                            const data::Dataset& dataset,
                                            const LayerOptions& options, ProgressSink& progress) {
  std::vector<LayerDifference> layers = ordered_layers(reference, pairs);
  const std::int64_t samples =
      options.samples == 0 ? dataset.size() : std::min(options.samples, dataset.size());
  const std::vector<std::size_t> ends = group_ends(reference, layers, options.budget_bytes);
  ProgressStage stage(progress, "layers", samples * static_cast<std::int64_t>(ends.size()));
  std::size_t first = 0;
  for (const std::size_t end : ends) {
    const Layers group = Layers(layers).subspan(first, end - first);
    std::vector<std::string> expected_names;
    std::vector<std::string> found_names;
    for (const LayerDifference& layer : group) {
      expected_names.push_back(layer.tensor);
      found_names.push_back(layer.quantized);
    }
    std::unique_ptr<runtime::InferenceSession> expected;
    std::unique_ptr<runtime::InferenceSession> found;
    const auto open = [](const Graph& graph, const std::vector<std::string>& names) {
      return std::make_unique<runtime::Session>(graph, session_options(graph), names);
    };
    parallel_for(2, std::min(2, options.threads), [&](std::int64_t i) {
      if (i == 0) {
        expected = open(reference, expected_names);
      } else if (options.open_quantized) {
        found = options.open_quantized(found_names);
      } else {
        found = open(quantized, found_names);
      }
    });
    std::vector<std::vector<Difference>> sums(static_cast<std::size_t>(samples));
    parallel_for(samples, options.threads, [&](std::int64_t i) {
      sums[static_cast<std::size_t>(i)] = compare_sample(group, *expected, *found, dataset.load(i));
      stage.step();
    });
    for (const std::vector<Difference>& one : sums) {
      for (std::size_t i = 0; i < group.size(); ++i) group[i].difference.merge(one[i]);
    }
    first = end;
  }
  return layers;
}

}  // namespace hexquant::evaluate
