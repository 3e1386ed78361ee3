#include "weights/descent_panel.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "weights/panel_search.h"

namespace hexquant::weights {
namespace {

/// A change must gain this part of what it would cost alone: below that, floats cannot tell.
constexpr float kTolerance = 1e-5F;
/// A new scale that gains less than this part of what zeroing the weights would cost is left alone:
/// it is below the resolution of the sums.
constexpr double kLeastScaleGain = 1e-12;

}  // namespace

float better_scale(float scale, const ScaleMoments& moments) noexcept {
  if (!(moments.gain() > kLeastScaleGain * moments.curvature)) return scale;
  const double ratio = 1.0 + moments.along / moments.curvature;
  const double wanted = scale * ratio;
  const bool usable = ratio > 0.0 && wanted >= std::numeric_limits<float>::min() &&
                      wanted <= std::numeric_limits<float>::max();
  return usable ? static_cast<float>(wanted) : scale;
}

void DescentPanel::load(const RoundingContext& context, const Rounding& rounding,
                        const PanelRows& rows, bool with_rescale) {
  context_ = &context;
  rows_ = rows;
  for (AlignedFloats* buffer : {&target_, &steps_, &gradient_, &change_}) {
    buffer->resize(context.panel_floats());
  }
  const std::int64_t n = context.problem.columns;
  const std::int64_t lanes = context.kernels.lanes;
  load_panel(context.problem.target.data(), n, rows, lanes, nullptr, target_.data());
  load_panel(rounding.steps.data(), n, rows, lanes, nullptr, steps_.data());
  scales_.load(context, rounding.grid, rows, nullptr);
  if (rounding.grid.has_row_scales()) {
    const auto first = rounding.grid.row_scale.begin() + rows.first;
    row_scales_.assign(first, first + rows.count);
  }
  gain_ = 0.0;
  if (with_rescale) {
    target_product_.resize(context.panel_floats());
    std::fill_n(target_product_.data(), n * lanes, 0.0F);
    add_products(target_.data(), 0, n, 0, n, target_product_.data());
  }
  refresh();
}

/// result[result_first ... result_last) += H' panel over columns [first, last).
void DescentPanel::add_products(const float* panel, std::int64_t first, std::int64_t last,
                                std::int64_t result_first, std::int64_t result_last,
                                float* result) {
  const std::int64_t n = context_->problem.columns;
  for (std::int64_t column = first; column < last; column += kColumnBlock) {
    const std::int64_t end = std::min(last, column + kColumnBlock);
    context_->kernels.add_product({result, panel, context_->gram.matrix_of(rows_.group), n,
                                   context_->all_columns.data() + column, end - column,
                                   result_first, result_last});
  }
}

void DescentPanel::load_values(std::int64_t first, std::int64_t last,
                               float* values) const noexcept {
  const std::int64_t lanes = context_->kernels.lanes;
  const PanelGrid grid = scales_.grid();
  for (std::int64_t j = first; j < last; ++j) {
    const float* scale = grid.scale + grid.block[j] * lanes;
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      values[j * lanes + lane] = steps_.data()[j * lanes + lane] * scale[lane];
    }
  }
}

void DescentPanel::refresh() {
  const std::int64_t n = context_->problem.columns;
  const std::int64_t floats = context_->panel_floats();
  load_values(0, n, change_.data());
  for (std::int64_t at = 0; at < floats; ++at) {
    change_.data()[at] = target_.data()[at] - change_.data()[at];
  }
  std::fill_n(gradient_.data(), floats, 0.0F);
  add_products(change_.data(), 0, n, 0, n, gradient_.data());
}

std::int64_t DescentPanel::sweep() {
  const RoundingContext& context = *context_;
  const std::int64_t n = context.problem.columns;
  const float* matrix = context.gram.matrix_of(rows_.group);
  std::int64_t total = 0;
  gain_ = 0.0;
  for (std::int64_t first = 0; first < n; first += kColumnBlock) {
    const std::int64_t last = std::min(n, first + kColumnBlock);
    std::int32_t changed[kColumnBlock];
    alignas(64) float gain[kWideLanes];
    const std::int64_t count =
        context.kernels.descend({gradient_.data(), steps_.data(), change_.data(), matrix, n, first,
                                 last, scales_.grid(), kTolerance, gain, changed});
    if (count == 0) continue;
    total += count;
    for (std::int64_t lane = 0; lane < rows_.count; ++lane) gain_ += gain[lane];
    PanelProduct product{gradient_.data(), change_.data(), matrix, n, changed, count, 0, first};
    context.kernels.add_product(product);
    product.first = last;
    product.last = n;
    context.kernels.add_product(product);
  }
  return total;
}

double DescentPanel::error() const noexcept {
  const std::int64_t n = context_->problem.columns;
  const std::int64_t lanes = context_->kernels.lanes;
  const PanelGrid grid = scales_.grid();
  double total = 0.0;
  for (std::int64_t j = 0; j < n; ++j) {
    const float* scale = grid.scale + grid.block[j] * lanes;
    for (std::int64_t at = j * lanes; at < j * lanes + rows_.count; ++at) {
      const float value = steps_.data()[at] * scale[at - j * lanes];
      total += static_cast<double>(target_.data()[at] - value) * gradient_.data()[at];
    }
  }
  return total;
}

