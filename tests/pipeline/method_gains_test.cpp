#include "pipeline/method_gains.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace hexquant::pipeline {
namespace {

using weights::RoundingReport;

constexpr double kRounding = 1e-9;  // of log10 in double

RoundingReport layer(double min_max, double clip, double gptq, double result) {
  RoundingReport report;
  report.error_min_max = min_max;
  report.error_clip = clip;
  report.error_gptq = gptq;
  report.error = result;
  return report;
}

QuantizeOptions all_methods() {
  QuantizeOptions options;
  options.equalize = true;
  options.rounding.emplace();
  return options;
}

std::vector<std::string> names(const std::vector<MethodGain>& rows) {
  std::vector<std::string> list;
  for (const MethodGain& row : rows) list.push_back(row.method);
  return list;
}

TEST(MethodGains, nothing_asked_for_gives_no_rows) {
  EXPECT_TRUE(method_gains(QuantizeOptions(), {}, {}).empty());
}

TEST(MethodGains, rows_stand_in_the_order_of_the_pipeline) {
  EXPECT_EQ(names(method_gains(all_methods(), {}, {layer(1, 1, 1, 1)})),
            (std::vector<std::string>{"equalization", "clip search", "GPTQ", "coordinate descent",
                                      "bias correction"}));
  QuantizeOptions only_bias;
  only_bias.rounding.emplace();
  only_bias.rounding->solver.clip_search = only_bias.rounding->solver.gptq = false;
  only_bias.rounding->solver.coordinate_descent = false;
  EXPECT_EQ(names(method_gains(only_bias, {}, {})), std::vector<std::string>{"bias correction"});
}

TEST(MethodGains, median_in_decibels_over_all_layers) {
  // Gains of clip search: 10, 0 and 20 dB; of GPTQ: 0, 10 and 0; a layer without error has none.
  const std::vector<RoundingReport> layers = {layer(0.1, 0.01, 0.01, 0.01),
                                              layer(0.1, 0.1, 0.01, 0.01),
                                              layer(0.1, 0.001, 0.001, 0.001), layer(0, 0, 0, 0)};
  const std::vector<MethodGain> rows = method_gains(all_methods(), {}, layers);
  EXPECT_NEAR(rows[1].median_gain_db, 10.0, kRounding);
  EXPECT_EQ(rows[1].changed, 2);
  EXPECT_EQ(rows[1].total, 4);
  EXPECT_NEAR(rows[2].median_gain_db, 0.0, kRounding);
  EXPECT_EQ(rows[2].changed, 1);
}

TEST(MethodGains, only_refined_layers_count_behind_a_relu) {
  std::vector<RoundingReport> layers(3, layer(0.1, 0.1, 0.1, 0.1));
  layers[1].clamped_before = 0.1;
  layers[1].clamped_after = 0.05;
  layers[2].bias_shift = 0.5;
  const std::vector<MethodGain> rows = method_gains(all_methods(), {}, layers);
  ASSERT_EQ(rows[4].method, "behind Relu or Clip");
  EXPECT_EQ(rows[4].changed, 1);
  EXPECT_EQ(rows[4].total, 1);
  EXPECT_NEAR(rows[4].median_gain_db, 10.0 * std::log10(2.0), kRounding);
  ASSERT_EQ(rows[5].method, "bias correction");
  EXPECT_EQ(rows[5].changed, 1);
  EXPECT_EQ(rows[5].total, 3);
  EXPECT_TRUE(std::isnan(rows[5].median_gain_db));
}

TEST(MethodGains, equalization_counts_groups_that_stayed_changed) {
  EqualizationResult result;
  result.groups.resize(3);
  for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) result.groups[i].strength = 1.0;
  result.groups[0].error_before = 0.1;
  result.groups[0].error_after = 0.01;
  result.groups[2].error_before = 0.1;
  result.groups[2].error_after = 0.001;
  MethodGain row = method_gains(all_methods(), result, {}).front();
  EXPECT_EQ(row.changed, 2);
  EXPECT_EQ(row.total, 3);
  EXPECT_EQ(row.unit, "groups");
  EXPECT_NEAR(row.median_gain_db, 15.0, kRounding);
  result.reverted = true;
  row = method_gains(all_methods(), result, {}).front();
  EXPECT_EQ(row.changed, 0);
  EXPECT_TRUE(std::isnan(row.median_gain_db));
}

}  // namespace
}  // namespace hexquant::pipeline
