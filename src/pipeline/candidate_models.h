#pragma once

#include <string>
#include <vector>

#include "mixed_precision/layer_sequence.h"
#include "mixed_precision/sensitivity_table.h"
#include "pipeline/width_forms.h"
#include "runtime/segment_runner.h"

namespace hexquant::pipeline {

/// Float models in which one layer, or one block of layers, is quantized.
class CandidateModels {
 public:
  /// All must outlive it.
  CandidateModels(const WidthForms& forms, const mixed_precision::LayerSequence& sequence,
                  const std::vector<mixed_precision::Candidate>& layer_candidates,
                  const std::vector<mixed_precision::Candidate>& block_candidates)
      : forms_(forms),
        sequence_(sequence),
        layer_candidates_(layer_candidates),
        block_candidates_(block_candidates) {}

  /// Those that the layer can have: it has weights of this width, and its output an encoding.
  [[nodiscard]] std::vector<mixed_precision::Candidate> candidates_of(
      const mixed_precision::LayerStretch& layer) const;
  /// Those that at least one of the block's layers can have.
  [[nodiscard]] std::vector<mixed_precision::Candidate> candidates_of(
      const mixed_precision::LayerBlock& block) const;

  /// Encoding of a value that a layer hands on; nullptr = it stays float.
  [[nodiscard]] const Encoding* activation(int bits, const std::string& value) const;

  /// Computes `values` with the layers' weights at a width (kFloatBits: float).
  [[nodiscard]] runtime::Segment with_weights(int bits, const std::vector<std::string>& before,
                                              const std::vector<std::string>& values) const;

  /// The block's layers quantized, between two cuts. What leaves it is still to be put on its grid.
  [[nodiscard]] runtime::Segment quantized_block(const mixed_precision::LayerBlock& block,
                                                 const mixed_precision::Candidate& candidate,
                                                 const std::vector<std::string>& before,
                                                 const std::vector<std::string>& after) const;
  /// A value that leaves the block, on its grid where the candidate quantizes it.
  [[nodiscard]] Tensor on_grid(const mixed_precision::LayerBlock& block,
                               const mixed_precision::Candidate& candidate,
                               const std::string& value, const Tensor& tensor) const;

 private:
  [[nodiscard]] const graph::Graph& weights(int bits) const;
  [[nodiscard]] bool is_possible(const mixed_precision::Candidate& candidate,
                                 const mixed_precision::LayerStretch& layer) const;
  [[nodiscard]] bool has_width(int bits, const std::string& weight) const;

  const WidthForms& forms_;
  const mixed_precision::LayerSequence& sequence_;
  const std::vector<mixed_precision::Candidate>& layer_candidates_;
  const std::vector<mixed_precision::Candidate>& block_candidates_;
};

}  // namespace hexquant::pipeline
