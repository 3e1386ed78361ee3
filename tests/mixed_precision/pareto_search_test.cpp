#include "mixed_precision/pareto_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "hexquant/error.h"

namespace hexquant::mixed_precision {
namespace {

using testing::ElementsAre;

/// Units with costs that add up, and a loss that is the sum of the gains left on the table.
struct Additive {
  std::vector<RaisableUnit> units;
  std::vector<double> costs;
  int evaluations = 0;

  [[nodiscard]] CostFunction cost() {
    return [this](const Assignment& raised) {
      double sum = 10.0;
      for (std::size_t u = 0; u < raised.size(); ++u) sum += raised[u] ? costs[u] : 0.0;
      return sum;
    };
  }
  [[nodiscard]] EvaluateFunction evaluate() {
    return [this](const Assignment& raised) {
      ++evaluations;
      Evaluated result;
      for (std::size_t u = 0; u < raised.size(); ++u) result.loss += raised[u] ? 0 : units[u].gain;
      result.metric = 1.0 - result.loss;
      result.sqnr_db = 60.0 - 10.0 * result.loss;
      return result;
    };
  }
};

Additive four_units() {
  return {{{"a", 8.0}, {"b", 4.0}, {"c", 1.0}, {"none", 0.0}}, {8.0, 1.0, 1.0, 1.0}};
}

TEST(RankUnits, MostGainForTheCostFirstAndNothingWithoutGain) {
  Additive net = four_units();
  EXPECT_THAT(rank_units(net.units, net.cost()), ElementsAre(1, 0, 2));
}

TEST(RankUnits, WhatLowersTheCostComesFirstWhateverItGains) {
  Additive net = four_units();
  net.costs[2] = -0.5;
  net.costs[3] = -2.0;
  EXPECT_THAT(rank_units(net.units, net.cost()), ElementsAre(3, 2, 1, 0));
}

TEST(RankUnits, ANeighbourThatTakesAConversionAwayComesEarly) {
  // Raising either of 0 and 1 alone costs 10 for its borders; both together cost 2.
  const std::vector<RaisableUnit> units = {{"left", 5.0, {7}}, {"right", 1.0, {7}}, {"other", 0.4}};
  const CostFunction cost = [](const Assignment& raised) {
    double sum = raised[0] && raised[1] ? 2.0 : raised[0] || raised[1] ? 10.0 : 0.0;
    if (raised[2]) sum += 1.0;
    return sum;
  };
  EXPECT_THAT(rank_units(units, cost), ElementsAre(0, 1, 2));
}

TEST(SearchWidths, FindsTheCheapestPointOfTheTarget) {
  Additive net = four_units();
  const SearchResult result =
      search_widths(net.units, net.cost(), net.evaluate(), {.max_loss = 1.5});
  EXPECT_TRUE(result.meets_target);
  const SearchPoint& chosen = result.points[result.chosen];
  EXPECT_THAT(chosen.raised, ElementsAre(true, true, false, false));
  EXPECT_DOUBLE_EQ(chosen.cost, 19.0);
  EXPECT_DOUBLE_EQ(chosen.evaluated.loss, 1.0);
  EXPECT_EQ(net.evaluations, static_cast<int>(result.points.size())) << "each point once";
}

TEST(SearchWidths, TakesWhatIsFasterAlsoWhereTheBaseIsGoodEnough) {
  Additive net = four_units();
  net.costs[3] = -2.0;
  const SearchResult result =
      search_widths(net.units, net.cost(), net.evaluate(), {.max_loss = 20.0});
  EXPECT_THAT(result.points[result.chosen].raised, ElementsAre(false, false, false, true));
  EXPECT_DOUBLE_EQ(result.points[result.chosen].cost, 8.0);
}

TEST(SearchWidths, TakesBackWhatDoesNotHelpTogether) {
  // Alone each of the two does damage; together they do the same damage once, so one is enough.
  const std::vector<RaisableUnit> units = {{"a", 3.0}, {"b", 2.0}, {"c", 2.9}};
  const CostFunction cost = [](const Assignment& raised) {
    return 5.0 + static_cast<double>(std::count(raised.begin(), raised.end(), true));
  };
  const EvaluateFunction evaluate = [](const Assignment& raised) {
    return Evaluated{0.0, (raised[1] ? 0.0 : 2.0) + (raised[0] || raised[2] ? 0.0 : 3.0), 0.0};
  };
  const SearchResult result = search_widths(units, cost, evaluate, {.max_loss = 0.0});
  EXPECT_TRUE(result.meets_target);
  EXPECT_DOUBLE_EQ(result.points[result.chosen].cost, 7.0);
}

TEST(SearchWidths, TakesAllOfALayerBackAtOnce) {
  // Layer 3 costs 10 as soon as one of its three units is raised, and its damage does not matter to
  // the metric: any one of the three alone saves nothing.
  const std::vector<RaisableUnit> units = {
      {"a", 3.0, {3}}, {"b", 3.0, {3}}, {"c", 3.0, {3}}, {"d", 1.0, {4}}};
  const CostFunction cost = [](const Assignment& raised) {
    return 5.0 + (raised[0] || raised[1] || raised[2] ? 10.0 : 0.0) + (raised[3] ? 8.0 : 0.0);
  };
  const EvaluateFunction evaluate = [](const Assignment& raised) {
    const auto count = static_cast<double>(std::count(raised.begin(), raised.end(), true));
    return Evaluated{0.0, raised[3] ? 0.0 : 1.0, count + (raised[3] ? 10.0 : 0.0)};
  };
  const SearchResult result = search_widths(units, cost, evaluate, {.max_loss = 0.5});
  ASSERT_TRUE(result.meets_target);
  EXPECT_THAT(result.points[result.chosen].raised, ElementsAre(false, false, false, true));
}

TEST(SearchWidths, StopsHalvingWhereTheCostStaysTheSame) {
  Additive net;
  for (int u = 0; u < 256; ++u) {
    net.units.push_back({"u", 1.0});
    net.costs.push_back(1e-6);
  }
  const SearchResult result =
      search_widths(net.units, net.cost(), net.evaluate(), {.max_loss = 100.0});
  const auto is_halving = [](const SearchPoint& point) { return point.name.starts_with("greedy"); };
  EXPECT_TRUE(result.meets_target);
  EXPECT_LE(std::count_if(result.points.begin(), result.points.end(), is_halving), 4)
      << "those that show the front";
}

TEST(SearchWidths, UsesABudgetOfCost) {
  Additive net = four_units();
  const SearchResult result =
      search_widths(net.units, net.cost(), net.evaluate(), {.max_cost = 19.5});
  EXPECT_TRUE(result.meets_target);
  EXPECT_DOUBLE_EQ(result.points[result.chosen].cost, 19.0);
}

TEST(SearchWidths, AnImpossibleTargetGivesTheNearestPoint) {
  Additive net = four_units();
  net.units[3].gain = 0.0;
  const SearchResult by_loss =
      search_widths(net.units, net.cost(), net.evaluate(), {.max_loss = -1.0});
  EXPECT_FALSE(by_loss.meets_target);
  EXPECT_DOUBLE_EQ(by_loss.points[by_loss.chosen].evaluated.loss, 0.0);
  const SearchResult by_cost =
      search_widths(net.units, net.cost(), net.evaluate(), {.max_cost = 1.0});
  EXPECT_FALSE(by_cost.meets_target);
  EXPECT_EQ(by_cost.points[by_cost.chosen].name, "base");
}

TEST(SearchWidths, KeepsToItsEvaluations) {
  Additive net;
  for (int u = 0; u < 200; ++u) {
    net.units.push_back({"u", 1.0 + u % 7});
    net.costs.push_back(1.0 + u % 5);
  }
  const SearchResult result = search_widths(net.units, net.cost(), net.evaluate(),
                                            {.max_loss = 100.0, .max_evaluations = 12});
  EXPECT_LE(net.evaluations, 12);
  EXPECT_TRUE(result.meets_target);
  EXPECT_THROW((void)search_widths(net.units, net.cost(), net.evaluate(), {.max_evaluations = 1}),
               Error);
}

TEST(BelievedLosses, ANoisierModelIsNoBetterThanACleanerOne) {
  const auto point = [](double loss, double sqnr_db) {
    SearchPoint one;
    one.evaluated = {0.0, loss, sqnr_db};
    return one;
  };
  // By falling SQNR 0.5, 3.5, 1.5, 1: the last three are pooled to 2, with squares of 1.5, 0.5 and
  // 1 around it, a standard error of sqrt(3.5 / 2 / 3).
  const double pooled = 2.0 + std::sqrt(3.5 / 2.0 / 3.0);
  EXPECT_THAT(
      believed_losses({point(1.5, 5.0), point(3.5, 9.0), point(0.5, 20.0), point(1.0, 1.0)}),
      ElementsAre(testing::DoubleEq(pooled), 3.5, 0.5, testing::DoubleEq(pooled)));
  // Two that only just stand in the wrong order do not condemn the noisier one.
  EXPECT_THAT(believed_losses({point(0.4, 9.0), point(0.3, 8.0), point(0.9, 3.0)}),
              ElementsAre(testing::DoubleEq(0.4), testing::DoubleEq(0.4), 0.9));
  // Where loss rises with the noise nothing is added.
  EXPECT_THAT(believed_losses({point(0.1, 9.0), point(0.2, 8.0)}), ElementsAre(0.1, 0.2));
}

TEST(BelievedLosses, WhatWasVerifiedIsBelievedOfNoisierModelsToo) {
  std::vector<SearchPoint> points(4);
  points[0].evaluated = {0.0, 0.1, 20.0};
  points[1].evaluated = {0.0, 0.2, 15.0};
  points[2].evaluated = {0.0, 0.3, 10.0};
  points[3].evaluated = {0.0, 0.9, 5.0};
  points[1].verified_loss = 0.7;
  EXPECT_THAT(believed_losses(points), ElementsAre(0.1, 0.7, 0.7, 0.9));
}

TEST(SearchWidths, DoesNotHalveBetweenModelsOfOneNoise) {
  Additive net;
  for (int u = 0; u < 64; ++u) {
    net.units.push_back({"u", 1.0});
    net.costs.push_back(1.0);
  }
  const EvaluateFunction evaluate = [](const Assignment& raised) {
    const auto count = static_cast<double>(std::count(raised.begin(), raised.end(), true));
    // Noise hardly falls behind the first half, the loss does by luck.
    return Evaluated{0.0, count < 50 ? 1.0 : 0.0, count < 30 ? 10.0 : 20.0 + 0.001 * count};
  };
  const SearchResult result =
      search_widths(net.units, net.cost(), evaluate, {.max_loss = 0.5, .max_evaluations = 6});
  // None, all, 32, and as both ends have one noise no more: the others go into takebacks.
  EXPECT_EQ(std::count_if(result.points.begin(), result.points.end(),
                          [](const SearchPoint& point) { return point.name == "greedy 48 of 64"; }),
            0);
  EXPECT_TRUE(result.meets_target);
}

TEST(SearchWidths, DoesNotBelieveInLuck) {
  // Raising two or more units meets the target; one alone does so by luck, with more noise than the
  // base, which misses it.
  const std::vector<RaisableUnit> units = {{"a", 3.0}, {"b", 2.0}, {"c", 1.0}};
  const CostFunction cost = [](const Assignment& raised) {
    return static_cast<double>(std::count(raised.begin(), raised.end(), true));
  };
  const EvaluateFunction evaluate = [](const Assignment& raised) {
    const auto count = std::count(raised.begin(), raised.end(), true);
    if (count == 1) return Evaluated{0.0, 0.0, 2.0};
    return Evaluated{0.0, count == 0 ? 9.0 : 1.0, count == 0 ? 3.0 : 20.0};
  };
  const SearchResult result = search_widths(units, cost, evaluate, {.max_loss = 2.0});
  EXPECT_DOUBLE_EQ(result.points[result.chosen].cost, 2.0);
}

TEST(ParetoFront, LeavesOutWhatIsBeaten) {
  const auto point = [](double cost, double loss) {
    SearchPoint one;
    one.cost = cost;
    one.evaluated.loss = loss;
    return one;
  };
  EXPECT_THAT(pareto_front({point(3, 1), point(1, 3), point(2, 3), point(2, 2), point(4, 1)}),
              ElementsAre(1, 3, 0));
}

}  // namespace
}  // namespace hexquant::mixed_precision
