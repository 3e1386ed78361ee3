#include "report/profile_html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/json.h"
#include "report/browser_testing.h"

namespace hexquant::report {
namespace {

using testing::HasSubstr;
using testing::Not;

Json row(const std::string& name, double amount, double share, const std::string& backend) {
  return {{"name", name},
          {"node", nullptr},
          {"op", "Conv"},
          {"graph", ""},
          {"backend", backend},
          {"onnx_nodes", Json::array()},
          {"amount", amount},
          {"share", share},
          {"count", 2},
          {"mean", amount},
          {"min", amount},
          {"max", amount},
          {"critical", nullptr},
          {"wait", 7.0},
          {"overlap", 3.0},
          {"overlap_wait", 0.0},
          {"overlaps_with", Json::array()},
          {"resources", {"HVX"}},
          {"dram_read_bytes", nullptr},
          {"dram_write_bytes", nullptr}};
}

Json page_data() {
  const Json groups = {{{"name", "Conv"}, {"amount", 300.0}, {"share", 0.75}, {"rows", 1}},
                       {{"name", "Add"}, {"amount", 100.0}, {"share", 0.25}, {"rows", 1}}};
  const Json profile = {
      {"format", "viewer-text"},
      {"files", {"run/profile.txt"}},
      {"unit", "cycles"},
      {"is_time", false},
      {"may_be_summed", false},
      {"sum", 400.0},
      {"lines", 9},
      {"malformed_lines", 1},
      {"malformed", {{{"line", 4}, {"text", "<i>odd"}, {"reason", "no number"}}}},
      {"rows", {row("conv1", 300.0, 0.75, "HTP"), row("</script><b>x", 100.0, 0.25, "CPU")}},
      {"by_op", groups},
      {"by_unit", groups},
      {"units_overlap", true},
      {"totals",
       {{{"section", "execute"},
         {"graph", ""},
         {"name", "Accelerator (execute) time"},
         {"unit", "us"},
         {"value", 900.0},
         {"count", 2}}}}};
  const Json node = {{"name", "pick"},         {"op", "Hardmax"},     {"time_us", 24.3},
                     {"is_conversion", false}, {"reason", "no such"}, {"fix", "replace it"}};
  return {{"schema", "hexquant-profile-1"},
          {"versions", {{"hexquant", "1"}}},
          {"files", {"run/<u>profile.txt"}},
          {"model", "net.onnx"},
          {"profiles", {profile}},
          {"fallback",
           {{"known", true},
            {"no_accelerator", false},
            {"operations", 1},
            {"cpu_time_us", 24.3},
            {"cpu_share", 0.1},
            {"nodes", {node}}}},
          {"comparison",
           {{"unit", "us"},
            {"may_be_summed", true},
            {"before_sum", 31.0},
            {"after_sum", 45.0},
            {"rows",
             {{{"name", "conv1"},
               {"op", ""},
               {"before", 10.0},
               {"after", nullptr},
               {"change", -10.0},
               {"verdict", "removed"}}}}}},
          {"findings", Json::array()}};
}

TEST(ProfileHtml, holds_data_and_no_foreign_markup) {
  const std::string page = profile_html(page_data());
  EXPECT_THAT(page, HasSubstr("<title>&lt;u&gt;profile.txt: profile</title>"));
  EXPECT_THAT(page, Not(HasSubstr("</script><b>x")));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

using ProfilePage = test::BrowserTest;

TEST_F(ProfilePage, draws_rows_totals_fallback_and_comparison) {
  const std::string page = drawn(profile_html(page_data()));
  if (page.empty()) GTEST_SKIP() << "the browser does not start here";
  for (const char* id : {"comparison", "profile-1", "fallback", "findings"}) {
    EXPECT_THAT(page, HasSubstr(std::string("<section id=\"") + id + "\"")) << id;
  }
  EXPECT_THAT(page, HasSubstr("title=\"conv1\""));
  EXPECT_THAT(page, HasSubstr("75.0 %"));
  EXPECT_THAT(page, HasSubstr("their sum is no time"));
  EXPECT_THAT(page, HasSubstr("line 4: no number"));
  EXPECT_THAT(page, HasSubstr("Accelerator (execute) time"));
  EXPECT_THAT(page, HasSubstr("1 operations fell back"));
  EXPECT_THAT(page, HasSubstr("replace it"));
  EXPECT_THAT(page, HasSubstr("removed"));
  EXPECT_THAT(page, HasSubstr("By unit (busy at the same time)"));
}

}  // namespace
}  // namespace hexquant::report
