#include "weights/coordinate_descent.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "weights/descent_panel.h"

namespace hexquant::weights {
namespace {

/// A sweep that gains less than this part of the error is the last one.
constexpr double kLeastGain = 1e-5;
/// Scales whose change gains less than this part of the error are left alone from then on.
constexpr double kLeastRescaleGain = 1e-4;
/// Sweeps after which the gradient is computed anew.
constexpr int kRefreshSweeps = 8;

/// Rows whose scales are their own.
int descend_panel(const RoundingContext& context, DescentPanel& panel) {
  const bool by_block =
      context.spec.granularity == Granularity::kGroup && context.spec.block_scale_bits == 0;
  bool rescale = context.options.rescale;
  double error = panel.error();
  int sweeps = 0;
  while (sweeps < context.options.max_sweeps) {
    ++sweeps;
    (void)panel.sweep();
    double gain = panel.gain();
    if (rescale) {
      const double scale_gain = by_block ? panel.rescale_blocks() : panel.rescale_rows();
      rescale = scale_gain > kLeastRescaleGain * error;
      gain += scale_gain;
    }
    if (!(gain > kLeastGain * error)) break;
    if (sweeps % kRefreshSweeps == 0) panel.refresh();
    error = panel.error();
  }
  return sweeps;
}

void descend_apart(const RoundingContext& context, const Rounding& start, Rounding& result,
                   int& sweeps) {
  std::vector<int> taken(static_cast<std::size_t>(context.panel_count()));
  for_each_panel<DescentPanel>(context,
                               [&](std::int64_t i, const PanelRows& rows, DescentPanel& panel) {
                                 panel.load(context, start, rows, context.options.rescale);
                                 taken[static_cast<std::size_t>(i)] = descend_panel(context, panel);
                                 panel.store(result);
                               });
  sweeps = *std::max_element(taken.begin(), taken.end());
}

/// All panels under one scale, kept side by side.
class SharedDescent {
 public:
  SharedDescent(const RoundingContext& context, const Rounding& start)
      : context_(context),
        scale_(start.grid.scale[0]),
        panels_(static_cast<std::size_t>(context.panel_count())) {
    for_each([&](std::size_t i) {
      panels_[i].load(context_, start, context_.panel(static_cast<std::int64_t>(i)),
                      context_.options.rescale);
    });
  }

  [[nodiscard]] int run() {
    bool rescale_wanted = context_.options.rescale;
    int sweeps = 0;
    while (sweeps < context_.options.max_sweeps) {
      ++sweeps;
      for_each([&](std::size_t i) { (void)panels_[i].sweep(); });
      const double error =
          sum([](const DescentPanel& panel) { return panel.error() + panel.gain(); });
      double gain = sum([](const DescentPanel& panel) { return panel.gain(); });
      if (rescale_wanted) {
        const double scale_gain = rescale();
        rescale_wanted = scale_gain > kLeastRescaleGain * error;
        gain += scale_gain;
      }
      if (!(gain > kLeastGain * error)) break;
      if (sweeps % kRefreshSweeps == 0) for_each([&](std::size_t i) { panels_[i].refresh(); });
    }
    return sweeps;
  }

  void store(Rounding& result) {
    for_each([&](std::size_t i) { panels_[i].store(result); });
    result.grid.scale[0] = scale_;
  }

 private:
  template <class Body>
  void for_each(const Body& body) {
    parallel_for(context_.panel_count(), context_.options.threads,
                 [&](std::int64_t i) { body(static_cast<std::size_t>(i)); });
  }

  template <class Term>
  double sum(const Term& term) {
    std::vector<double> terms(panels_.size());
    for_each([&](std::size_t i) { terms[i] = term(panels_[i]); });
    double total = 0.0;
    for (const double value : terms) total += value;
    return total;
  }

  double rescale() {
    std::vector<ScaleMoments> moments(panels_.size());
    for_each([&](std::size_t i) { moments[i] = panels_[i].moments(); });
    ScaleMoments total;
    for (const ScaleMoments& part : moments) {
      total.along += part.along;
      total.curvature += part.curvature;
    }
    const float wanted = better_scale(scale_, total);
    if (wanted == scale_) return 0.0;
    scale_ = wanted;
    for_each([&](std::size_t i) { panels_[i].set_common_scale(wanted); });
    return total.gain();
  }

  const RoundingContext& context_;
  float scale_;
  std::vector<DescentPanel> panels_;
};

}  // namespace

Rounding descend(const RoundingContext& context, const Rounding& start, int& sweeps) {
  Rounding result = start;
  if (context.map.shared()) {
    SharedDescent descent(context, start);
    sweeps = descent.run();
    descent.store(result);
  } else {
    descend_apart(context, start, result, sweeps);
  }
  return result;
}

}  // namespace hexquant::weights
