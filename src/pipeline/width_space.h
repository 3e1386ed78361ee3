#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "hexquant/recipe.h"
#include "mixed_precision/layer_sequence.h"
#include "mixed_precision/pareto_search.h"
#include "mixed_precision/sensitivity_table.h"
#include "pipeline/width_forms.h"
#include "target/target.h"

namespace hexquant::pipeline {

/// Widths of one layer that differ from the recipe's; 0 = the recipe's.
struct LayerWidths {
  int weight_bits = 0;
  int act_bits = 0;
  friend bool operator==(const LayerWidths&, const LayerWidths&) = default;
};
/// By node.
using WidthChoice = std::map<std::string, LayerWidths>;

/// Both choices at once: the wider of the two, layer by layer.
void merge_widths(const WidthChoice& from, WidthChoice& into);

/// A choice in the words of --layer-bits ("conv1=w8a16").
[[nodiscard]] std::vector<std::string> layer_bits_of(const WidthChoice& choice);

/// A unit of the search, and what raising it does to the layers.
struct WidthUnit {
  mixed_precision::RaisableUnit unit;
  WidthChoice choice;
};

/// What a choice means for the hardware.
struct WidthCost {
  double time_us = 0.0;
  double lower_us = 0.0;
  double upper_us = 0.0;
  std::int64_t ddr_bytes = 0;
  int converts = 0;  ///< places where a layer reads a value in another width
  /// Share of the weights (elements) that have more bits than the recipe's.
  double raised_weight_share = 0.0;
};

/// All mixtures of widths of one calibrated model: what they cost, and the QDQ models they give.
class WidthSpace {
 public:
  /// Prepares and calibrates. @param recipe  base widths, weight methods, rules
  WidthSpace(const Recipe& recipe, int threads, ProgressSink& progress);

  [[nodiscard]] const WidthForms& forms() const noexcept { return forms_; }
  [[nodiscard]] const mixed_precision::LayerSequence& sequence() const noexcept {
    return sequence_;
  }

  /// What can be raised: weights to the next width that the target takes for them, and values from
  /// 8 to 16 bits together with the layer that computes them and one that reads them (one of the
  /// two alone would convert them back). Gains are those of a sensitivity table of the base widths;
  /// the damage of a value is shared evenly by its readers. Layers that take less time in 16 bits
  /// alone, conversions included, are units without gain.
  [[nodiscard]] std::vector<WidthUnit> units(const mixed_precision::SensitivityTable& table) const;

  [[nodiscard]] quant::QuantPlan plan(const WidthChoice& choice) const;
  /// Predicted, for the target's chip. Milliseconds.
  [[nodiscard]] WidthCost cost(const WidthChoice& choice) const;
  /// The QDQ model, from the one calibration. Weight methods that use data are those of one pass,
  /// layer by layer, so the final model, rounded for its own inputs, is better.
  [[nodiscard]] graph::Graph quantized(const WidthChoice& choice) const;

 private:
  [[nodiscard]] std::set<std::string> readers_of(const mixed_precision::LayerStretch& layer) const;
  void add_value_units(const mixed_precision::LayerStretch& layer, double damage,
                       std::vector<WidthUnit>& units) const;
  void add_faster_layers(std::vector<WidthUnit>& units) const;
  void use_rounded_weights(const quant::QuantPlan& plan, graph::Graph& graph,
                           quant::EncodingTable& encodings) const;

  Recipe recipe_;
  QuantizeOptions options_;
  target::Target target_;
  int threads_;
  WidthForms forms_;
  mixed_precision::LayerSequence sequence_;
  graph::Graph fixed_;  ///< prepared, with fixed shapes: what the latency model reads
};

}  // namespace hexquant::pipeline
