#include "weights/weight_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hexquant::weights {

ScaleMap::ScaleMap(const LayerProblem& problem, const GridSpec& spec)
    : shared_(spec.granularity == Granularity::kTensor),
      rows_(problem.groups * problem.rows),
      columns_(problem.columns),
      block_size_(std::max<std::int64_t>(1, problem.columns)) {
  if (spec.granularity == Granularity::kGroup) {
    block_size_ = spec.block_size;
    blocks_ = (columns_ + block_size_ - 1) / block_size_;
  }
}

WeightRanges::WeightRanges(const LayerProblem& problem, const GridSpec& spec, const ScaleMap& map)
    : spec_(spec), ranges_(static_cast<std::size_t>(map.count())) {
  const std::int64_t rows = problem.groups * problem.rows;
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* values = problem.weights.data() + row * problem.columns;
    for (std::int64_t block = 0; block < map.blocks(); ++block) {
      Range& range = ranges_[map.index(row, block)];
      for (std::int64_t j = map.first_column(block); j < map.last_column(block); ++j) {
        range.min = std::min(range.min, values[j]);
        range.max = std::max(range.max, values[j]);
      }
    }
  }
  const Encoding blank = encoding_from_range({0.0F, 0.0F}, spec.type, spec.symmetric, spec.strict);
  q_min_ = blank.q_min();
  q_max_ = blank.q_max();
  if (!spec.symmetric) return;
  unit_scales_.reserve(ranges_.size());
  for (const Range& range : ranges_) {
    const Range widened{range.min * spec.range_factor, range.max * spec.range_factor};
    const Encoding encoding = encoding_from_range(widened, spec.type, spec.symmetric, spec.strict);
    unit_scales_.push_back(encoding.scale[0]);
  }
}

ScaleEntry WeightRanges::entry(std::size_t index, float factor) const {
  if (spec_.symmetric) {
    const float scale = std::max(unit_scales_[index] * factor, std::numeric_limits<float>::min());
    return with_limits(scale, 0);
  }
  const float total = spec_.range_factor * factor;
  const Range range{ranges_[index].min * total, ranges_[index].max * total};
  const Encoding encoding = encoding_from_range(range, spec_.type, false, spec_.strict);
  return with_limits(encoding.scale[0], encoding.zero_point[0]);
}

ScaleEntry WeightRanges::with_limits(float scale, std::int32_t zero_point) const noexcept {
  // A range factor above 1 says that the outer codes must stay unused, whatever the scale.
  const double share = std::max(1.0, static_cast<double>(spec_.range_factor));
  // The factor is a float: its rounding must not cost the last allowed code.
  constexpr double kSlack = 1e-2;
  const double low = static_cast<double>(q_min_ - zero_point) / share;
  const double high = static_cast<double>(q_max_ - zero_point) / share;
  ScaleEntry entry;
  entry.scale = scale;
  entry.zero_point = zero_point;
  entry.low = static_cast<float>(std::ceil(low - (share > 1.0 ? kSlack : 0.0)));
  entry.high = static_cast<float>(std::floor(high + (share > 1.0 ? kSlack : 0.0)));
  return entry;
}

ScaleEntry WeightRanges::entry_on(const LayerGrid& grid, std::size_t index, float factor) const {
  const ScaleEntry wanted = entry(index, factor);
  if (!grid.has_row_scales()) return wanted;
  const float row_scale = grid.row_scale[grid.row_of(index)];
  const auto largest = static_cast<float>(1 << spec_.block_scale_bits);
  const float multiple = std::clamp(std::nearbyint(wanted.scale / row_scale), 1.0F, largest);
  return with_limits(multiple * row_scale, wanted.zero_point);
}

void LayerGrid::set(std::size_t index, const ScaleEntry& entry, float new_factor) {
  scale[index] = entry.scale;
  zero_point[index] = entry.zero_point;
  factor[index] = new_factor;
  if (!has_row_scales()) return;
  const float multiple = std::nearbyint(entry.scale / row_scale[row_of(index)]);
  block_int_scale[index] = static_cast<std::uint16_t>(multiple);
}

LayerGrid min_max_grid(const WeightRanges& ranges, const ScaleMap& map) {
  LayerGrid grid;
  const auto count = static_cast<std::size_t>(map.count());
  grid.blocks = map.blocks();
  grid.scale.resize(count);
  grid.zero_point.resize(count);
  grid.factor.resize(count);
  for (std::size_t i = 0; i < count; ++i) grid.set(i, ranges.entry(i, 1.0F), 1.0F);
  return grid;
}

void snap_to_row_scales(const WeightRanges& ranges, int bits, LayerGrid& grid) {
  const auto blocks = static_cast<std::size_t>(grid.blocks);
  const auto largest = static_cast<float>(1 << bits);
  grid.row_scale.assign(grid.scale.size() / blocks, 0.0F);
  grid.block_int_scale.resize(grid.scale.size());
  for (std::size_t i = 0; i < grid.scale.size(); ++i) {
    float& row_scale = grid.row_scale[grid.row_of(i)];
    row_scale =
        std::max(row_scale, std::max(grid.scale[i] / largest, std::numeric_limits<float>::min()));
  }
  for (std::size_t i = 0; i < grid.scale.size(); ++i) {
    grid.set(i, ranges.entry_on(grid, i, grid.factor[i]), grid.factor[i]);
  }
}

}  // namespace hexquant::weights
