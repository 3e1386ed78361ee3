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

TEST_F(ReportPage, leaves_out_sections_without_rows) {
  QuantizeReport report = test::small_report();
  report.rounding.clear();
  report.equalization.clear();
  const std::string page = drawn_report(report);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, testing::HasSubstr("<section id=\"details\""));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("<section id=\"rounding\"")));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("<section id=\"equalization\"")));
}

}  // namespace
}  // namespace hexquant::report
