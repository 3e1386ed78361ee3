#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "core/file_io.h"
#include "report/report_testing.h"
#include "support/temp_folder.h"

// What a browser makes of the page, where one is installed: the other tests cannot run its scripts.
namespace hexquant::report {
namespace {

class ReportPage : public testing::Test {
 protected:
  void SetUp() override {
    browser_ = find_browser();
    if (browser_.empty()) GTEST_SKIP() << "no chromium or google-chrome in PATH";
  }

  /// The page's elements after its scripts ran; empty when the browser does not start here.
  [[nodiscard]] std::string drawn(const QuantizeReport& report) const {
    write_file(folder_.path() / "page.html", report_html(report, test::kHeader));
    const std::string command = "cd '" + folder_.path().string() + "' && HOME=. timeout 60 " +
                                browser_ +
                                " --headless --no-sandbox --disable-gpu --no-first-run"
                                " --disable-background-networking --disable-component-update"
                                " --disable-sync --user-data-dir=profile --dump-dom"
                                " file://" +
                                (folder_.path() / "page.html").string() + " > dom.html 2> log.txt";
    if (std::system(command.c_str()) != 0) return {};
    return read_file(folder_.path() / "dom.html");
  }

 private:
  static std::string find_browser() {
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
      const std::string command = std::string("command -v ") + name + " > /dev/null 2>&1";
      if (std::system(command.c_str()) == 0) return name;
    }
    return {};
  }

  std::string browser_;
  hexquant::test::TempFolder folder_;
};

TEST_F(ReportPage, draws_every_section_that_has_rows) {
  const std::string page = drawn(test::small_report());
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
  const std::string page = drawn(report);
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  EXPECT_THAT(page, testing::HasSubstr("<section id=\"details\""));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("<section id=\"rounding\"")));
  EXPECT_THAT(page, testing::Not(testing::HasSubstr("<section id=\"equalization\"")));
}

}  // namespace
}  // namespace hexquant::report
