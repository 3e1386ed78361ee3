#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "report/browser_testing.h"
#include "report/report_testing.h"

// What a browser makes of the page, where one is installed: the other tests cannot run its scripts.
namespace hexquant::report {
namespace {

class ReportPage : public test::BrowserTest {
 protected:
  [[nodiscard]] std::string drawn_report(const QuantizeReport& report) const {
    return drawn(report_html(report, test::kHeader));
  }
};

TEST_F(ReportPage, draws_every_section_that_has_rows) {
  const std::string page = drawn_report(test::small_report());
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  for (const char* id :
       {"findings", "layers", "rounding", "equalization", "activations", "details"}) {
    EXPECT_THAT(page, testing::HasSubstr(std::string("<section id=\"") + id + "\"")) << id;
  }
  EXPECT_THAT(page, testing::HasSubstr("<td class=\"number\">+4.00</td>"));  // GPTQ: 22 to 26 dB
  EXPECT_THAT(page, testing::HasSubstr("+10.0"));  // the group's error fell from 0.1 to 0.01
}

/// One layer as `analyze` says it.
Json predicted_layer() {
  return {{"name", "conv"},
          {"nodes", Json::array({"conv"})},
          {"op", "Conv"},
          {"kind", "convolution"},
          {"placement", "npu-integer"},
          {"weight_bits", 8},
          {"act_bits", 8},
          {"macs", 1000000},
          {"ops", 2000000},
          {"bytes", 40000},
          {"weight_bytes", 10000},
          {"input_bytes", 15000},
          {"output_bytes", 15000},
          {"intensity", 50.0},
          {"bound", "compute"},
          {"time_us", 3.0},
          {"lower_us", 2.0},
          {"upper_us", 4.0},
          {"share", 1.0},
          {"cumulative", 1.0},
          {"utilization", 0.5},
          {"start_us", 0.0},
          {"end_us", 3.0},
          {"matrix_cycles", 2000},
          {"vector_cycles", 0},
          {"dma_cycles", 500},
          {"ddr_read_bytes", 10000},
          {"ddr_write_bytes", 0},
          {"vtcm_bytes", 40000}};
}

TEST_F(ReportPage, ShowsWhatTheLatencyModelPredicts) {
  QuantizeReport report = test::small_report();
  const Json advice = {{"id", "float-borders"},
                       {"severity", "info"},
                       {"where", ""},
                       {"reason", "re-laid"},
                       {"fix", "take uint8"},
                       {"saves_us", 1.25},
                       {"keeps_numbers", true},
                       {"command", "optimize net.onnx"},
                       {"nodes", Json::array({"x"})}};
  report.analysis = {
      {"total", {{"time_us", 3.0}}},
      {"machine",
       {{"peak_tops_int8", 34.0}, {"ddr_gb_per_s", 50.0}, {"ridge_ops_per_byte", 680.0}}},
      {"vtcm", {{"size_bytes", 8388608}, {"over_time", {{0.0, 40000}, {3.0, 0}}}}},
      {"layers", Json::array({predicted_layer()})},
      {"findings", Json::array({advice})}};
  const std::string page = drawn_report(report);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  for (const char* id : {"bounds", "advice", "roofline", "timeline", "costs", "details"}) {
    EXPECT_THAT(page, testing::HasSubstr(std::string("<section id=\"") + id + "\"")) << id;
  }
  EXPECT_THAT(page, testing::HasSubstr("hexquant optimize net.onnx"));
  EXPECT_THAT(page, testing::HasSubstr("Roofline of 1 layers"));
}

TEST_F(ReportPage, leaves_out_sections_without_rows) {
  QuantizeReport report = test::small_report();
  report.rounding.clear();
  report.equalization.clear();
  const std::string page = drawn_report(report);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, testing::HasSubstr("<section id=\"details\""));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("<section id=\"rounding\"")));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("<section id=\"equalization\"")));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("<section id=\"roofline\"")));
}

}  // namespace
}  // namespace hexquant::report
