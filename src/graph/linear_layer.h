#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

// Conv, ConvTranspose, Gemm and MatMul with a constant weight seen as one thing: outputs that are
// weighted sums of input channels, plus a bias.
namespace hexquant::graph {

/// Where the channels of an activation lie.
struct ChannelLayout {
  std::int64_t channels = 0;
  std::int64_t rank = 0;        ///< of the activation; 0 = unknown
  std::int64_t dims_after = 0;  ///< dimensions behind the channel axis
};

/// Weight element -> its output and input channel.
struct WeightChannels {
  std::int64_t output = 0;
  std::int64_t input = 0;
};

/// A layer with float32 initializers as weight and (if present) bias.
class LinearLayer {
 public:
  /// The layer at `node`; absent for other operations, and when weight or bias are no float32
  /// initializers of a fitting shape. Weight layouts: Conv [Cout, Cin/g, k...], ConvTranspose
  /// [Cin, Cout/g, k...], Gemm [K, N] or [N, K] (transB), MatMul [K, N].
  [[nodiscard]] static std::optional<LinearLayer> find(const Graph& graph, const Node& node);

  [[nodiscard]] const Node& node() const noexcept { return *node_; }
  [[nodiscard]] const std::string& weight_name() const noexcept { return node_->input(1); }
  /// "" when there is none.
  [[nodiscard]] const std::string& bias_name() const noexcept {
    return takes_bias() ? node_->input(2) : node_->input(kNoInput);
  }
  [[nodiscard]] const ChannelLayout& output_layout() const noexcept { return output_; }
  /// Layout of the data input; `channels` is 0 where its channels are not along the usual axis
  /// (Gemm with transA).
  [[nodiscard]] const ChannelLayout& input_layout() const noexcept { return input_; }
  /// True if it has a bias input (MatMul has none).
  [[nodiscard]] bool takes_bias() const noexcept { return !node_->is("MatMul"); }
  /// True if zero padding meets the data input, so that a shift of the input is not a shift of the
  /// output. ConvTranspose always counts as padded: border outputs sum fewer inputs.
  [[nodiscard]] bool is_padded() const noexcept { return padded_; }
  /// Output channels o and input channels i meet in a weight when both lie in the same of `groups`
  /// equal parts.
  [[nodiscard]] std::int64_t groups() const noexcept { return groups_; }

  [[nodiscard]] WeightChannels channels_of(std::int64_t flat_index) const noexcept;

  /// Bias of each output in real units (beta of Gemm applied); zeros when absent.
  [[nodiscard]] std::vector<double> bias(const Graph& graph) const;
  /// Change of the outputs when input channel c is shifted by shift[c] (alpha of Gemm applied).
  [[nodiscard]] std::vector<double> response_to_shift(const Graph& graph,
                                                      const std::vector<double>& shift) const;

  /// Multiplies each weight by output_factor[o] * input_factor[i] in double, rounded once to float.
  /// A weight with other readers is copied first. Empty factors = ones.
  void scale_weight(Graph& graph, const std::vector<double>& output_factor,
                    const std::vector<double>& input_factor) const;
  /// Stores the bias, rounded once to float; makes the input if absent. @pre takes_bias()
  void set_bias(Graph& graph, const std::vector<double>& values) const;

 private:
  static constexpr std::size_t kNoInput = static_cast<std::size_t>(-1);
  bool describe_conv(const Tensor& weight);
  bool describe_conv_transpose(const Tensor& weight);
  bool describe_matrix(const Graph& graph, const Tensor& weight);
  [[nodiscard]] bool has_usable_bias(const Graph& graph) const;
  /// Calls visit(channels, begin, end) for each run of weights that lie between the same channels.
  template <typename Visit>
  void each_run(Visit visit) const;

  const Node* node_ = nullptr;
  ChannelLayout output_;
  ChannelLayout input_;
  bool padded_ = false;
  // Strides of the weight: flat = (first * second_size + second) * inner_ + k.
  std::int64_t first_size_ = 1;
  std::int64_t second_size_ = 1;
  std::int64_t inner_ = 1;
  std::int64_t groups_ = 1;
  bool output_first_ = true;
};

}  // namespace hexquant::graph
