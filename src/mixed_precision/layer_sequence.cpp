#include "mixed_precision/layer_sequence.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "mixed_precision/sensitivity_table.h"

namespace hexquant::mixed_precision {
namespace {

using graph::Graph;
using graph::Node;
using NodeSet = std::unordered_set<const Node*>;

/// Inputs of a node, those that its subgraphs capture included.
std::vector<std::string> reads_of(const Node& node) {
  std::vector<std::string> reads = node.inputs();
  for (const auto& [name, attribute] : node.attributes()) {
    const auto* opaque = std::get_if<graph::OpaqueAttribute>(&attribute);
    if (opaque == nullptr) continue;
    reads.insert(reads.end(), opaque->captured.begin(), opaque->captured.end());
  }
  return reads;
}

class Sequencer {
 public:
  Sequencer(const Graph& graph, const quant::QuantPlan& plan) : graph_(graph), plan_(plan) {
    for (const Node& node : graph.nodes()) by_name_[node.name()] = &node;
  }

  LayerSequence run() {
    std::vector<LayerStretch> layers;
    std::unordered_map<std::string, const quant::LayerDecision*> by_output;
    for (const quant::LayerDecision& layer : plan_.layers) {
      if (layer.act_bits != kFloatBits) by_output.emplace(layer.output, &layer);
    }
    for (const Node& node : graph_.nodes()) {
      for (const std::string& output : node.outputs()) {
        const auto found = by_output.find(output);
        if (found != by_output.end()) layers.push_back(place(*found->second, node));
      }
    }
    // What no layer needs: movers behind the last ones, other outputs.
    for (const Node& node : graph_.nodes()) emit(node, nullptr);
    LayerSequence sequence{graph::NodeOrder(graph_, order_), std::move(layers), {}};
    find_blocks(sequence);
    return sequence;
  }

 private:
  LayerStretch place(const quant::LayerDecision& layer, const Node& tail) {
    const Node& head = *by_name_.at(layer.node);
    const NodeSet members = between(head, tail);
    LayerStretch stretch{layer.node, layer.op, layer.weight, layer.output, 0, 0, -1};
    for (const Node* member : members) {
      for (const std::string& value : reads_of(*member)) emit_producer(value, &members);
    }
    stretch.first = order_.size();
    emit(tail, nullptr);
    stretch.last = order_.size();
    return stretch;
  }

  /// Nodes on the way from head to tail, both included.
  [[nodiscard]] NodeSet between(const Node& head, const Node& tail) const {
    NodeSet behind = {&head};
    std::vector<const Node*> open = {&head};
    while (!open.empty()) {
      const Node* node = open.back();
      open.pop_back();
      if (node == &tail) continue;
      for (const std::string& output : node->outputs()) {
        for (const graph::Use& use : graph_.uses(output)) {
          if (behind.insert(use.node).second) open.push_back(use.node);
        }
      }
    }
    NodeSet members = {&head};
    std::vector<const Node*> back = {&tail};
    while (!back.empty()) {
      const Node* node = back.back();
      back.pop_back();
      if (!behind.contains(node) || (!members.insert(node).second && node != &tail)) continue;
      if (node == &head) continue;
      for (const std::string& value : reads_of(*node)) {
        if (const Node* producer = graph_.producer(value)) back.push_back(producer);
      }
    }
    return members;
  }

  void emit_producer(const std::string& value, const NodeSet* left_out) {
    const Node* producer = graph_.producer(value);
    if (producer != nullptr) emit(*producer, left_out);
  }

  /// Appends a node behind everything it needs, except nodes of `left_out`.
  void emit(const Node& node, const NodeSet* left_out) {
    std::vector<std::pair<const Node*, bool>> open = {{&node, false}};
    while (!open.empty()) {
      const auto [next, is_ready] = open.back();
      open.pop_back();
      if (emitted_.contains(next) || (left_out != nullptr && left_out->contains(next))) continue;
      if (is_ready) {
        emitted_.insert(next);
        order_.push_back(next);
        continue;
      }
      open.emplace_back(next, true);
      const std::vector<std::string> reads = reads_of(*next);
      for (auto value = reads.rbegin(); value != reads.rend(); ++value) {
        if (const Node* producer = graph_.producer(*value)) open.emplace_back(producer, false);
      }
    }
  }

  /// Values that a layer with weights has a part in.
  [[nodiscard]] std::unordered_set<std::string> flow(const LayerSequence& sequence) const {
    std::unordered_set<std::string> with_weights;
    for (const LayerStretch& layer : sequence.layers) {
      if (!layer.weight.empty()) with_weights.insert(layer.node);
    }
    std::unordered_set<std::string> values;
    for (const Node* node : sequence.order.nodes()) {
      const std::vector<std::string> reads = reads_of(*node);
      const bool flows = with_weights.contains(node->name()) ||
                         std::any_of(reads.begin(), reads.end(), [&](const std::string& value) {
                           return values.contains(value);
                         });
      if (flows) values.insert(node->outputs().begin(), node->outputs().end());
    }
    return values;
  }

  void find_blocks(LayerSequence& sequence) const {
    const std::unordered_set<std::string> flowing = flow(sequence);
    const auto is_narrow = [&](std::size_t place) {
      const auto alive = sequence.order.frontier(place);
      return std::count_if(alive.begin(), alive.end(),
                           [&](const std::string& value) { return flowing.contains(value); }) <= 1;
    };
    std::size_t start = 0;
    for (std::size_t i = 0; i < sequence.layers.size(); ++i) {
      if (!is_narrow(sequence.layers[i].last)) continue;
      if (i > start) {
        const auto index = static_cast<int>(sequence.blocks.size());
        for (std::size_t l = start; l <= i; ++l) sequence.layers[l].block = index;
        sequence.blocks.push_back({start, i});
      }
      start = i + 1;
    }
  }

  const Graph& graph_;
  const quant::QuantPlan& plan_;
  std::unordered_map<std::string, const Node*> by_name_;
  std::vector<const Node*> order_;
  NodeSet emitted_;
};

}  // namespace

std::vector<std::string> LayerSequence::cut(const Graph& graph, std::size_t place) const {
  std::vector<std::string> values = order.frontier(place);
  for (const std::string& output : graph.outputs()) {
    if (order.known_before(output, place) &&
        std::find(values.begin(), values.end(), output) == values.end()) {
      values.push_back(output);
    }
  }
  return values;
}

LayerSequence sequence_layers(const Graph& graph, const quant::QuantPlan& plan) {
  return Sequencer(graph, plan).run();
}

}  // namespace hexquant::mixed_precision
