#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hexquant/encoding.h"
#include "hexquant/finding.h"

namespace hexquant::quant {

enum class Role { kActivation, kWeight, kBias };

/// What is to be done with one tensor: policy only, no numbers.
struct TensorPolicy {
  Role role = Role::kActivation;
  DType type = DType::kUInt8;
  bool symmetric = false;
  bool strict = false;
  Granularity granularity = Granularity::kTensor;
  int axis = 0;
  std::int64_t block_size = 0;
  /// kGroup: b > 0 makes a block's scale an integer 1 ... 2^b times its channel's float scale
  /// (LPBQ); 0 = any float.
  int block_scale_bits = 0;
  /// Range fixed by the target (Softmax, Sigmoid: [0, 1]; Tanh: [-1, 1]) or by an override.
  std::optional<Range> fixed_range;
  /// Bounds of the range that is observed; open ends are infinite.
  std::optional<Range> range_limits;
  /// Symmetric codes of an unsigned type are centred: zero point 2^(bits-1). With this, a range
  /// without negative values takes zero point 0 and all codes instead.
  bool unsigned_if_positive = false;
  /// Encoding given in full by the user; wins over everything.
  std::optional<Encoding> fixed_encoding;
  /// Tensors with the same non-empty group use one encoding (data movers, Concat, pools): the name
  /// of the tensor whose statistics decide.
  std::string shares_encoding_of;
  /// The range is multiplied by this before it is encoded: above 1 the highest codes stay unused
  /// (int16 weights on the HTP end at code 0x7F7F).
  float range_factor = 1.0F;
  std::string reason;  ///< why it differs from the recipe; empty when it does not
};

/// Input `index` of node `node` reads its value through another encoding (8 <-> 16 bit border):
/// DequantizeLinear -> QuantizeLinear -> DequantizeLinear on that edge.
struct EdgeKey {
  std::string node;
  int index = 0;
  friend auto operator<=>(const EdgeKey&, const EdgeKey&) = default;
};

/// Bias `name` is int32 with scale = scale(activation) * scale(weight), element by element.
struct BiasSource {
  std::string activation;
  std::string weight;
  /// Set when the layer reads `activation` through an encoding of its own.
  std::optional<EdgeKey> activation_edge = std::nullopt;
};

/// One row of the report: what was asked for a layer with weights, what it gets, and why.
struct LayerDecision {
  std::string node;
  std::string op;
  int requested_weight_bits = 0;  ///< 0 = no weights
  int weight_bits = 0;            ///< 32 = stays float
  int requested_act_bits = 0;
  int act_bits = 0;
  Granularity granularity = Granularity::kTensor;
  std::string output;  ///< tensor that carries the layer's output encoding (after fusion)
  std::string weight;  ///< initializer, may be empty
  std::string reason;
};

/// Which tensors carry an encoding, and of what kind. Made by src/plan, read by everyone.
struct QuantPlan {
  std::map<std::string, TensorPolicy> tensors;  ///< by value name
  std::map<EdgeKey, TensorPolicy> edges;        ///< re-encodings on single edges
  std::map<std::string, BiasSource> biases;     ///< bias initializer -> its scale's sources
  std::vector<LayerDecision> layers;            ///< graph order
  Findings findings;
};

/// A policy as an encoding whose scales and zero points are still to be filled in.
[[nodiscard]] Encoding empty_encoding(const TensorPolicy& policy);

/// The numbers that belong to a plan.
struct EncodingTable {
  std::map<std::string, Encoding> tensors;
  std::map<EdgeKey, Encoding> edges;
};

}  // namespace hexquant::quant
