#pragma once

#include <cstdint>
#include <vector>

#include "hexquant/encoding.h"

namespace hexquant::weights {

/// Rounding of one layer's weights under the error that its output sees.
///
/// Group g has `rows` outputs that each sum `columns` inputs (im2col columns of a convolution).
/// error(V) = sum over g, r of (V_gr - T_gr) H_g (V_gr - T_gr)^T, where V are the dequantized
/// weights, T the target and H_g = cov(x) of the group's inputs x: the mean squared output error
/// once the bias has taken its part, (W - V) E[x].
struct LayerProblem {
  std::int64_t groups = 1;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<float>
      weights;                ///< [groups, rows, columns]: float weights, whose ranges start scales
  std::vector<float> target;  ///< [groups, rows, columns]: best weights without a grid
  std::vector<float> gram;    ///< [groups, columns, columns]: symmetric, positive semidefinite
};

/// Which grids the weights may lie on.
struct GridSpec {
  DType type = DType::kInt8;
  bool symmetric = true;
  bool strict = false;
  /// kTensor: one scale for all groups and rows; kChannel: one for each group and row; kGroup: one
  /// for each block of `block_size` columns of a row (the last block may be shorter).
  Granularity granularity = Granularity::kChannel;
  std::int64_t block_size = 0;
  /// Ranges are multiplied by this before they are encoded (see quant::TensorPolicy).
  float range_factor = 1.0F;
  /// kGroup only; b > 0: a block's scale is an integer 1 ... 2^b times its row's float scale
  /// (LPBQ).
  int block_scale_bits = 0;
};

/// Which steps are taken, in this order; a step that is off is skipped.
struct RoundingOptions {
  bool clip_search = true;  ///< scales with the least error instead of min-max ranges
  bool gptq = true;         ///< columns one by one, each error passed on to later columns
  /// GPTQ also chooses scales, by the error that it leaves; nothing is searched above 8 bits.
  bool search_gptq_scales = true;
  bool activation_order = true;    ///< GPTQ takes the columns by falling diag(H)
  bool coordinate_descent = true;  ///< sweeps over single codes until none improves
  bool rescale = true;             ///< closed-form scales between sweeps
  int max_sweeps = 30;
  /// lambda = damping * mean(diag H) is added to diag(H): keeps directions that the data do not
  /// show near the target.
  double damping = 0.01;
  int threads = 1;
};

/// Codes and scales, and the (undamped) error after each step; steps that were skipped repeat the
/// error before them.
struct RoundedLayer {
  std::vector<float> scale;  ///< one for each tensor / (group, row) / (group, row, block)
  std::vector<std::int32_t> zero_point;        ///< as many
  std::vector<std::int32_t> codes;             ///< [groups, rows, columns]
  std::vector<std::uint16_t> block_int_scale;  ///< LPBQ: as many as scale; else empty
  std::vector<float> row_scale;                ///< LPBQ: one for each (group, row); else empty
  double error_min_max = 0.0;                  ///< min-max scales, nearest codes of `weights`
  double error_clip = 0.0;                     ///< after clip search, nearest codes of `target`
  double error_gptq = 0.0;
  double error = 0.0;  ///< of the result
  int sweeps = 0;
};

/// Solves the problem. The result does not depend on `threads`.
/// @throws Error(kInvalidArgument) on sizes that do not fit or values that are not finite
[[nodiscard]] RoundedLayer round_layer(const LayerProblem& problem, const GridSpec& grid,
                                       const RoundingOptions& options);

}  // namespace hexquant::weights
