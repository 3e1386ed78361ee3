#include "report/optimize_html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/browser_testing.h"

namespace hexquant::report {
namespace {

using testing::HasSubstr;
using testing::Not;

Json cost(double predicted_us, int traffic_bytes) {
  return {{"predicted_us", predicted_us},   {"vendor_us", nullptr},
          {"predicted_ddr_bytes", 111000},  {"vendor_ddr_bytes", nullptr},
          {"traffic_bytes", traffic_bytes}, {"fused_traffic_bytes", traffic_bytes / 2}};
}

Json page_data() {
  return {{"schema", "hexquant-optimize-1"},
          {"command", "optimize"},
          {"versions", {{"hexquant", "0.1.0"}, {"onnxruntime", "1.32.0"}}},
          {"model", "nets/<u>net.onnx"},
          {"soc", "SM8650"},
          {"quantized", false},
          {"rewrites",
           {{{"name", "fold_batch_norm"},
             {"places", {"</script><b>bn1"}},
             {"predicted_gain_us", 2.93},
             {"vendor_gain_us", nullptr},
             {"before", cost(10.61, 166000)},
             {"after", cost(7.68, 121000)}}}},
          {"before", cost(10.61, 166000)},
          {"prepared", cost(8.0, 130000)},
          {"after", cost(7.4, 122000)},
          {"npu_fusions", {{"places", {"relu1"}}, {"traffic_bytes", 61000}}},
          {"borders",
           {{"inputs",
             {{{"name", "image"},
               {"nhwc", true},
               {"levels", true},
               {"mean", Json::array()},
               {"std", Json::array()},
               {"encoding", nullptr}}}},
            {"outputs", Json::array()}}},
          {"preprocess", {{"layout", "nhwc"}}},
          {"check",
           {{"on_data", true},
            {"samples", 256},
            {"max_abs", 2.4e-6},
            {"exact", false},
            {"sqnr_db", 132.4},
            {"agreement", 1.0},
            {"min_sqnr_db", 60.0},
            {"enough_max_abs", nullptr},
            {"min_agreement", 0.995},
            {"passed", true}}},
          {"findings", Json::array()}};
}

TEST(OptimizeHtml, HoldsDataAndNoForeignMarkup) {
  const std::string page = optimize_html(page_data());
  EXPECT_THAT(page, HasSubstr("net.onnx: optimized</title>"));
  EXPECT_THAT(page, Not(HasSubstr("</script><b>bn1")));
}

using OptimizePage = test::BrowserTest;

TEST_F(OptimizePage, DrawsEverySection) {
  const std::string page = drawn(optimize_html(page_data()));
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  for (const char* id : {"summary", "rewrites", "check", "borders", "findings"}) {
    EXPECT_THAT(page, HasSubstr(std::string("<section id=\"") + id + "\"")) << id;
  }
  EXPECT_THAT(page, HasSubstr("function kept"));
  EXPECT_THAT(page, HasSubstr("fold_batch_norm 2.93"));  // the plot says it in words, too
  EXPECT_THAT(page, HasSubstr("levels 0..255 as uint8"));
  EXPECT_THAT(page, HasSubstr("132.4 dB"));
}

TEST_F(OptimizePage, SaysWhenTheFunctionChanged) {
  Json data = page_data();
  data["check"]["passed"] = false;
  data["borders"]["inputs"] = Json::array();
  data["rewrites"] = Json::array();
  const std::string page = drawn(optimize_html(data));
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, HasSubstr("FUNCTION CHANGED"));
  EXPECT_THAT(page, HasSubstr("None applied"));
  EXPECT_THAT(page, Not(HasSubstr("<section id=\"borders\"")));
}

}  // namespace
}  // namespace hexquant::report
