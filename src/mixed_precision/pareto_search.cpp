#include "mixed_precision/pareto_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"
#include "mixed_precision/unit_order.h"

namespace hexquant::mixed_precision {
namespace {

/// Relative difference of costs, and difference of noise in dB, below which the search does not go
/// on halving.
constexpr double kSameCost = 0.002;
constexpr double kSameNoiseDb = 0.5;

/// Losses of models whose order by noise and by loss disagree.
struct Pool {
  std::vector<double> losses;  ///< the cleanest model's first

  void add(double loss) { losses.push_back(loss); }
  void add(const Pool& other) {
    losses.insert(losses.end(), other.losses.begin(), other.losses.end());
  }
  [[nodiscard]] double mean() const {
    return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
  }
  /// Of the mean; 0 for a single loss.
  [[nodiscard]] double standard_error() const {
    if (losses.size() < 2) return 0.0;
    const double middle = mean();
    double squares = 0.0;
    for (const double loss : losses) squares += (loss - middle) * (loss - middle);
    const auto count = static_cast<double>(losses.size());
    return std::sqrt(squares / (count - 1.0) / count);
  }
};

/// Lower loss first, then less noise, then lower cost.
bool is_better(const SearchPoint& a, const SearchPoint& b) {
  if (a.evaluated.loss != b.evaluated.loss) return a.evaluated.loss < b.evaluated.loss;
  if (a.evaluated.sqnr_db != b.evaluated.sqnr_db) {
    return a.evaluated.sqnr_db > b.evaluated.sqnr_db;
  }
  return a.cost < b.cost;
}

bool fits(double cost, const SearchOptions& options) {
  return !options.max_cost || cost <= *options.max_cost;
}

std::size_t nearest_point(const std::vector<SearchPoint>& points, const SearchOptions& options) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const bool now = fits(points[i].cost, options);
    const bool before = fits(points[best].cost, options);
    const bool is_nearer = now != before ? now
                           : now         ? is_better(points[i], points[best])
                                         : points[i].cost < points[best].cost;
    if (is_nearer) best = i;
  }
  return best;
}

class Search {
 public:
  Search(const std::vector<RaisableUnit>& units, const CostFunction& cost,
         const EvaluateFunction& evaluate, const SearchOptions& options)
      : units_(units), cost_(cost), evaluate_(evaluate), options_(options) {
    if (options_.max_evaluations < 2) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("{} evaluations: expected 2 or more", options_.max_evaluations));
    }
  }

  SearchResult run() {
    order_ = rank_units(units_, cost_);
    try_prefix(0);
    try_prefix(order_.size());
    if (has_budget()) try_prefix(cheapest_beginning());
    const bool is_searched = !options_.max_loss || !meets(0);
    if (is_searched) bisect();
    choose();
    if (result_.meets_target) exchange();
    if (is_searched) spread();
    choose();
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool has_budget() const {
    return std::ssize(result_.points) < options_.max_evaluations;
  }

  [[nodiscard]] bool meets(std::size_t point) const {
    return fits(result_.points[point].cost, options_) && (!options_.max_loss || loss_is_met(point));
  }

  [[nodiscard]] Assignment prefix(std::size_t count) const {
    Assignment raised(units_.size(), false);
    for (std::size_t i = 0; i < count; ++i) raised[order_[i]] = true;
    return raised;
  }

  /// Index of the point, evaluated now unless it is known.
  std::size_t try_point(const std::string& name, Assignment raised) {
    for (std::size_t i = 0; i < result_.points.size(); ++i) {
      if (result_.points[i].raised == raised) return i;
    }
    SearchPoint point;
    point.name = name;
    point.cost = cost_(raised);
    point.evaluated = evaluate_(raised);
    point.raised = std::move(raised);
    result_.points.push_back(std::move(point));
    return result_.points.size() - 1;
  }

  std::size_t try_prefix(std::size_t count) {
    const std::string name = count == 0 ? "base"
                             : count == order_.size()
                                 ? "all"
                                 : format("greedy {} of {}", count, order_.size());
    return try_point(name, prefix(count));
  }

  /// Raises that lower the cost come first in the ranking; usually there are none.
  [[nodiscard]] std::size_t cheapest_beginning() const {
    std::size_t count = 0;
    while (count < order_.size() && cost_(prefix(count + 1)) < cost_(prefix(count))) ++count;
    return count;
  }

  /// The border of the target along the ranking: with a loss, the shortest beginning that meets it;
  /// with a cost alone, the longest that does.
  void bisect() {
    std::size_t low = 0;
    std::size_t high = order_.size();
    while (high - low > 1 && has_budget() && is_wide(low, high)) {
      const std::size_t middle = low + (high - low) / 2;
      const bool is_enough = options_.max_loss ? loss_is_met(try_prefix(middle))
                                               : !fits(cost_(prefix(middle)), options_);
      (is_enough ? high : low) = middle;
    }
    if (!options_.max_loss && has_budget()) try_prefix(low);
  }

  /// Two beginnings of nearly one cost are as good as one: the longer has less damage. Of nearly
  /// one noise, the loss does not tell them apart.
  [[nodiscard]] bool is_wide(std::size_t low, std::size_t high) {
    const double cost = cost_(prefix(high));
    if (std::abs(cost - cost_(prefix(low))) <= kSameCost * cost) return false;
    if (!options_.max_loss) return true;
    const auto noise_db = [this](std::size_t count) {
      return result_.points[try_prefix(count)].evaluated.sqnr_db;  // known
    };
    return !(std::abs(noise_db(high) - noise_db(low)) < kSameNoiseDb);
  }

  [[nodiscard]] bool loss_is_met(std::size_t point) const {
    return believed_losses(result_.points)[point] <= *options_.max_loss;
  }

  /// Evaluations that are kept to show the front itself.
  [[nodiscard]] int spread_evaluations() const { return options_.max_evaluations / 6; }

  [[nodiscard]] bool has_budget_to_exchange() const {
    return std::ssize(result_.points) < options_.max_evaluations - spread_evaluations();
  }

  void spread() {
    const int wanted = spread_evaluations();
    for (int i = 1; i <= wanted && has_budget(); ++i) {
      try_prefix(order_.size() * static_cast<std::size_t>(i) /
                 static_cast<std::size_t>(wanted + 1));
    }
  }

  void choose() {
    const Choice choice = choose_point(result_.points, options_);
    result_.chosen = choice.point;
    result_.meets_target = choice.meets_target;
  }

  /// Takes raises back while the target is kept: the longest beginning of a path of takebacks,
  /// found by bisection, then of the path that leaves out the step that was one too many.
  void exchange() {
    if (!options_.max_loss) return;
    std::set<Units> needed;
    std::size_t start = result_.chosen;
    while (has_budget_to_exchange()) {
      const std::vector<Takeback> path =
          takeback_path(units_, cost_, result_.points[start].raised, needed);
      std::size_t kept = 0;  // steps that are known to keep the target
      std::size_t lost = path.size() + 1;
      while (lost - kept > 1 && has_budget_to_exchange()) {
        const std::size_t middle = kept + (lost - kept) / 2;
        const Takeback& step = path[middle - 1];
        const std::size_t point =
            try_point(format("without {} of {}", middle, path.size()), step.raised);
        (meets(point) ? kept : lost) = middle;
        if (kept == middle) start = point;
      }
      if (lost > path.size()) return;  // all of it is taken back
      needed.insert(path[lost - 1].units);
    }
  }

  const std::vector<RaisableUnit>& units_;
  const CostFunction& cost_;
  const EvaluateFunction& evaluate_;
  const SearchOptions& options_;
  std::vector<std::size_t> order_;
  SearchResult result_;
};

}  // namespace

