#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_testing.h"
#include "report/assets.h"
#include "report/browser_testing.h"

// Pages that the program wrote, as a browser shows them.
namespace hexquant::cli {
namespace {

using report::test::marks_in;
using report::test::section_of;
using testing::HasSubstr;

class PagesTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    if (!browser_.is_installed()) GTEST_SKIP() << "no chromium or google-chrome in PATH";
    if (report::kVegaJs.empty()) GTEST_SKIP() << "built without the chart library";
  }

  /// The page that `arguments` write to page.html, drawn; checked for console errors and access.
  [[nodiscard]] std::string page_of(const std::vector<std::string>& arguments) const {
    const RunResult result = run(arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    return browser_.drawn(read_file(folder_ / "page.html"));
  }

 private:
  report::test::Browser browser_;
};

TEST_F(PagesTest, AnalyzeDrawsRooflineAndVtcm) {
  const std::string page = page_of({"analyze", example("model.onnx"), "--what-if", "all",
                                    "--report", path("page.html"), "--json", path("out.json")});
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  const Json layers = Json::parse(read_file(path("out.json")))["layers"];
  const auto with_work =
      std::count_if(layers.begin(), layers.end(), [](const Json& row) { return row["ops"] > 0; });
  EXPECT_EQ(marks_in(section_of(page, "roofline"), "symbol"), with_work);
  EXPECT_EQ(marks_in(section_of(page, "timeline"), "area"), 1U);
  for (const char* id : {"bounds", "advice", "what-if", "costs", "findings"}) {
    EXPECT_THAT(page, HasSubstr(std::string("<section id=\"") + id + "\"")) << id;
  }
}

TEST_F(PagesTest, GranularityDrawsABarForEachWeight) {
  const std::string page = page_of(
      {"granularity", model("tiny_cnn.onnx"), "-o", path("page.html"), "--json", path("out.json")});
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  const Json json = Json::parse(read_file(path("out.json")));
  EXPECT_EQ(marks_in(section_of(page, "weights"), "rect"), json["weights"].size());
  EXPECT_THAT(page, HasSubstr("<section id=\"total\""));
}

}  // namespace
}  // namespace hexquant::cli
