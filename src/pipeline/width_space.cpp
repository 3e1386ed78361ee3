#include "pipeline/width_space.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "calibrate/encode_activations.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "passes/infer_shapes.h"
#include "pipeline/analyze_model.h"
#include "pipeline/htp_model.h"
#include "plan/plan.h"
#include "quant/insert_qdq.h"

namespace hexquant::pipeline {
namespace {

using mixed_precision::Candidate;
using mixed_precision::CandidateKind;
using mixed_precision::Effect;
using mixed_precision::kFloatBits;
using mixed_precision::LayerStretch;
using mixed_precision::SensitivityRow;
using mixed_precision::SensitivityTable;

constexpr int kWideBits = 16;

/// Damage that adds up over layers: mean divergence where the outputs are scored as
/// probabilities, else noise.
double damage(const Effect& effect) {
  if (!std::isnan(effect.kl)) return effect.kl;
  return std::isnan(effect.sqnr_db) ? 0.0 : effect.noise_ratio();
}

int next_weight_bits(int bits) {
  return bits == 4 ? 8 : kWideBits;
}

/// Numbers the layers whose width the units set.
void number_layers(std::vector<WidthUnit>& units) {
  std::map<std::string, std::size_t> numbers;
  for (WidthUnit& unit : units) {
    for (const auto& [node, widths] : unit.choice) {
      unit.unit.layers.push_back(numbers.emplace(node, numbers.size()).first->second);
    }
  }
}

std::set<int> weight_widths(int base) {
  return base == 4 ? std::set<int>{4, 8} : std::set<int>{base, kWideBits};
}

}  // namespace

void merge_widths(const WidthChoice& from, WidthChoice& into) {
  for (const auto& [node, widths] : from) {
    LayerWidths& known = into[node];
    known.weight_bits = std::max(known.weight_bits, widths.weight_bits);
    known.act_bits = std::max(known.act_bits, widths.act_bits);
  }
}

std::vector<std::string> layer_bits_of(const WidthChoice& choice) {
  std::vector<std::string> entries;
  for (const auto& [node, widths] : choice) {
    std::string bits;
    if (widths.weight_bits != 0) bits += format("w{}", widths.weight_bits);
    if (widths.act_bits != 0) bits += format("a{}", widths.act_bits);
    if (!bits.empty()) entries.push_back(format("{}={}", node, bits));
  }
  return entries;
}

WidthSpace::WidthSpace(const Recipe& recipe, int threads, ProgressSink& progress)
    : recipe_(recipe),
      options_(resolve_recipe(recipe, threads)),
      target_(target::load_target(recipe.soc)),
      threads_(threads),
      forms_(make_width_forms(recipe, options_, target_, weight_widths(recipe.weight_bits),
                              {recipe.act_bits, kWideBits}, threads, progress)),
      sequence_(mixed_precision::sequence_layers(forms_.model.prepared, forms_.model.plan)),
      fixed_(forms_.model.prepared) {
  fix_dimensions(fixed_, recipe.input_shapes);
  (void)passes::infer_shapes(fixed_, {});
}

/// Layers that read a layer's result, behind whatever only moves it.
std::set<std::string> WidthSpace::readers_of(const LayerStretch& layer) const {
  std::set<std::string> nodes;
  std::vector<std::string> open = {layer.output};
  std::unordered_set<std::string> seen;
  while (!open.empty()) {
    const std::string value = std::move(open.back());
    open.pop_back();
    if (!seen.insert(value).second) continue;
    for (const graph::Use& use : forms_.model.prepared.uses(value)) {
      const std::size_t at = sequence_.order.position(*use.node);
      const auto reader =
          std::find_if(sequence_.layers.begin(), sequence_.layers.end(),
                       [&](const LayerStretch& one) { return at >= one.first && at < one.last; });
      if (reader != sequence_.layers.end()) {
        nodes.insert(reader->node);
      } else {
        open.insert(open.end(), use.node->outputs().begin(), use.node->outputs().end());
      }
    }
  }
  return nodes;
}

/// One unit for each reader: a residual Add may need 16 bits of a value that the matrix product
/// beside it may well read at 8. A value without a reader leaves the network.
void WidthSpace::add_value_units(const LayerStretch& layer, double damage,
                                 std::vector<WidthUnit>& units) const {
  std::set<std::string> readers = readers_of(layer);
  readers.erase(layer.node);
  WidthUnit unit;
  unit.unit.name = format("{} a16", layer.node);
  unit.unit.gain = damage;
  unit.choice[layer.node] = {0, kWideBits};
  if (readers.empty()) return units.push_back(std::move(unit));
  const std::string name = unit.unit.name;
  unit.unit.gain = damage / static_cast<double>(readers.size());
  for (const std::string& reader : readers) {
    WidthUnit one = unit;
    if (readers.size() > 1) one.unit.name = format("{} for {}", name, reader);
    one.choice[reader] = {0, kWideBits};
    units.push_back(std::move(one));
  }
}

/// Softmax on the HTP, for example: its 8-bit form takes several times as long.
void WidthSpace::add_faster_layers(std::vector<WidthUnit>& units) const {
  const double base_us = cost({}).time_us;
  for (const LayerStretch& layer : sequence_.layers) {
    WidthUnit unit;
    unit.unit.name = format("{} a16 alone", layer.node);
    unit.choice[layer.node] = {0, kWideBits};
    if (cost(unit.choice).time_us < base_us) units.push_back(std::move(unit));
  }
}

std::vector<WidthUnit> WidthSpace::units(const SensitivityTable& table) const {
  std::vector<WidthUnit> units;
  const auto gain_of = [](const SensitivityRow& row, const Candidate& candidate) {
    const Effect* effect = row.find(candidate);
    return effect == nullptr ? 0.0 : damage(*effect);
  };
  const int next_bits = next_weight_bits(recipe_.weight_bits);
  const auto raisable = forms_.weights_at.find(next_bits);
  for (const LayerStretch& layer : sequence_.layers) {
    const auto row =
        std::find_if(table.layers.begin(), table.layers.end(),
                     [&](const SensitivityRow& one) { return one.name == layer.node; });
    if (row == table.layers.end()) continue;
    const bool has_next = recipe_.weight_bits < kWideBits && raisable != forms_.weights_at.end() &&
                          raisable->second.contains(layer.weight);
    if (has_next && forms_.model.prepared.uses(layer.weight).size() == 1) {
      WidthUnit unit;
      unit.unit.name = format("{} w{}", layer.node, next_bits);
      unit.unit.gain = gain_of(*row, {CandidateKind::kWeights, recipe_.weight_bits, kFloatBits});
      unit.choice[layer.node] = {next_bits, next_bits == kWideBits ? kWideBits : 0};
      units.push_back(std::move(unit));
    }
    if (recipe_.act_bits >= kWideBits) continue;
    add_value_units(
        layer, gain_of(*row, {CandidateKind::kActivation, kFloatBits, recipe_.act_bits}), units);
  }
  if (recipe_.act_bits < kWideBits) add_faster_layers(units);
  number_layers(units);
  return units;
}

quant::QuantPlan WidthSpace::plan(const WidthChoice& choice) const {
  plan::PlanOptions options = options_.plan;
  options.original = &forms_.model.original;
  for (const auto& [node, widths] : choice) {
    options.layer_bits.push_back({node, widths.weight_bits, widths.act_bits});
  }
  return plan::make_plan(forms_.model.prepared, target_, options);
}

WidthCost WidthSpace::cost(const WidthChoice& choice) const {
  const quant::QuantPlan mixed = plan(choice);
  const perf::Prediction prediction = predict_plan(fixed_, mixed, target_, {});
  WidthCost cost{prediction.time_us.value,
                 prediction.time_us.lower,
                 prediction.time_us.upper,
                 prediction.ddr_bytes,
                 static_cast<int>(mixed.edges.size()),
                 0.0};
  double all = 0.0;
  double raised = 0.0;
  for (const quant::LayerDecision& layer : mixed.layers) {
    const Tensor* weight = forms_.model.prepared.find_initializer(layer.weight);
    if (weight == nullptr || layer.weight_bits == 0) continue;
    all += static_cast<double>(weight->size());
    if (layer.weight_bits > recipe_.weight_bits) raised += static_cast<double>(weight->size());
  }
  cost.raised_weight_share = all == 0.0 ? 0.0 : raised / all;
  return cost;
}

void WidthSpace::use_rounded_weights(const quant::QuantPlan& plan, graph::Graph& graph,
                                     quant::EncodingTable& encodings) const {
  for (const auto& [name, policy] : plan.tensors) {
    if (policy.role != quant::Role::kWeight) continue;
    const int bits = dtype_bits(policy.type);
    const auto known = forms_.weights_at.find(bits);
    if (known == forms_.weights_at.end() || !known->second.contains(name)) continue;
    const auto& table = forms_.weight_encodings.at(bits).tensors;
    const auto encoding = table.find(name);
    if (encoding == table.end() || encoding->second.type != policy.type ||
        encoding->second.granularity != policy.granularity) {
      continue;
    }
    graph.set_initializer(name, *forms_.weights.at(bits).find_initializer(name));
    encodings.tensors[name] = encoding->second;
    for (const auto& [bias, source] : plan.biases) {
      if (source.weight != name) continue;
      if (const Tensor* moved = forms_.weights.at(bits).find_initializer(bias)) {
        graph.set_initializer(bias, *moved);
      }
    }
  }
}

graph::Graph WidthSpace::quantized(const WidthChoice& choice) const {
  const quant::QuantPlan mixed = plan(choice);
  graph::Graph graph = forms_.model.prepared;
  Findings ignored;
  quant::EncodingTable encodings = calibrate::encode_activations(
      graph, mixed, forms_.model.statistics, options_.observer, ignored);
  (void)weights::quantize_weights(graph, mixed, encodings, options_.weights, silent_progress());
  if (options_.rounding) use_rounded_weights(mixed, graph, encodings);
  (void)weights::quantize_biases(graph, mixed, encodings);
  return quant::insert_qdq(graph, encodings);
}

}  // namespace hexquant::pipeline
