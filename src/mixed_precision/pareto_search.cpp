#include "mixed_precision/pareto_search.h"

#include <algorithm>
#include <numeric>
#include <queue>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::mixed_precision {
namespace {

constexpr double kSmallestCost = 1e-6;
/// More than any gain for kSmallestCost.
constexpr double kWorthOfSaving = 1e15;

/// A raise that lowers the cost is worth it whatever it gains.
double worth(double gain, double added_cost) {
  if (added_cost < 0.0) return kWorthOfSaving - added_cost;
  return gain / std::max(added_cost, kSmallestCost);
}

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
    if (!options_.max_loss || !meets(0)) {
      bisect();
      spread();
    }
    choose();
    if (result_.meets_target) exchange();
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
    while (high - low > 1 && has_budget()) {
      const std::size_t middle = low + (high - low) / 2;
      const bool is_enough = options_.max_loss ? loss_is_met(try_prefix(middle))
                                               : !fits(cost_(prefix(middle)), options_);
      (is_enough ? high : low) = middle;
    }
    if (!options_.max_loss && has_budget()) try_prefix(low);
  }

  [[nodiscard]] bool loss_is_met(std::size_t point) const {
    return believed_losses(result_.points)[point] <= *options_.max_loss;
  }

  /// A third of the evaluations shows the front itself.
  void spread() {
    const int wanted = options_.max_evaluations / 6;
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

  /// Raised units of a point, the least worth first.
  [[nodiscard]] std::vector<std::size_t> droppable(const SearchPoint& point) const {
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t u = 0; u < units_.size(); ++u) {
      if (!point.raised[u]) continue;
      Assignment without = point.raised;
      without[u] = false;
      order.emplace_back(worth(units_[u].gain, point.cost - cost_(without)), u);
    }
    std::sort(order.begin(), order.end());
    std::vector<std::size_t> units;
    for (const auto& [value, unit] : order) units.push_back(unit);
    return units;
  }

  /// Takes raises back while the target is kept, a quarter of them at first, then fewer.
  void exchange() {
    if (!options_.max_loss) return;
    std::vector<std::size_t> order = droppable(result_.points[result_.chosen]);
    Assignment raised = result_.points[result_.chosen].raised;
    double cost = result_.points[result_.chosen].cost;
    std::size_t step = std::max<std::size_t>(1, order.size() / 4);
    std::size_t at = 0;
    while (at < order.size() && has_budget()) {
      const std::size_t count = std::min(step, order.size() - at);
      Assignment without = raised;
      for (std::size_t i = 0; i < count; ++i) without[order[at + i]] = false;
      const bool is_cheaper = cost_(without) < cost;
      if (is_cheaper) {
        const std::size_t point = try_point(format("without {} of these", count), without);
        if (meets(point)) {
          raised = std::move(without);
          cost = result_.points[point].cost;
          at += count;
          continue;
        }
      }
      if (step == 1) {
        ++at;
      } else {
        step = std::max<std::size_t>(1, step / 2);
      }
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
  struct Pool {
    double sum;
    std::size_t count;
    [[nodiscard]] double mean() const { return sum / static_cast<double>(count); }
  };
  std::vector<Pool> pools;
  for (const std::size_t point : cleanest_first) {
    pools.push_back({points[point].evaluated.loss, 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
      pools[pools.size() - 2].sum += pools.back().sum;
      pools[pools.size() - 2].count += pools.back().count;
      pools.pop_back();
    }
  }
  std::vector<double> losses(points.size());
  auto next = cleanest_first.begin();
  for (const Pool& pool : pools) {
    for (std::size_t i = 0; i < pool.count; ++i, ++next) {
      losses[*next] = std::max(points[*next].evaluated.loss, pool.mean());
    }
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

std::vector<std::size_t> rank_units(const std::vector<RaisableUnit>& units,
                                    const CostFunction& cost) {
  struct Entry {
    double worth;
    std::size_t unit;
    std::size_t known_at;  ///< number of raised units for which it was computed
    bool operator<(const Entry& other) const {
      return worth != other.worth ? worth < other.worth : unit > other.unit;
    }
  };
  Assignment raised(units.size(), false);
  std::vector<std::size_t> latest(units.size(), 0);  // known_at of the entry that counts
  double cost_now = cost(raised);
  std::priority_queue<Entry> queue;
  const auto push = [&](std::size_t unit, std::size_t known_at) {
    raised[unit] = true;
    const double added = cost(raised) - cost_now;
    raised[unit] = false;
    latest[unit] = known_at;
    if (units[unit].gain > 0.0 || added < 0.0) {
      queue.push({worth(units[unit].gain, added), unit, known_at});
    }
  };
  for (std::size_t u = 0; u < units.size(); ++u) push(u, 0);
  std::vector<std::size_t> order;
  while (!queue.empty()) {
    const Entry best = queue.top();
    queue.pop();
    if (raised[best.unit] || best.known_at != latest[best.unit]) continue;
    if (best.known_at != order.size()) {
      push(best.unit, order.size());
      continue;
    }
    raised[best.unit] = true;
    cost_now = cost(raised);
    order.push_back(best.unit);
    for (const std::size_t neighbour : units[best.unit].neighbours) {
      if (!raised[neighbour]) push(neighbour, order.size());
    }
  }
  return order;
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
