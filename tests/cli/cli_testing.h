#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
#include "data/npy.h"
#include "hexquant/tensor.h"

// Runs the real program in a fresh folder.
namespace hexquant::cli {

struct RunResult {
  int status = -1;
  std::string out;
  std::string err;
};

inline std::string quoted(const std::string& argument) {
  std::string text = "'";
  for (const char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

/// The data of a page that the program wrote.
inline Json page_of(const std::string& file) {
  const std::string html = read_file(file);
  const std::string open = "id=\"data\">";
  const auto begin = html.find(open) + open.size();
  return Json::parse(html.substr(begin, html.find('<', begin) - begin));
}

class ProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "hexquant_cli.XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Runs `hexquant ARGUMENTS` with the test's folder as working directory.
  [[nodiscard]] RunResult run(const std::vector<std::string>& arguments,
                              const std::string& prefix = "") const {
    std::string command =
        "cd " + quoted(folder_.string()) + " && " + prefix + " " + quoted(HEXQUANT_PROGRAM);
    for (const std::string& argument : arguments) command += " " + quoted(argument);
    command += " >.stdout 2>.stderr </dev/null";
    RunResult result;
    const int status = std::system(command.c_str());
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.out = read_file(folder_ / ".stdout");
    result.err = read_file(folder_ / ".stderr");
    std::filesystem::remove(folder_ / ".stdout");
    std::filesystem::remove(folder_ / ".stderr");
    return result;
  }

  /// Runs `hexquant ARGUMENTS`, which is to end with status 0.
  void must_run(const std::vector<std::string>& arguments) const {
    const RunResult result = run(arguments);
    ASSERT_EQ(result.status, 0) << result.err;
  }

  [[nodiscard]] static std::string model(const std::string& name) {
    return std::string(HEXQUANT_SOURCE_DIR) + "/tests/data/models/" + name;
  }
  [[nodiscard]] static std::string example(const std::string& name) {
    return std::string(HEXQUANT_SOURCE_DIR) + "/examples/digits/" + name;
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }

  /// float32 samples 0.0 ... in a repeating pattern; shape[0] is the number of samples.
  void write_samples(const std::string& name, const Shape& shape) const {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>((i * 37) % 101) / 50.0F - 1.0F;
    }
    data::write_npy(folder_ / name, Tensor::from<float>(shape, values));
  }

  /// The program refused: status 2, one line on stderr that holds `expected`, no output folder.
  void expect_refused(const RunResult& result, const std::string& expected) const {
    EXPECT_EQ(result.status, 2) << result.err;
    EXPECT_NE(result.err.find(expected), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out")) << "half-written output";
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      EXPECT_EQ(entry.path().filename().string().find(".out."), std::string::npos)
          << "staging folder left behind";
    }
  }

  std::filesystem::path folder_;
};

}  // namespace hexquant::cli
