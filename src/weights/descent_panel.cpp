#include "weights/descent_panel.h"

#include <algorithm>

#include "weights/panel_search.h"

namespace hexquant::weights {
namespace {

/// A change must gain this part of what it would cost alone: below that, floats cannot tell.
constexpr float kTolerance = 1e-5F;

}  // namespace

void DescentPanel::load(const RoundingContext& context, const Rounding& rounding,
                        const PanelRows& rows) {
  context_ = &context;
  rows_ = rows;
  for (AlignedFloats* buffer : {&target_, &steps_, &gradient_, &change_}) {
    buffer->resize(context.panel_floats());
  }
  const std::int64_t n = context.problem.columns;
  load_panel(context.problem.target.data(), n, rows, context.kernels.lanes, nullptr,
             target_.data());
  load_panel(rounding.steps.data(), n, rows, context.kernels.lanes, nullptr, steps_.data());
  scales_.load(context, rounding.grid, rows, nullptr);
  gain_ = 0.0;
  refresh();
}

void DescentPanel::add_products(const float* panel, std::int64_t first, std::int64_t last,
                                float* result) {
  const std::int64_t n = context_->problem.columns;
  for (std::int64_t column = first; column < last; column += kColumnBlock) {
    const std::int64_t end = std::min(last, column + kColumnBlock);
    context_->kernels.add_product({result, panel, context_->gram.matrix_of(rows_.group), n,
                                   context_->all_columns.data() + column, end - column, 0, n});
  }
}

void DescentPanel::refresh() {
  const std::int64_t n = context_->problem.columns;
  const std::int64_t lanes = context_->kernels.lanes;
  const PanelGrid grid = scales_.grid();
  for (std::int64_t j = 0; j < n; ++j) {
    const float* scale = grid.scale + grid.block[j] * lanes;
    for (std::int64_t at = j * lanes; at < (j + 1) * lanes; ++at) {
      change_.data()[at] = target_.data()[at] - steps_.data()[at] * scale[at - j * lanes];
    }
  }
  std::fill_n(gradient_.data(), n * lanes, 0.0F);
  add_products(change_.data(), 0, n, gradient_.data());
}

bool DescentPanel::sweep() {
  const RoundingContext& context = *context_;
  const std::int64_t n = context.problem.columns;
  const float* matrix = context.gram.matrix_of(rows_.group);
  bool any = false;
  gain_ = 0.0;
  for (std::int64_t first = 0; first < n; first += kColumnBlock) {
    const std::int64_t last = std::min(n, first + kColumnBlock);
    std::int32_t changed[kColumnBlock];
    alignas(64) float gain[kWideLanes];
    const std::int64_t count =
        context.kernels.descend({gradient_.data(), steps_.data(), change_.data(), matrix, n, first,
                                 last, scales_.grid(), kTolerance, gain, changed});
    if (count == 0) continue;
    any = true;
    for (std::int64_t lane = 0; lane < rows_.count; ++lane) gain_ += gain[lane];
    PanelProduct product{gradient_.data(), change_.data(), matrix, n, changed, count, 0, first};
    context.kernels.add_product(product);
    product.first = last;
    product.last = n;
    context.kernels.add_product(product);
  }
  return any;
}

double DescentPanel::error() {
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

void DescentPanel::store(Rounding& rounding) const {
  store_panel(steps_.data(), context_->problem.columns, rows_, context_->kernels.lanes, nullptr,
              rounding.steps.data());
}

}  // namespace hexquant::weights
