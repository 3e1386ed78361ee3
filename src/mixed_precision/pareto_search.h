#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace hexquant::mixed_precision {

/// Something that can get more bits: the weights of a layer, or a value with the layers at both of
/// its ends.
struct RaisableUnit {
  std::string name;
  double gain = 0.0;  ///< damage that it does at its lower width, measured alone; >= 0
  /// Units whose cost depends on whether this one is raised: they share layers.
  std::vector<std::size_t> neighbours = {};
};

/// Which units are raised, by their index.
using Assignment = std::vector<bool>;

/// Predicted cost of a model, in microseconds (or any other unit that is to be kept low).
using CostFunction = std::function<double(const Assignment& raised)>;

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

/// Units in the order in which they are worth raising: the largest gain for each unit of added
/// cost first, the cost being that of the model so far with the unit (so that a unit beside raised
/// ones, which takes a conversion away instead of adding one, comes early). Units that lower the
/// cost come before all others; units that neither gain nor save are left out. Costs are asked for
/// lazily: a unit's ratio is computed again when it is the best, and when a neighbour was raised.
[[nodiscard]] std::vector<std::size_t> rank_units(const std::vector<RaisableUnit>& units,
                                                  const CostFunction& cost);

/// Loss of each point as it is believed: at least what an isotonic regression over all points says,
/// in which loss never falls as the noise grows (pool adjacent violators, Barlow et al. 1972). A
/// metric over a few hundred samples has luck in it, and a search finds luck: a noisier model that
/// scores better than a cleaner one does so by chance, and the truth lies between the two.
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
/// 1. Units are ranked (rank_units). Nothing raised, everything raised, what lowers the cost
/// raised,
///    and points between them are evaluated: by bisection the shortest beginning of the ranking
///    that meets the target (with max_cost: the longest that is cheap enough), else evenly spread.
/// 2. Local exchange: raises of the best point that do not help are taken back, those of the least
///    gain for their cost first, several at a time, each step evaluated.
///
/// So single effects only propose; every point of the result was really evaluated. An unreachable
/// target gives the point that comes nearest, with meets_target = false.
[[nodiscard]] SearchResult search_widths(const std::vector<RaisableUnit>& units,
                                         const CostFunction& cost, const EvaluateFunction& evaluate,
                                         const SearchOptions& options);

/// Indices of the points that no other beats in both cost and loss, by cost.
[[nodiscard]] std::vector<std::size_t> pareto_front(const std::vector<SearchPoint>& points);

}  // namespace hexquant::mixed_precision
