#include "pipeline/candidate_models.h"

#include "quant/insert_qdq.h"

namespace hexquant::pipeline {

using mixed_precision::Candidate;
using mixed_precision::kFloatBits;
using mixed_precision::LayerBlock;
using mixed_precision::LayerStretch;
using runtime::Segment;

bool CandidateModels::has_width(int bits, const std::string& weight) const {
  const auto found = forms_.weights_at.find(bits);
  return found != forms_.weights_at.end() && found->second.contains(weight);
}

const Encoding* CandidateModels::activation(int bits, const std::string& value) const {
  const auto& encodings = forms_.activations.at(bits);
  const auto found = encodings.find(value);
  return found == encodings.end() ? nullptr : &found->second;
}

bool CandidateModels::is_possible(const Candidate& candidate, const LayerStretch& layer) const {
  const bool needs_weights = candidate.weight_bits != kFloatBits;
  const bool needs_activation = candidate.act_bits != kFloatBits;
  if (needs_weights && !has_width(candidate.weight_bits, layer.weight)) return false;
  return !needs_activation || activation(candidate.act_bits, layer.output) != nullptr;
}

std::vector<Candidate> CandidateModels::candidates_of(const LayerStretch& layer) const {
  std::vector<Candidate> possible;
  for (const Candidate& candidate : layer_candidates_) {
    if (is_possible(candidate, layer)) possible.push_back(candidate);
  }
  return possible;
}

std::vector<Candidate> CandidateModels::candidates_of(const LayerBlock& block) const {
  std::vector<Candidate> possible;
  for (const Candidate& candidate : block_candidates_) {
    for (std::size_t i = block.first; i <= block.last; ++i) {
      if (!is_possible(candidate, sequence_.layers[i])) continue;
      possible.push_back(candidate);
      break;
    }
  }
  return possible;
}

const graph::Graph& CandidateModels::weights(int bits) const {
  return bits == kFloatBits ? forms_.model.prepared : forms_.weights.at(bits);
}

Segment CandidateModels::with_weights(int bits, const std::vector<std::string>& before,
                                      const std::vector<std::string>& values) const {
  return {weights(bits), before, values};
}

Segment CandidateModels::quantized_block(const LayerBlock& block, const Candidate& candidate,
                                         const std::vector<std::string>& before,
                                         const std::vector<std::string>& after) const {
  quant::EncodingTable table;
  for (std::size_t i = block.first; i <= block.last && candidate.act_bits != kFloatBits; ++i) {
    const std::string& output = sequence_.layers[i].output;
    if (const Encoding* encoding = activation(candidate.act_bits, output)) {
      table.tensors[output] = *encoding;
    }
  }
  runtime::SessionOptions options;
  // Weights are float numbers on their grid, so there is nothing for integer kernels.
  options.integer_kernels = false;
  // ONNX Runtime 1.32 cannot optimize a Relu before 4-bit codes.
  options.optimize = candidate.act_bits != 4;
  return {quant::insert_qdq(weights(candidate.weight_bits), table), before, after, options};
}

Tensor CandidateModels::on_grid(const LayerBlock& block, const Candidate& candidate,
                                const std::string& value, const Tensor& tensor) const {
  for (std::size_t i = block.first; i <= block.last && candidate.act_bits != kFloatBits; ++i) {
    if (sequence_.layers[i].output != value) continue;
    if (const Encoding* encoding = activation(candidate.act_bits, value)) {
      return fake_quantize_tensor(tensor, *encoding);
    }
  }
  return tensor;
}

}  // namespace hexquant::pipeline
