#include "weights/coordinate_descent.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "weights/descent_panel.h"

namespace hexquant::weights {
namespace {

/// A sweep that gains less than this part of the error is the last one.
constexpr double kLeastGain = 1e-5;
/// Sweeps after which the gradient is computed anew.
constexpr int kRefreshSweeps = 8;

int descend_panel(const RoundingContext& context, DescentPanel& panel) {
  int sweeps = 0;
  while (sweeps < context.options.max_sweeps) {
    ++sweeps;
    if (!panel.sweep()) break;
    if (!(panel.gain() > kLeastGain * panel.error())) break;
    if (sweeps % kRefreshSweeps == 0) panel.refresh();
  }
  return sweeps;
}

}  // namespace

Rounding descend(const RoundingContext& context, const Rounding& start, int& sweeps) {
  Rounding result = start;
  std::vector<int> taken(static_cast<std::size_t>(context.panel_count()));
  for_each_panel<DescentPanel>(context,
                               [&](std::int64_t i, const PanelRows& rows, DescentPanel& panel) {
                                 panel.load(context, start, rows);
                                 taken[static_cast<std::size_t>(i)] = descend_panel(context, panel);
                                 panel.store(result);
                               });
  sweeps = taken.empty() ? 0 : *std::max_element(taken.begin(), taken.end());
  return result;
}

}  // namespace hexquant::weights
