#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/browser_testing.h"
#include "report/report_testing.h"
#include "support/json_schema.h"

namespace hexquant::report::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Three epochs behind the start; the second is the best.
QuantizeReport trained_report() {
  QuantizeReport report = small_report();
  TrainingSection& training = report.training;
  training.metric = "top1";
  training.loss = "both";
  training.optimizer = "sgd";
  training.epochs = 10;
  training.best_epoch = 2;
  training.parameters = 12345;
  training.ranges = 67;
  training.resumed_step = 40;
  training.stopped = "no improvement in 1 epochs";
  training.curve = {{.epoch = 0, .loss = kNan, .value = 0.7, .seconds = 0.5, .is_best = true},
                    {.epoch = 1,
                     .steps = 20,
                     .loss = 0.5,
                     .value = 0.8,
                     .learning_rate = 1e-3,
                     .samples_per_s = 321.0,
                     .seconds = 2.0,
                     .is_best = true},
                    {.epoch = 2,
                     .steps = 20,
                     .loss = 0.25,
                     .value = 0.875,
                     .learning_rate = 1e-3,
                     .samples_per_s = 320.0,
                     .seconds = 2.0,
                     .is_best = true},
                    {.epoch = 3,
                     .steps = 20,
                     .loss = 0.2,
                     .value = 0.85,
                     .learning_rate = 1e-3,
                     .samples_per_s = 320.0,
                     .seconds = 2.0}};
  return report;
}

TEST(Training, TheReportHoldsTheCurve) {
  const Json json = report_json(trained_report(), kHeader);
  const Json& training = json["training"];
  ASSERT_EQ(training["curve"].size(), 4U);
  EXPECT_TRUE(training["curve"][0]["loss"].is_null());
  EXPECT_EQ(training["curve"][2]["value"], 0.875);
  EXPECT_EQ(training["curve"][2]["samples_per_s"], 320.0);
  EXPECT_EQ(training["best_epoch"], 2);
  EXPECT_EQ(training["parameters"], 12345);
  EXPECT_EQ(training["resumed_step"], 40);
  const Json schema = hexquant::test::published_schema("report");
  EXPECT_THAT(hexquant::test::schema_violations(schema, json), IsEmpty());
  EXPECT_FALSE(report_json(small_report(), kHeader).contains("training"));
}

TEST(Training, OnlyATrainedModelHasTheSection) {
  EXPECT_THAT(report_html(trained_report(), kHeader), HasSubstr("trainingSection"));
  EXPECT_THAT(report_html(small_report(), kHeader), Not(HasSubstr("trainingSection")));
}

using TrainingPage = BrowserTest;

TEST_F(TrainingPage, DrawsTheCurveAndTheEpochs) {
  const std::string page = drawn(report_html(trained_report(), kHeader));
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, HasSubstr("the result is epoch 2"));
  EXPECT_THAT(page, HasSubstr("Ended early: no improvement in 1 epochs"));
  EXPECT_THAT(page, HasSubstr("top1 over the epochs, from top1 70.00 to top1 85.00"));
  EXPECT_THAT(page, HasSubstr("loss over the epochs, from loss 0.5000 to loss 0.2000"));
}

}  // namespace
}  // namespace hexquant::report::test