std::vector<double> believed_losses(const std::vector<SearchPoint>& points) {
  std::vector<std::size_t> cleanest_first(points.size());
  std::iota(cleanest_first.begin(), cleanest_first.end(), std::size_t{0});
  std::stable_sort(cleanest_first.begin(), cleanest_first.end(), [&](std::size_t a, std::size_t b) {
    const Evaluated& one = points[a].evaluated;
    const Evaluated& other = points[b].evaluated;
    // Of equal noise nothing can be said: such points stay as they are.
    return one.sqnr_db != other.sqnr_db ? one.sqnr_db > other.sqnr_db : one.loss < other.loss;
  });
  // Neighbours whose means fall are pooled until the means rise with the noise.
  std::vector<Pool> pools;
  for (const std::size_t point : cleanest_first) {
    pools.push_back({});
    pools.back().add(points[point].evaluated.loss);
    while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
      pools[pools.size() - 2].add(pools.back());
      pools.pop_back();
    }
  }
  std::vector<double> losses(points.size());
  auto next = cleanest_first.begin();
  for (const Pool& pool : pools) {
    const double believed = pool.mean() + pool.standard_error();
    for (const double loss : pool.losses) losses[*next++] = std::max(loss, believed);
  }
  double verified = -std::numeric_limits<double>::infinity();
  for (const std::size_t point : cleanest_first) {
    verified = std::max(verified, points[point].verified_loss);
    losses[point] = std::max(losses[point], verified);
  }
  return losses;
}

Choice choose_point(const std::vector<SearchPoint>& points, const SearchOptions& options) {
  const std::vector<double> losses = believed_losses(points);
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool meets =
        fits(points[i].cost, options) && (!options.max_loss || losses[i] <= *options.max_loss);
    if (!meets) continue;
    if (!best || (options.max_loss ? points[i].cost < points[*best].cost
                                   : is_better(points[i], points[*best]))) {
      best = i;
    }
  }
  return {best.value_or(nearest_point(points, options)), best.has_value()};
}

SearchResult search_widths(const std::vector<RaisableUnit>& units, const CostFunction& cost,
                           const EvaluateFunction& evaluate, const SearchOptions& options) {
  return Search(units, cost, evaluate, options).run();
}

std::vector<std::size_t> pareto_front(const std::vector<SearchPoint>& points) {
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool is_beaten = std::any_of(points.begin(), points.end(), [&](const SearchPoint& other) {
      return other.cost <= points[i].cost && other.evaluated.loss <= points[i].evaluated.loss &&
             (other.cost < points[i].cost || other.evaluated.loss < points[i].evaluated.loss);
    });
    if (!is_beaten) front.push_back(i);
  }
  std::stable_sort(front.begin(), front.end(),
                   [&](std::size_t a, std::size_t b) { return points[a].cost < points[b].cost; });
  return front;
}

}  // namespace hexquant::mixed_precision
