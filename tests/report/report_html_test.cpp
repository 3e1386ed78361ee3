#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "report/browser_testing.h"
#include "report/page.h"
#include "report/report_testing.h"

namespace hexquant::report {
namespace {

using test::kHeader;
using test::occurrences;
using test::small_report;

/// The JSON block as a browser would read it: up to the first end of a script.
Json embedded_data(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const auto begin = page.find(open) + open.size();
  return Json::parse(page.substr(begin, page.find("</script", begin) - begin));
}

TEST(ReportHtml, holds_the_report_and_its_histograms) {
  const QuantizeReport report = small_report();
  const Json data = embedded_data(report_html(report, kHeader));
  EXPECT_EQ(data["summary"], report_json(report, kHeader)["summary"]);
  const Json histogram = data["activations"][0]["histogram"];
  EXPECT_EQ(histogram["lower"], -1.0);
  EXPECT_EQ(histogram["width"], 0.5);
  EXPECT_EQ(histogram["counts"], Json({1, 2, 3, 4}));
}

TEST(ReportHtml, names_cannot_become_markup) {
  const std::string evil = "</script><script>alert(1)</script><b a=\"x\">&amp;<!--{{script}}";
  QuantizeReport report = small_report();
  report.model = "evil<b>&\"net\".onnx";
  report.layers[0].name = evil;
  report.activations[0].tensor = evil;
  report.rounding[0].layer = evil;
  report.equalization[0].producers = {evil};
  report.findings[0].where = evil;
  const std::string page = report_html(report, kHeader);
  const std::string plain = report_html(small_report(), kHeader);
  for (const char* part : {"<script", "</script", "<b", "<!--", "alert(1)</"}) {
    EXPECT_EQ(occurrences(page, part), occurrences(plain, part)) << part;
  }
  EXPECT_THAT(page, testing::HasSubstr("<title>evil&lt;b&gt;&amp;&quot;net&quot;.onnx on SM8650"));
  const Json data = embedded_data(page);
  EXPECT_EQ(data["layers"][0]["name"], evil);
  EXPECT_EQ(data["findings"][0]["where"], evil);
}

TEST(ReportHtml, loads_nothing) {
  std::string page = report_html(small_report(), kHeader);
  // The chart library can load data, which no page asks of it; the policy below forbids it.
  page.erase(page.find(kVegaJs), kVegaJs.size());
  for (const char* part : {" src=", "@import", "url(", "fetch(", "XMLHttpRequest", "<link",
                           "innerHTML", "href=\"http", "eval("}) {
    EXPECT_THAT(page, testing::Not(testing::HasSubstr(part)));
  }
  EXPECT_THAT(page, testing::HasSubstr("default-src 'none'"));
  EXPECT_EQ(occurrences(page, "http://"), 0U);
  EXPECT_EQ(occurrences(page, "https://"), 0U);
}

// The page draws a section for each of these calls, which are part of it only beside their rows.
constexpr const char* kRoundingSection = "optionalSections.push(roundingSection)";
constexpr const char* kEqualizationSection = "optionalSections.push(equalizationSection)";

TEST(ReportHtml, sections_of_the_weight_methods_come_with_their_rows) {
  const std::string page = report_html(small_report(), kHeader);
  EXPECT_EQ(occurrences(page, kRoundingSection), 1U);
  EXPECT_EQ(occurrences(page, kEqualizationSection), 1U);
  const Json data = embedded_data(page);
  EXPECT_EQ(data["rounding"][0]["layer"], "conv");
  EXPECT_EQ(data["equalization"][0]["consumers"], Json({"add", "gemm"}));
}

TEST(ReportHtml, sections_without_rows_are_left_out) {
  QuantizeReport report = small_report();
  report.rounding.clear();
  const std::string page = report_html(report, kHeader);
  EXPECT_EQ(occurrences(page, kRoundingSection), 0U);
  EXPECT_EQ(occurrences(page, kEqualizationSection), 1U);
  report.equalization.clear();
  EXPECT_EQ(occurrences(report_html(report, kHeader), kEqualizationSection), 0U);
}

TEST(ReportHtml, bytes_that_are_not_utf8_are_replaced) {
  QuantizeReport report = small_report();
  report.model = "net\xff.onnx";
  report.layers[0].name = "conv\xff";
  const std::string page = report_html(report, kHeader);
  EXPECT_EQ(page.find('\xff'), std::string::npos);
  EXPECT_EQ(embedded_data(page)["layers"][0]["name"], "conv\xEF\xBF\xBD");
}

TEST(ReportHtml, fine_histograms_are_merged_without_losing_elements) {
  QuantizeReport report = small_report();
  report.activations[0].histogram = {.exponent = 0, .first_bin = -3, .counts = {}};
  report.activations[0].histogram.counts.assign(300, 2);
  const Json histogram = embedded_data(report_html(report, kHeader))["activations"][0]["histogram"];
  EXPECT_EQ(histogram["width"], 3.0);
  EXPECT_EQ(histogram["counts"].size(), 100U);
  for (const Json& count : histogram["counts"]) EXPECT_EQ(count, 6);
}

TEST(ReportHtml, a_range_without_histogram_is_drawn_as_such) {
  QuantizeReport report = small_report();
  report.activations[0].histogram.counts.clear();
  const Json data = embedded_data(report_html(report, kHeader));
  EXPECT_TRUE(data["activations"][0]["histogram"].is_null());
}

}  // namespace
}  // namespace hexquant::report
