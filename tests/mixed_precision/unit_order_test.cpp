#include "mixed_precision/unit_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace hexquant::mixed_precision {
namespace {

using testing::ElementsAre;

/// Layer 0 costs 10 while any of its two units is raised; units of other layers cost 2 each.
double cost_of_layers(const Assignment& raised) {
  double sum = 100.0 + (raised[0] || raised[1] ? 10.0 : 0.0);
  for (std::size_t u = 2; u < raised.size(); ++u) sum += raised[u] ? 2.0 : 0.0;
  return sum;
}

const std::vector<RaisableUnit> kUnits = {
    {"a", 1.0, {0}}, {"b", 1.0, {0}}, {"c", 0.1, {1}}, {"d", 4.0, {2}}};

TEST(TakebackPath, TakesTheMostCostForTheLeastGainFirstAndWholeLayers) {
  const std::vector<Takeback> path =
      takeback_path(kUnits, cost_of_layers, {true, true, true, true});
  // Saved for each gain lost: c 2 / 0.1, the layer of a and b 10 / 2, d 2 / 4.
  ASSERT_EQ(path.size(), 3U);
  EXPECT_THAT(path[0].units, ElementsAre(2));
  EXPECT_THAT(path[1].units, ElementsAre(0, 1)) << "one of the two alone saves nothing";
  EXPECT_THAT(path[1].raised, ElementsAre(false, false, false, true));
  EXPECT_DOUBLE_EQ(path[1].cost, 102.0);
  EXPECT_THAT(path[2].units, ElementsAre(3));
  EXPECT_DOUBLE_EQ(path[2].cost, 100.0);
}

TEST(TakebackPath, LeavesWhatIsNeeded) {
  const std::vector<Takeback> path =
      takeback_path(kUnits, cost_of_layers, {true, true, true, true}, {{0, 1}});
  ASSERT_EQ(path.size(), 2U);
  EXPECT_THAT(path.back().raised, ElementsAre(true, true, false, false));
  // Only b of the needed pair is left: it is the same need.
  const std::vector<Takeback> rest =
      takeback_path(kUnits, cost_of_layers, {false, true, false, true}, {{0, 1}});
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_THAT(rest.back().raised, ElementsAre(false, true, false, false));
}

TEST(TakebackPath, ValuesNeighboursAgain) {
  // Raised alone each of the two costs 10 for its borders, both together 12: taking one back saves
  // 2, and then the other saves 10.
  const std::vector<RaisableUnit> units = {{"left", 1.0, {7}}, {"right", 3.0, {7}}};
  const CostFunction cost = [](const Assignment& raised) {
    return raised[0] && raised[1] ? 12.0 : raised[0] || raised[1] ? 10.0 : 0.0;
  };
  const std::vector<Takeback> path = takeback_path(units, cost, {true, true}, {{0, 1}});
  ASSERT_EQ(path.size(), 2U);
  EXPECT_THAT(path[0].units, ElementsAre(0));
  EXPECT_DOUBLE_EQ(path[0].cost, 10.0);
  EXPECT_DOUBLE_EQ(path[1].cost, 0.0);
}

TEST(TakebackPath, NothingRaisedOrNothingSavedIsNoPath) {
  EXPECT_TRUE(takeback_path(kUnits, cost_of_layers, {false, false, false, false}).empty());
  const CostFunction flat = [](const Assignment&) { return 1.0; };
  EXPECT_TRUE(takeback_path(kUnits, flat, {true, true, true, true}).empty());
}

}  // namespace
}  // namespace hexquant::mixed_precision
