#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
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

TEST_F(ReportPage, ShowsWhatTheLatencyModelPredicts) {
  QuantizeReport report = test::small_report();
  report.analysis = test::prediction();
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

TEST_F(ReportPage, DrawsAllSectionsTogether) {
  // One script: a name that two files declare would stop all of it.
  const std::string page = drawn_report(test::full_report());
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  constexpr int kPlots = 8;  // that were tried by keyboard
  EXPECT_GE(std::stoi(page.substr(page.find("data-plots=\"") + 12)), kPlots);
  std::size_t last = 0;
  for (const char* id : {"checklist", "next", "ladder", "findings", "layers", "sensitivity",
                         "pareto", "training", "rounding", "equalization", "bounds", "advice",
                         "roofline", "timeline", "costs", "activations", "details"}) {
    const std::size_t at = page.find(std::string("<section id=\"") + id + "\"");
    ASSERT_NE(at, std::string::npos) << id;
    EXPECT_GT(at, last) << id << " is not in its place";
    last = at;
  }
}

TEST_F(ReportPage, ShowsTheChecklistAndWhatToDoNext) {
  QuantizeReport report = test::small_report();
  report.checklist = test::checklist();
  const std::string page = drawn_report(report);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, testing::HasSubstr("1 passes, 1 fails, 1 not measured"));
  EXPECT_THAT(page, testing::HasSubstr("Not yet"));
  EXPECT_THAT(page, testing::HasSubstr("Fails: Line sqnr."));
  const std::string next = page.substr(page.find("<section id=\"next\""));
  // What fails, what warns, what is not measured: in this order.
  const auto fails = next.find("hexquant auto -o OTHER");
  const auto warns = next.find("stays-float");
  const auto unknown = next.find("hexquant check out");
  EXPECT_LT(fails, warns);
  EXPECT_LT(warns, unknown);
  EXPECT_LT(unknown, next.find("</section>"));
}

TEST_F(ReportPage, ShowsTheMostSensitiveLayersFirst) {
  QuantizeReport report = test::small_report();
  report.sensitivity = test::sensitivity();
  const std::string page = drawn_report(report);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  const std::string section = page.substr(page.find("<section id=\"sensitivity\""));
  EXPECT_THAT(section, testing::HasSubstr("W4: SQNR, dB"));
  EXPECT_THAT(section, testing::HasSubstr("A8: SQNR, dB"));
  EXPECT_THAT(section, testing::HasSubstr("2.00 points"));
  EXPECT_LT(section.find("title=\"conv\""), section.find("title=\"stem\""));
}

TEST_F(ReportPage, MarksTheChosenPointOfTheSearch) {
  QuantizeReport report = test::small_report();
  report.search = test::search();
  const std::string page = drawn_report(report);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  const std::string section = test::section_of(page, "pareto");
  const std::string plot = section.substr(0, section.find("</svg>"));
  EXPECT_EQ(test::marks_in(plot, "symbol"), 4U);                   // all that were evaluated
  EXPECT_EQ(test::occurrences(plot, "stroke=\"var(--s4)\""), 1U);  // chosen
  EXPECT_EQ(test::occurrences(plot, "stroke=\"var(--s3)\""), 2U);  // the rest of the front
  EXPECT_EQ(test::occurrences(plot, "stroke=\"var(--s0)\""), 1U);  // beaten
  EXPECT_EQ(test::occurrences(plot, "<g class=\"mark-line role-mark\""), 1U);
  EXPECT_THAT(plot, testing::HasSubstr(">target</text>"));
  EXPECT_THAT(section, testing::HasSubstr("<span class=\"tag differs\">chosen</span>"));
  EXPECT_THAT(section,
              testing::HasSubstr("loses 0.0125 on 300 samples that the search has not seen"));
}

/// A report as of a model with 1000 layers: all sections, all histograms.
QuantizeReport large_report() {
  constexpr int kLayers = 1000;
  QuantizeReport report = test::full_report();
  const LayerRow layer = report.layers[0];
  const ActivationRow activation = report.activations[0];
  const RoundingRow rounded = report.rounding[0];
  Json predicted = test::predicted_layer();
  Json sensitive = report.sensitivity["layers"][0];
  report.layers.clear();
  report.activations.clear();
  report.rounding.clear();
  report.sensitivity["layers"].clear();
  report.analysis["layers"].clear();
  for (int i = 0; i < kLayers; ++i) {
    const std::string name = "/model/stage/block." + std::to_string(i) + "/conv/Conv";
    report.layers.push_back(layer);
    report.layers.back().name = name;
    report.layers.back().output = name + "_output";
    report.layers.back().sqnr_db = 20.0 + i % 30;
    report.activations.push_back(activation);
    report.activations.back().tensor = name + "_output";
    report.activations.back().histogram.counts.assign(512, 7);
    report.rounding.push_back(rounded);
    report.rounding.back().layer = name;
    sensitive["name"] = name;
    report.sensitivity["layers"].push_back(sensitive);
    predicted["name"] = name;
    predicted["start_us"] = 3.0 * i;
    predicted["end_us"] = 3.0 * i + 3.0;
    report.analysis["layers"].push_back(predicted);
  }
  report.analysis["total"]["time_us"] = 3.0 * kLayers;
  return report;
}

// From the beginning of the navigation until everything near the screen was drawn and laid out.
constexpr const char* kTimeProbe = R"(
  drawWaiting(innerHeight + 400);
  await Promise.all([...views.values()].map(({ view }) => view.runAsync()));
  document.body.getBoundingClientRect();
  document.body.dataset.ms = Math.round(performance.now());
)";

TEST_F(ReportPage, OpensAThousandLayersWithinTwoSeconds) {
  constexpr int kMostMs = 2000;
  constexpr int kTries = 3;  // other processes may slow one of them down
  const std::string html = report_html(large_report(), test::kHeader);
  int best_ms = -1;
  for (int i = 0; i < kTries && (best_ms < 0 || best_ms > kMostMs); ++i) {
    const std::string page = drawn(html, kTimeProbe);
    if (page.empty()) GTEST_SKIP() << "the browser does not start here";
    EXPECT_THAT(page, testing::HasSubstr("1,000 of 1,000 layers"));
    const auto at = page.find("data-ms=\"");
    ASSERT_NE(at, std::string::npos) << "the probe did not finish";
    const int ms = std::stoi(page.substr(at + 9));
    best_ms = best_ms < 0 ? ms : std::min(best_ms, ms);
  }
  RecordProperty("milliseconds", best_ms);
  std::cout << "a page of " << html.size() / 1000 << " kB opens in " << best_ms << " ms\n";
  EXPECT_LE(best_ms, kMostMs);
}

}  // namespace
}  // namespace hexquant::report
