#include "mixed_precision/unit_order.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <queue>
#include <utility>

namespace hexquant::mixed_precision {
namespace {

constexpr double kSmallestCost = 1e-6;
/// More than any gain for kSmallestCost.
constexpr double kWorthOfSaving = 1e15;

std::map<std::size_t, Units> units_of_layers(const std::vector<RaisableUnit>& units) {
  std::map<std::size_t, Units> result;
  for (std::size_t u = 0; u < units.size(); ++u) {
    for (const std::size_t layer : units[u].layers) result[layer].push_back(u);
  }
  return result;
}

/// A raise that lowers the cost is worth it whatever it gains.
double worth(double gain, double added_cost) {
  if (added_cost < 0.0) return kWorthOfSaving - added_cost;
  return gain / std::max(added_cost, kSmallestCost);
}

/// Takes back one thing after the other.
class TakebackPath {
 public:
  TakebackPath(const std::vector<RaisableUnit>& units, const CostFunction& cost, Assignment raised,
               const std::set<Units>& needed)
      : units_(units), cost_(cost), raised_(std::move(raised)), cost_now_(cost(raised_)) {
    for (std::size_t u = 0; u < units_.size(); ++u) {
      if (raised_[u]) add({u}, needed);
    }
    for (const auto& [layer, all] : units_of_layers(units_)) {
      Units of_layer;
      std::copy_if(all.begin(), all.end(), std::back_inserter(of_layer),
                   [&](std::size_t unit) { return raised_[unit]; });
      if (of_layer.size() > 1) add(std::move(of_layer), needed);
    }
  }

  std::vector<Takeback> run() {
    std::vector<Takeback> path;
    while (true) {
      const auto best = std::max_element(
          moves_.begin(), moves_.end(),
          [](const Move& a, const Move& b) { return a.saved_for_gain < b.saved_for_gain; });
      if (best == moves_.end() || best->saved_for_gain <= 0.0) return path;
      Assignment fewer = without(best->units);
      const double cost = cost_(fewer);
      if (cost >= cost_now_) {  // it saved something before its surroundings changed
        best->saved_for_gain = 0.0;
        continue;
      }
      const Units units = best->units;
      raised_ = std::move(fewer);
      cost_now_ = cost;
      path.push_back({units, raised_, cost});
      value_again(units);
    }
  }

 private:
  struct Move {
    Units units;
    double saved_for_gain;  ///< 0 = not worth taking back
  };

  void add(Units units, const std::set<Units>& needed) {
    const auto is_same = [&](const Units& step) {
      Units left;
      std::copy_if(step.begin(), step.end(), std::back_inserter(left),
                   [&](std::size_t unit) { return raised_[unit]; });
      return left == units;
    };
    if (std::any_of(needed.begin(), needed.end(), is_same)) return;
    moves_.push_back({std::move(units), 0.0});
    value(moves_.back());
  }

  [[nodiscard]] Assignment without(const Units& units) const {
    Assignment fewer = raised_;
    for (const std::size_t unit : units) fewer[unit] = false;
    return fewer;
  }

  void value(Move& move) const {
    const double saved = cost_now_ - cost_(without(move.units));
    double gain = 0.0;
    for (const std::size_t unit : move.units) gain += raised_[unit] ? units_[unit].gain : 0.0;
    move.saved_for_gain = saved <= 0.0 ? 0.0 : worth(saved, gain);
  }

  /// Drops what is taken back, and values again what shares a layer with it.
  void value_again(const Units& taken) {
    std::set<std::size_t> layers;
    for (const std::size_t unit : taken) {
      layers.insert(units_[unit].layers.begin(), units_[unit].layers.end());
    }
    std::erase_if(moves_, [&](const Move& move) {
      return std::none_of(move.units.begin(), move.units.end(),
                          [&](std::size_t unit) { return raised_[unit]; });
    });
    for (Move& move : moves_) {
      const bool is_beside = std::any_of(move.units.begin(), move.units.end(), [&](std::size_t u) {
        return std::any_of(units_[u].layers.begin(), units_[u].layers.end(),
                           [&](std::size_t layer) { return layers.contains(layer); });
      });
      if (is_beside) value(move);
    }
  }

  const std::vector<RaisableUnit>& units_;
  const CostFunction& cost_;
  Assignment raised_;
  double cost_now_;
  std::vector<Move> moves_;
};

}  // namespace

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
  const std::map<std::size_t, Units> of_layer = units_of_layers(units);
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
    for (const std::size_t layer : units[best.unit].layers) {
      for (const std::size_t neighbour : of_layer.at(layer)) {
        const bool is_known = latest[neighbour] == order.size();  // by another common layer
        if (!raised[neighbour] && !is_known) push(neighbour, order.size());
      }
    }
  }
  return order;
}

std::vector<Takeback> takeback_path(const std::vector<RaisableUnit>& units,
                                    const CostFunction& cost, const Assignment& raised,
                                    const std::set<Units>& needed) {
  return TakebackPath(units, cost, raised, needed).run();
}

}  // namespace hexquant::mixed_precision
