#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "mixed_precision/unit_order.h"

namespace hexquant::mixed_precision {

/// What a real evaluation of a model says.
struct Evaluated {
  double metric = 0.0;
  double loss = 0.0;     ///< of the task metric against float; lower is better
  double sqnr_db = 0.0;  ///< of the outputs; decides between equal losses
};
using EvaluateFunction = std::function<Evaluated(const Assignment& raised)>;

struct SearchPoint {
  std::string name;  ///< "base", "all", "greedy 12 of 60", "dropped 3"
  Assignment raised;
  double cost = 0.0;
  Evaluated evaluated;
  /// What the final model made from the point lost, once there was one.
  double verified_loss = -std::numeric_limits<double>::infinity();
};

struct SearchOptions {
  std::optional<double> max_loss = std::nullopt;  ///< cheapest point with at most this loss
  std::optional<double> max_cost = std::nullopt;  ///< best point with at most this cost
  int max_evaluations = 24;                       ///< real evaluations, at least 2
};

struct SearchResult {
  std::vector<SearchPoint> points;  ///< every one was evaluated
  std::size_t chosen = 0;
  bool meets_target = false;
};

/// Loss of each point as it is believed: at least what an isotonic regression over all points says,
/// in which loss never falls as the noise grows (pool adjacent violators, Barlow et al. 1972), plus
/// the standard error of the mean that it pools, s / sqrt(n). A metric over a few hundred samples
/// has luck in it, and a search finds luck: a noisier model that scores better than a cleaner one
/// does so by chance. The mean of the two is as likely too low as too high; how far losses of one
/// pool lie apart says how much chance there is. A verified loss is believed of its point and of
/// all noisier ones.
[[nodiscard]] std::vector<double> believed_losses(const std::vector<SearchPoint>& points);

/// The point to take: with a loss, the cheapest one that meets the target; else the best that is
/// cheap enough. None meets it: the best of all, or the cheapest when none is cheap enough.
struct Choice {
  std::size_t point = 0;
  bool meets_target = false;
};
[[nodiscard]] Choice choose_point(const std::vector<SearchPoint>& points,
                                  const SearchOptions& options);

/// Searches the widths. Losses are believed ones (believed_losses).
///
/// 1. Units are ranked (rank_units). Nothing raised, everything raised, and what lowers the cost
///    raised are evaluated, then by bisection the shortest beginning of the ranking that meets the
///    target (with max_cost: the longest that is cheap enough), to 0.2 % of cost or half a dB of
///    noise, below which two losses differ by luck.
/// 2. Exchange: raises of the best point are taken back along takeback_path, as far as the target
///    is kept (bisection); the step that was one too many is left in, and a new path begun.
/// 3. A sixth of the evaluations goes to points along the ranking, evenly spread.
///
/// So single effects only propose; every point of the result was really evaluated. An unreachable
/// target gives the point that comes nearest, with meets_target = false.
[[nodiscard]] SearchResult search_widths(const std::vector<RaisableUnit>& units,
                                         const CostFunction& cost, const EvaluateFunction& evaluate,
                                         const SearchOptions& options);

/// Indices of the points that no other beats in both cost and loss, by cost.
[[nodiscard]] std::vector<std::size_t> pareto_front(const std::vector<SearchPoint>& points);

}  // namespace hexquant::mixed_precision
