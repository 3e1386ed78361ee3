#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_testing.h"
#include "pipeline/htp_setup.h"
#include "support/fake_python.h"
#include "support/htp.h"

namespace hexquant::cli {
namespace {

using HtpSetupTest = ProgramTest;

TEST_F(HtpSetupTest, checks_what_it_installed_by_running_a_model) {
  HEXQUANT_NEEDS_HTP();
  // The package that is there anyway stands for what pip would bring.
  const test::FakePython python(folder_);
  const std::string prefix = python.prefix(
      folder_ / "data", "FAKE_REAL_PACKAGE=" + quoted(test::find_htp()->folder.string()));
  const RunResult first = run({"setup", "htp", "--accept-licence", "--json", "-"}, prefix);
  ASSERT_EQ(first.status, 0) << first.err;
  const Json json = Json::parse(first.out);
  EXPECT_EQ(json["action"], "installed");
  EXPECT_EQ(json["check"]["works"], true);
  // The second time there is nothing to ask or to do.
  const RunResult second = run({"setup", "htp"}, prefix);
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_THAT(second.out, testing::HasSubstr("a tiny model was compiled and run"));
  EXPECT_EQ(python.calls().find("install"), python.calls().rfind("install"));
}

}  // namespace
}  // namespace hexquant::cli