/// Moments of each lane; V H' = T H' - G.
void DescentPanel::row_moments(ScaleMoments* moments) {
  const std::int64_t n = context_->problem.columns;
  double along[kWideLanes];
  double target_part[kWideLanes];
  load_values(0, n, change_.data());
  add_dots(context_->kernels, change_.data(), gradient_.data(), n, along);
  add_dots(context_->kernels, change_.data(), target_product_.data(), n, target_part);
  for (std::int64_t lane = 0; lane < rows_.count; ++lane) {
    moments[lane] = {along[lane], target_part[lane] - along[lane]};
  }
}

/// The gradient after V -> ratio V: G - (ratio - 1) V H'.
void DescentPanel::scale_gradient(const float* ratios) noexcept {
  const std::int64_t n = context_->problem.columns;
  const std::int64_t lanes = context_->kernels.lanes;
  for (std::int64_t j = 0; j < n; ++j) {
    float* gradient = gradient_.data() + j * lanes;
    const float* product = target_product_.data() + j * lanes;
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      gradient[lane] -= ratios[lane] * (product[lane] - gradient[lane]);
    }
  }
}

double DescentPanel::rescale_rows() {
  ScaleMoments moments[kWideLanes];
  float ratios[kWideLanes] = {};  // minus 1
  row_moments(moments);
  double gain = 0.0;
  for (std::int64_t lane = 0; lane < rows_.count; ++lane) {
    const bool lpbq = !row_scales_.empty();
    float& scale = lpbq ? row_scales_[static_cast<std::size_t>(lane)] : scales_.scale(0)[lane];
    const float wanted = better_scale(scale, moments[lane]);
    if (wanted == scale) continue;
    const float old_scale = scale;
    gain += moments[lane].gain();
    ratios[lane] = static_cast<float>(static_cast<double>(wanted) / old_scale - 1.0);
    scale = wanted;
    if (!lpbq) continue;
    for (std::int64_t block = 0; block < context_->map.blocks(); ++block) {
      float& block_scale = scales_.scale(block)[lane];
      block_scale = std::nearbyint(block_scale / old_scale) * wanted;
    }
  }
  if (gain > 0.0) scale_gradient(ratios);
  return gain;
}

double DescentPanel::rescale_block(std::int64_t block) {
  const std::int64_t lanes = context_->kernels.lanes;
  const std::int64_t first = context_->map.first_column(block);
  const std::int64_t last = context_->map.last_column(block);
  float* product = target_product_.data();
  load_values(first, last, change_.data());
  std::fill(product + first * lanes, product + last * lanes, 0.0F);
  add_products(change_.data(), first, last, first, last, product);
  alignas(64) float along[kWideLanes];
  alignas(64) float curvature[kWideLanes];
  context_->kernels.dot(change_.data(), gradient_.data(), first, last, along);
  context_->kernels.dot(change_.data(), product, first, last, curvature);
  float factors[kWideLanes] = {};  // of the change, old value - new value
  double gain = 0.0;
  for (std::int64_t lane = 0; lane < rows_.count; ++lane) {
    const ScaleMoments moments{along[lane], curvature[lane]};
    float& scale = scales_.scale(block)[lane];
    const float wanted = better_scale(scale, moments);
    if (wanted == scale) continue;
    gain += moments.gain();
    factors[lane] = static_cast<float>(1.0 - static_cast<double>(wanted) / scale);
    scale = wanted;
  }
  if (!(gain > 0.0)) return 0.0;
  for (std::int64_t j = first; j < last; ++j) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      change_.data()[j * lanes + lane] *= factors[lane];
    }
  }
  add_products(change_.data(), first, last, 0, context_->problem.columns, gradient_.data());
  return gain;
}

double DescentPanel::rescale_blocks() {
  double gain = 0.0;
  for (std::int64_t block = 0; block < context_->map.blocks(); ++block) {
    gain += rescale_block(block);
  }
  return gain;
}

ScaleMoments DescentPanel::moments() {
  ScaleMoments lanes[kWideLanes];
  row_moments(lanes);
  ScaleMoments sum;
  for (std::int64_t lane = 0; lane < rows_.count; ++lane) {
    sum.along += lanes[lane].along;
    sum.curvature += lanes[lane].curvature;
  }
  return sum;
}

void DescentPanel::set_common_scale(float scale) {
  float ratios[kWideLanes] = {};
  for (std::int64_t lane = 0; lane < rows_.count; ++lane) {
    float& old_scale = scales_.scale(0)[lane];
    ratios[lane] = static_cast<float>(static_cast<double>(scale) / old_scale - 1.0);
    old_scale = scale;
  }
  scale_gradient(ratios);
}

void DescentPanel::store(Rounding& rounding) const {
  store_panel(steps_.data(), context_->problem.columns, rows_, context_->kernels.lanes, nullptr,
              rounding.steps.data());
  if (context_->map.shared()) return;
  for (std::int64_t lane = 0; lane < rows_.count; ++lane) {
    const std::int64_t row = rows_.first + lane;
    for (std::int64_t block = 0; block < context_->map.blocks(); ++block) {
      const std::int64_t at = block * context_->kernels.lanes + lane;
      rounding.grid.scale[context_->map.index(row, block)] = scales_.grid().scale[at];
    }
    if (row_scales_.empty()) continue;
    rounding.grid.row_scale[static_cast<std::size_t>(row)] =
        row_scales_[static_cast<std::size_t>(lane)];
  }
}

}  // namespace hexquant::weights
