#pragma once

#include <cstdint>

/// The inner loops of rounding, one variant for each instruction set. All variants give the same
/// results bit for bit: every product that is added is fused, and lanes never mix. The header is
/// plain data, so that files compiled for newer instruction sets share no inline code with the rest
/// of the program.
///
/// A panel holds some rows of a layer side by side: [columns, lanes], lane = row. So one column of
/// all rows is contiguous, the sequential dependence over columns costs nothing, and matrix
/// products need no packing. Panels are aligned to 64 bytes; unused lanes hold zeros and scale 1.
namespace hexquant::weights {

/// Lanes of panels for layers with many and with few rows.
inline constexpr std::int64_t kWideLanes = 64;
inline constexpr std::int64_t kNarrowLanes = 16;
/// Columns that are finished before their effect on the others is added up as one product: 64 x 64
/// floats stay in a 32 KiB L1 cache.
inline constexpr std::int64_t kColumnBlock = 64;

/// Grid of a panel: column j uses row block[j] of three arrays [blocks, lanes]. Steps are codes
/// minus zero point, so a value is step * scale.
struct PanelGrid {
  const float* scale;
  const float* low;   ///< lowest step
  const float* high;  ///< highest step
  const std::int32_t* block;
};

/// result[k] += sum_i matrix[columns[i], k] * panel[columns[i]] for k in [first, last).
struct PanelProduct {
  float* result;
  const float* panel;
  const float* matrix;  ///< row-major, `stride` floats apart
  std::int64_t stride;
  const std::int32_t* columns;
  std::int64_t count;
  std::int64_t first;
  std::int64_t last;
};

/// Columns [first, last) of GPTQ. With H = R R^T, R upper triangular, the error of a row is
/// sum_k y_k^2, y_k = sum_{j <= k} e_j R_jk: each step is chosen for the least y_k^2, given the e_j
/// before it, and carried[k] = sum_{j < k} e_j R_jk is kept for the columns of the block.
struct GptqBlock {
  const float* target;
  float* carried;
  float* steps;       ///< out
  float* difference;  ///< out: e = value - target
  const float* root;  ///< R
  std::int64_t stride;
  std::int64_t first;
  std::int64_t last;
  PanelGrid grid;
  float* error;  ///< [lanes], out: sum of y_k^2 over the block
};

/// Columns [first, last) of a sweep of coordinate descent: each step becomes the best one for its
/// column, all others fixed, where the error falls by more than `tolerance` times what the change
/// alone would cost.
struct DescentBlock {
  float* gradient;  ///< (target - value) H, kept for the columns of the block
  float* steps;
  float* change;  ///< out: old value - new value
  const float* matrix;
  std::int64_t stride;
  std::int64_t first;
  std::int64_t last;
  PanelGrid grid;
  float tolerance;
  float* gain;            ///< [lanes], out: by how much the error fell
  std::int32_t* changed;  ///< out: columns in which any lane changed
};

struct PanelKernels {
  const char* name;
  std::int64_t lanes;
  void (*add_product)(const PanelProduct& product) noexcept;
  void (*round_gptq)(const GptqBlock& block) noexcept;
  /// @return the number of `changed` columns
  std::int64_t (*descend)(const DescentBlock& block) noexcept;
  /// Nearest steps of columns [first, last), half to even, and difference = value - target.
  void (*round_nearest)(const float* target, const PanelGrid& grid, std::int64_t first,
                        std::int64_t last, float* steps, float* difference) noexcept;
  /// sums[lane] = sum of a * b over columns [first, last).
  void (*dot)(const float* a, const float* b, std::int64_t first, std::int64_t last,
              float* sums) noexcept;
};

[[nodiscard]] const PanelKernels& portable_panel_kernels(std::int64_t lanes) noexcept;
[[nodiscard]] const PanelKernels& avx2_panel_kernels(std::int64_t lanes) noexcept;
[[nodiscard]] const PanelKernels& avx512_panel_kernels(std::int64_t lanes) noexcept;
[[nodiscard]] bool cpu_runs_avx2_panels() noexcept;
[[nodiscard]] bool cpu_runs_avx512_panels() noexcept;
/// The fastest variant that this machine runs.
[[nodiscard]] const PanelKernels& best_panel_kernels(std::int64_t lanes) noexcept;

}  // namespace hexquant::weights
