#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "weights/round_layer.h"

namespace hexquant::weights {

/// Which scale a weight has. Rows are counted over all groups: row = group * rows + r.
class ScaleMap {
 public:
  ScaleMap() = default;
  ScaleMap(const LayerProblem& problem, const GridSpec& spec);

  [[nodiscard]] bool shared() const noexcept { return shared_; }  ///< one scale for everything
  [[nodiscard]] std::int64_t blocks() const noexcept { return blocks_; }  ///< scales of one row
  [[nodiscard]] std::int64_t count() const noexcept { return shared_ ? 1 : rows_ * blocks_; }
  [[nodiscard]] std::size_t index(std::int64_t row, std::int64_t block) const noexcept {
    return shared_ ? 0 : static_cast<std::size_t>(row * blocks_ + block);
  }
  [[nodiscard]] std::int64_t first_column(std::int64_t block) const noexcept {
    return block * block_size_;
  }
  [[nodiscard]] std::int64_t last_column(std::int64_t block) const noexcept {
    return block + 1 == blocks_ ? columns_ : (block + 1) * block_size_;
  }
  [[nodiscard]] std::int64_t block_of(std::int64_t column) const noexcept {
    return column / block_size_;
  }

 private:
  bool shared_ = false;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t block_size_ = 1;
  std::int64_t blocks_ = 1;
};

/// A scale with its zero point, and the steps (code - zero point) that weights may take.
struct ScaleEntry {
  float scale = 1.0F;
  std::int32_t zero_point = 0;
  float low = 0.0F;
  float high = 0.0F;
};

/// All scales of a layer.
struct LayerGrid {
  std::int64_t blocks = 1;  ///< scales of one row
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
  std::vector<float> factor;                   ///< of the min-max range
  std::vector<std::uint16_t> block_int_scale;  ///< LPBQ only: scale / row_scale
  std::vector<float> row_scale;                ///< LPBQ only

  [[nodiscard]] bool has_row_scales() const noexcept { return !row_scale.empty(); }
  [[nodiscard]] std::size_t row_of(std::size_t index) const noexcept {
    return index / static_cast<std::size_t>(blocks);
  }
  void set(std::size_t index, const ScaleEntry& entry, float new_factor);
};

/// The min-max range of the weights under each scale, and the scales that shrunk ranges give.
class WeightRanges {
 public:
  WeightRanges(const LayerProblem& problem, const GridSpec& spec, const ScaleMap& map);

  /// Scale `index` of the range times `factor`.
  [[nodiscard]] ScaleEntry entry(std::size_t index, float factor) const;
  /// The same on the scales that `grid` can express: with LPBQ, the nearest multiple of the row's.
  [[nodiscard]] ScaleEntry entry_on(const LayerGrid& grid, std::size_t index, float factor) const;
  /// A scale that came otherwise, with the zero point of an entry.
  [[nodiscard]] ScaleEntry with_limits(float scale, std::int32_t zero_point) const noexcept;

 private:
  GridSpec spec_;
  std::vector<Range> ranges_;
  std::vector<float> unit_scales_;  ///< symmetric: the scale at factor 1
  std::int64_t q_min_ = 0;
  std::int64_t q_max_ = 0;
};

[[nodiscard]] LayerGrid min_max_grid(const WeightRanges& ranges, const ScaleMap& map);

/// Low-power block quantization (LPBQ): each row gets the float scale max / 2^bits of its blocks'
/// scales, and each block the nearest integer 1 ... 2^bits times that.
void snap_to_row_scales(const WeightRanges& ranges, int bits, LayerGrid& grid);

}  // namespace hexquant::weights
