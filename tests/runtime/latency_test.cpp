#include "runtime/latency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace hexquant::runtime {
namespace {

TEST(Latency, ByHand) {
  const Latency latency = summarize_latency({4, 1, 3, 2});
  EXPECT_EQ(latency.count, 4);
  EXPECT_DOUBLE_EQ(latency.mean_us, 2.5);
  EXPECT_DOUBLE_EQ(latency.median_us, 2.5);
  EXPECT_DOUBLE_EQ(latency.p90_us, 4.0);
  EXPECT_DOUBLE_EQ(latency.min_us, 1.0);
  EXPECT_DOUBLE_EQ(latency.max_us, 4.0);
  EXPECT_DOUBLE_EQ(latency.per_second, 4e5);
  EXPECT_DOUBLE_EQ(latency.drift, 0.0);
}

TEST(Latency, QuantilesAreNearestRank) {
  std::vector<double> values(200);
  std::iota(values.begin(), values.end(), 1.0);
  const Latency latency = summarize_latency(values);
  EXPECT_DOUBLE_EQ(latency.p90_us, 180.0);
  EXPECT_DOUBLE_EQ(latency.p99_us, 198.0);
  EXPECT_DOUBLE_EQ(latency.median_us, 100.5);
}

TEST(Latency, DriftComparesTheTenths) {
  std::vector<double> values(100, 50.0);
  std::fill(values.begin(), values.begin() + 10, 40.0);
  std::fill(values.end() - 10, values.end(), 60.0);
  values[3] = 4000.0;  // one stall is no drift
  const Latency latency = summarize_latency(values);
  EXPECT_DOUBLE_EQ(latency.first_tenth_us, 40.0);
  EXPECT_DOUBLE_EQ(latency.last_tenth_us, 60.0);
  EXPECT_DOUBLE_EQ(latency.drift, 0.5);
}

TEST(Latency, HistogramHoldsEveryRun) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(100.0 + i % 50);
  values.push_back(1e6);  // in the last bin, not stretching all others
  const LatencyHistogram histogram = summarize_latency(values).histogram;
  ASSERT_EQ(histogram.counts.size(), 24U);
  EXPECT_DOUBLE_EQ(histogram.lower_us, 100.0);
  EXPECT_LT(histogram.width_us, 3.0);
  EXPECT_EQ(std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::int64_t{0}),
            1001);
}

TEST(Latency, OneValueAndNone) {
  const Latency one = summarize_latency({7.0});
  EXPECT_DOUBLE_EQ(one.p99_us, 7.0);
  EXPECT_THAT(one.histogram.counts, testing::ElementsAre(1));
  EXPECT_EQ(summarize_latency({}).count, 0);
}

}  // namespace
}  // namespace hexquant::runtime
