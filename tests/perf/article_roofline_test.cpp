#include "perf/article_roofline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hexquant/error.h"

namespace hexquant::perf {
namespace {

using ::testing::HasSubstr;

TEST(ArticleRoofline, ComputeAndBandwidthBoundLayersByHand) {
  const ArticleMachine machine;
  EXPECT_DOUBLE_EQ(machine.ridge_point(), 720.0);
  // 2 * 96 * 96 * 9 * 56 * 56 = 520 224 768 operations; 700 kB: 743 operations a byte.
  const ArticleResult compute = article_roofline({"conv", 520224768.0, 7e5}, machine);
  EXPECT_TRUE(compute.compute_bound);
  EXPECT_NEAR(compute.time_ms, 520224768.0 / 36e12 * 1e3, 1e-12);
  EXPECT_NEAR(compute.utilization, (7e5 / 50e9) / (520224768.0 / 36e12), 1e-12);
  // The article's last layer: 2 * 1280 * 1000 operations on 1.28 MB of weights.
  const ArticleResult memory = article_roofline({"fc", 2.56e6, 1.28e6}, machine);
  EXPECT_FALSE(memory.compute_bound);
  EXPECT_NEAR(memory.time_ms, 0.0256, 1e-12);
  EXPECT_NEAR(memory.utilization, (2.56e6 / 36e12) / (1.28e6 / 50e9), 1e-12);
}

TEST(ArticleRoofline, PeakFollowsTheWidth) {
  const ArticleMachine machine;
  EXPECT_DOUBLE_EQ(machine.peak_ops(16), 18e12);
  EXPECT_DOUBLE_EQ(machine.peak_ops(4), 72e12);
}

TEST(ArticleRoofline, ReportIsTheArticles) {
  const ArticleMachine machine;
  const std::string rule(60, '=');
  EXPECT_EQ(article_report({article_roofline({"Final FC", 2.56e6, 1.28e6}, machine)}),
            rule + "\nRoofline 模型分析报告\n" + rule +
                "\n[Final FC]\n 运算量: 0.00 GOPS | 数据量: 1.28 MB\n"
                " 算术强度: 2.0 ops/byte (脊点: 720.0)\n"
                " 瓶颈: 带宽瓶颈 | 预计耗时: 0.026 ms | 利用率: 0.3%\n\n" +
                rule + "\n总预计耗时: 0.026 ms\n计算瓶颈层: 0 | 带宽瓶颈层: 1\n");
}

TEST(ArticleRoofline, LayersWithoutWorkAreRefusedByName) {
  try {
    (void)article_roofline({"empty", 0.0, 1.0}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("empty"));
  }
}

}  // namespace
}  // namespace hexquant::perf
