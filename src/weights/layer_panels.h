#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/parallel.h"
#include "weights/aligned_floats.h"
#include "weights/damped_gram.h"
#include "weights/panel_kernels.h"
#include "weights/round_layer.h"
#include "weights/weight_grid.h"

namespace hexquant::weights {

/// Calls `body(group, threads)` for each group: one after the other with all threads inside when
/// there are few, side by side with one thread each when there are many.
void for_each_group(std::int64_t groups, int threads,
                    const std::function<void(std::int64_t, int)>& body);

/// Up to `lanes` rows of one group.
struct PanelRows {
  std::int64_t group = 0;
  std::int64_t first = 0;  ///< over all groups
  std::int64_t count = 0;
};

/// Everything that stays the same while a layer is rounded.
struct RoundingContext {
  RoundingContext(const LayerProblem& problem_in, const GridSpec& spec_in,
                  const RoundingOptions& options_in);

  const LayerProblem& problem;
  const GridSpec& spec;
  const RoundingOptions& options;
  const PanelKernels& kernels;
  ScaleMap map;
  WeightRanges ranges;
  DampedGram gram;
  std::vector<std::int32_t> all_columns;  ///< 0, 1, 2, ...

  [[nodiscard]] int bits() const noexcept { return dtype_bits(spec.type); }
  [[nodiscard]] std::int64_t panel_count() const noexcept;
  [[nodiscard]] PanelRows panel(std::int64_t index) const noexcept;
  [[nodiscard]] std::int64_t panel_floats() const noexcept {
    return problem.columns * kernels.lanes;
  }
};

/// Columns of a panel in another order than the layer's; null keeps the layer's.
using ColumnOrder = const std::int32_t*;

/// [columns, lanes] from row-major rows; unused lanes get zeros.
void load_panel(const float* values, std::int64_t columns, const PanelRows& rows,
                std::int64_t lanes, ColumnOrder order, float* panel) noexcept;
void store_panel(const float* panel, std::int64_t columns, const PanelRows& rows,
                 std::int64_t lanes, ColumnOrder order, float* values) noexcept;

/// The scales of a panel as the kernels read them.
class PanelScales {
 public:
  /// Room for all blocks, with the scales of `grid`.
  void load(const RoundingContext& context, const LayerGrid& grid, const PanelRows& rows,
            ColumnOrder order);
  void set(std::int64_t block, std::int64_t lane, const ScaleEntry& entry) noexcept;
  [[nodiscard]] float* scale(std::int64_t block) noexcept { return scale_.data() + block * lanes_; }
  [[nodiscard]] PanelGrid grid() const noexcept {
    return {scale_.data(), low_.data(), high_.data(), block_.data()};
  }

 private:
  std::int64_t lanes_ = 0;
  AlignedFloats scale_;
  AlignedFloats low_;
  AlignedFloats high_;
  std::vector<std::int32_t> block_;
};

/// Calls `body(index, rows, work)` for each panel; panels of a chunk share the workspace `work`.
template <class Work, class Body>
void for_each_panel(const RoundingContext& context, const Body& body) {
  // Small panels go together, so that handing them out and their memory cost little.
  constexpr std::int64_t kChunkFloats = 16384;
  const std::int64_t count = context.panel_count();
  const std::int64_t chunk = std::max<std::int64_t>(1, kChunkFloats / context.panel_floats());
  parallel_for((count + chunk - 1) / chunk, context.options.threads, [&](std::int64_t item) {
    Work work;
    const std::int64_t last = std::min(count, (item + 1) * chunk);
    for (std::int64_t i = item * chunk; i < last; ++i) body(i, context.panel(i), work);
  });
}

}  // namespace hexquant::weights
