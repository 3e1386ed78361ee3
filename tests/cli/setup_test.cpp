#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>

#include <algorithm>
#include <array>
#include <optional>

#include "cli/cli_testing.h"
#include "support/fake_python.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SetupTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    python_.emplace(folder_);
  }

  [[nodiscard]] std::filesystem::path data_home() const { return folder_ / "data"; }
  [[nodiscard]] std::filesystem::path environment() const {
    return data_home() / "hexquant" / "qnn";
  }
  [[nodiscard]] std::filesystem::path package() const {
    return environment() / "lib" / "python3.11" / "site-packages" / "onnxruntime_qnn";
  }

  [[nodiscard]] RunResult setup(const std::vector<std::string>& options,
                                const std::string& variables = "") const {
    std::vector<std::string> arguments = {"setup", "htp"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run(arguments, python_->prefix(data_home(), variables));
  }

  /// The result as JSON, checked against the schema.
  [[nodiscard]] Json setup_json(std::vector<std::string> options, int status,
                                const std::string& variables = "") const {
    options.insert(options.end(), {"--json", "-"});
    const RunResult result = setup(options, variables);
    EXPECT_EQ(result.status, status) << result.err;
    Json json = Json::parse(result.out);
    EXPECT_THAT(test::schema_violations(test::published_schema("setup"), json), IsEmpty());
    return json;
  }

  /// Runs the program at a terminal where the user types `answer`.
  [[nodiscard]] RunResult at_terminal(const std::string& answer) const {
    const std::string command =
        python_->prefix(data_home()) + quoted(HEXQUANT_PROGRAM) + " setup htp";
    int terminal = -1;
    const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
    if (child == 0) {
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    RunResult result;
    EXPECT_EQ(::write(terminal, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::read(terminal, buffer.data(), buffer.size())) > 0;) {
      result.out.append(buffer.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ::close(terminal);
    result.status = WEXITSTATUS(status);
    return result;
  }

  /// Refused for want of a component: status 3, the last line says why, nothing half-made.
  void expect_missing(const RunResult& result, const std::string& expected) const {
    EXPECT_EQ(result.status, 3) << result.err;
    const std::size_t last = result.err.rfind("hexquant: ");
    ASSERT_NE(last, std::string::npos) << result.err;
    EXPECT_THAT(result.err.substr(last), HasSubstr(expected));
    EXPECT_EQ(
        std::count(result.err.begin() + static_cast<std::ptrdiff_t>(last), result.err.end(), '\n'),
        1);
    EXPECT_FALSE(std::filesystem::exists(environment()));
    const std::filesystem::path parent = environment().parent_path();
    EXPECT_TRUE(!std::filesystem::exists(parent) || std::filesystem::is_empty(parent))
        << "something half-made is left";
  }

  std::optional<test::FakePython> python_;
};

TEST_F(SetupTest, nobody_to_ask_is_status_2_and_one_line) {
  const RunResult result = setup({});
  expect_refused(result, "Qualcomm AI Stack License");
  EXPECT_THAT(result.err, HasSubstr("--accept-licence"));
  EXPECT_THAT(python_->calls(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(data_home()));
}

TEST_F(SetupTest, dry_run_says_what_would_be_done_and_does_nothing) {
  const Json json = setup_json({"--dry-run"}, 0);
  EXPECT_EQ(json["action"], "planned");
  EXPECT_EQ(json["environment"], environment().string());
  EXPECT_EQ(json["package"]["version"], "2.7.0");
  EXPECT_TRUE(json["package"]["folder"].is_null());
  EXPECT_THAT(json["licence"]["file"], HasSubstr("Qualcomm_LICENSE.pdf"));
  EXPECT_THAT(setup({"--dry-run"}).out, HasSubstr("would install onnxruntime-qnn 2.7.0"));
  EXPECT_THAT(python_->calls(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(data_home()));
}

TEST_F(SetupTest, installs_the_libraries_alone_into_the_private_environment) {
  const RunResult result = setup({"--accept-licence"});
  EXPECT_THAT(result.err, HasSubstr("Qualcomm AI Stack License"));
  EXPECT_THAT(result.err, HasSubstr("Qualcomm_LICENSE.pdf"));
  EXPECT_THAT(python_->calls(), HasSubstr("-m pip install"));
  EXPECT_THAT(python_->calls(), HasSubstr("--no-deps"));
  EXPECT_THAT(python_->calls(), HasSubstr("onnxruntime-qnn==2.7.0\n"));
  EXPECT_TRUE(std::filesystem::exists(package() / "Qualcomm_LICENSE.pdf"));
  EXPECT_THAT(result.out, HasSubstr(package().string()));
  // The fake package is no library: installed, but the check tells.
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out, HasSubstr("FAILED: rejected"));
}

TEST_F(SetupTest, what_does_not_work_is_installed_again) {
  EXPECT_EQ(setup_json({"--accept-licence"}, 1)["action"], "installed");
  std::filesystem::remove(package() / "Qualcomm_LICENSE.pdf");
  const Json json = setup_json({"--accept-licence"}, 1);
  EXPECT_EQ(json["action"], "installed");
  EXPECT_EQ(json["check"]["works"], false);
  EXPECT_TRUE(std::filesystem::exists(package() / "Qualcomm_LICENSE.pdf"));
}

TEST_F(SetupTest, a_failing_pip_shows_its_output_and_keeps_what_was_there) {
  expect_missing(setup({"--accept-licence"}, "FAKE_NO_PACKAGE=1"),
                 "ERROR: No matching distribution found");
  EXPECT_THAT(setup({"--accept-licence"}, "FAKE_NO_PACKAGE=1").err,
              HasSubstr("Looking in indexes\n"));
  static_cast<void>(setup({"--accept-licence"}));
  EXPECT_EQ(setup({"--accept-licence", "--version", "2.8.0"}, "FAKE_NO_PACKAGE=1").status, 3);
  EXPECT_TRUE(std::filesystem::exists(package() / "Qualcomm_LICENSE.pdf"));
}

TEST_F(SetupTest, missing_parts_of_python_are_named) {
  expect_missing(setup({"--accept-licence"}, "PATH=/nowhere"), "python3 is not on PATH");
  expect_missing(setup({"--accept-licence"}, "HEXQUANT_PYTHON=/nowhere/python"),
                 "/nowhere/python is not a program");
  expect_missing(setup({"--accept-licence"}, "FAKE_NO_PIP=1"), "has no pip: install python3-pip");
  expect_missing(setup({"--accept-licence"}, "FAKE_NO_VENV=1"), "install python3-venv");
  expect_missing(setup({"--accept-licence"}, "FAKE_EMPTY=1"), "holds no HTP provider");
}

TEST_F(SetupTest, another_version_is_untested) {
  const RunResult result = setup({"--accept-licence", "--version", "2.8.0"});
  EXPECT_THAT(python_->calls(), HasSubstr("onnxruntime-qnn==2.8.0\n"));
  EXPECT_THAT(result.out, HasSubstr("2.8.0 (untested: 2.7.0 is"));
  // The tested one replaces it.
  const Json json = setup_json({"--accept-licence"}, 1);
  EXPECT_EQ(json["package"]["version"], "2.7.0");
  EXPECT_EQ(json["package"]["tested"], true);
  expect_refused(setup({"--accept-licence", "--version", "latest"}), "--version: expected");
}

TEST_F(SetupTest, an_installation_of_the_users_own_is_checked_only) {
  const std::filesystem::path own = folder_ / "own";
  std::filesystem::create_directories(own);
  write_file(own / "libonnxruntime_providers_qnn.so", "no library");
  const std::string variable = "HEXQUANT_QNN_ROOT=" + own.string();
  const Json json = setup_json({}, 1, variable);
  EXPECT_EQ(json["action"], "kept");
  EXPECT_EQ(json["from_variable"], true);
  EXPECT_EQ(json["package"]["folder"], own.string());
  EXPECT_THAT(setup({}, variable).out, HasSubstr("nothing was installed"));
  EXPECT_THAT(setup({"--dry-run"}, variable).out, HasSubstr("nothing would be installed"));
  EXPECT_EQ(setup({}, "HEXQUANT_QNN_ROOT=/nowhere").status, 3);
  EXPECT_THAT(python_->calls(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(data_home()));
}

TEST_F(SetupTest, remove_takes_away_the_private_environment_alone) {
  EXPECT_EQ(setup_json({"--remove"}, 0)["action"], "nothing-to-remove");
  static_cast<void>(setup({"--accept-licence"}));
  write_file(data_home() / "hexquant" / "other", "kept");
  EXPECT_EQ(setup_json({"--remove"}, 0)["action"], "removed");
  EXPECT_FALSE(std::filesystem::exists(environment()));
  EXPECT_TRUE(std::filesystem::exists(data_home() / "hexquant" / "other"));

  std::filesystem::create_directories(environment());
  write_file(environment() / "thesis.txt", "mine");
  EXPECT_EQ(setup({"--remove"}).status, 2);
  EXPECT_TRUE(std::filesystem::exists(environment() / "thesis.txt"));
}

TEST_F(SetupTest, asks_at_a_terminal) {
  const RunResult no = at_terminal("n\n");
  EXPECT_EQ(no.status, 3) << no.out;
  EXPECT_THAT(no.out, HasSubstr("Qualcomm_LICENSE.pdf"));
  EXPECT_THAT(no.out, HasSubstr("[y/N]"));
  EXPECT_THAT(no.out, HasSubstr("nothing was installed"));
  EXPECT_EQ(at_terminal("\n").status, 3);
  EXPECT_THAT(python_->calls(), IsEmpty());

  const RunResult yes = at_terminal("y\n");
  EXPECT_EQ(yes.status, 1) << yes.out;  // the check of the fake package
  EXPECT_THAT(python_->calls(), HasSubstr("pip install"));
}

TEST_F(SetupTest, an_unknown_component_is_refused) {
  const RunResult result = run({"setup", "gpu"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, HasSubstr("COMPONENT"));
}

}  // namespace
}  // namespace hexquant::cli
