#pragma once

#include <torch/torch.h>

#include <optional>
#include <string>
#include <vector>

#include "hexquant/encoding.h"
#include "qat/fake_quantize.h"
#include "qat/trainable_network.h"
#include "quant/quant_plan.h"

namespace hexquant::qat {

/// One encoding that training moves, with all the tensors that share it.
class Quantizer {
 public:
  /// @param name   the tensor that stands for the group
  /// @param start  encoding to begin with
  /// @param policy the plan's word on it: fixed encodings and ranges are not learned; may be null
  /// @param weight the constant that it quantizes; null for values that differ from sample to
  /// sample
  /// @param is_learned  false leaves it as it is
  Quantizer(std::string name, const Encoding& start, const quant::TensorPolicy* policy,
            const Tensor* weight, bool is_learned);

  /// Uses 2^bits codes only, symmetric around 0, for a weight with these values; the first scales
  /// are 2 E|w| / sqrt(2^(bits-1) - 1) of each scale's elements (LSQ, section 2.1). A weight that
  /// rounds to those codes alone, trained so before, keeps its scales.
  void narrow(int bits, const Tensor& weight);

  /// The learned range never reaches beyond this one (that of a Clip which the target runs as part
  /// of the encoding). Without effect where the encoding does so from the start.
  void limit(const Range& range);

  [[nodiscard]] torch::Tensor apply(const torch::Tensor& x) const;
  /// The encoding now. Narrow codes keep the type that holds them.
  [[nodiscard]] Encoding encoding() const;
  /// Values on the grid, with narrow codes: nearest rounding with encoding() gives the same.
  [[nodiscard]] Tensor rounded(const Tensor& values) const;
  /// Brings the parameter back into its legal set: scales at least 1/1000 of the first ones, ranges
  /// around 0 and within the plan's limits.
  void project();
  [[nodiscard]] const Encoding& start() const noexcept { return grid_.encoding; }
  [[nodiscard]] bool is_learned() const noexcept { return parameter_.defined(); }
  /// @pre is_learned()
  [[nodiscard]] Parameter parameter() const;

 private:
  void make_parameter();
  /// @pre limits_
  [[nodiscard]] float largest_scale() const;
  /// `grid_` with the parameter's numbers.
  [[nodiscard]] Grid current() const;

  std::string name_;
  Grid grid_;  ///< as at the start
  std::optional<Range> limits_;
  std::vector<std::size_t> channel_of_scale_;  ///< two-level scales only
  Range first_range_;                          ///< kRange: the parameter's first values
  torch::Tensor parameter_;
};

}  // namespace hexquant::qat
