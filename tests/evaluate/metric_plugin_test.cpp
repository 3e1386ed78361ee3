#include "hexquant/metric_plugin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "evaluate/external_metric.h"
#include "hexquant/error.h"
#include "support/temp_folder.h"

namespace hexquant::evaluate {
namespace {

using ::testing::HasSubstr;

std::string plugin(const std::string& name) {
  return std::string(HEXQUANT_METRIC_PLUGINS) + "/" + name + ".so";
}

/// Four items of three scores, the largest at 0, 1, 2, 2.
class MetricPlugin : public testing::Test {
 protected:
  MetricPlugin() : outputs_(temp_.path() / "outputs", "net", {"scores"}, 4, 1) {
    const std::vector<std::vector<float>> rows = {{9, 1, 2}, {1, 9, 2}, {1, 2, 9}, {0, 1, 9}};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      outputs_.write(static_cast<std::int64_t>(i), {Tensor::from<float>({1, 3}, rows[i])});
    }
  }

  [[nodiscard]] std::string labels(const std::string& text) const {
    const auto file = temp_.path() / "labels.txt";
    std::ofstream(file) << text;
    return file.string();
  }

  [[nodiscard]] double run(const std::string& text, double time_limit_s = 60.0) const {
    return run_plugin_metric(plugin("rate"), outputs_.path(), labels(text), time_limit_s,
                             silent_progress());
  }

  [[nodiscard]] std::string failure_of(const std::string& text, double time_limit_s = 60.0) const {
    try {
      (void)run(text, time_limit_s);
      return "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
      return error.what();
    }
  }

  test::TempFolder temp_;
  OutputFolder outputs_;
};

TEST_F(MetricPlugin, GetsEveryItemAndTheLabels) {
  EXPECT_DOUBLE_EQ(run("0 1 2 2"), 1.0);
  EXPECT_DOUBLE_EQ(run("0 1 2 0"), 0.75);
  EXPECT_DOUBLE_EQ(run("1 1 1 1"), 0.25);
}

TEST_F(MetricPlugin, WhatFailsIsNamed) {
  EXPECT_THAT(failure_of("0 1"), HasSubstr("hexquant_metric_add failed: item 2 has no label"));
  EXPECT_THAT(failure_of("refuse"), HasSubstr("hexquant_metric_begin failed: these are no labels"));
  EXPECT_THAT(failure_of("nan"), HasSubstr("hexquant_metric_end gave nan, expected a finite"));
}

TEST_F(MetricPlugin, CrashesAndHangsStayInItsProcess) {
  EXPECT_THAT(failure_of("crash"), HasSubstr("failed: killed by signal 6"));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(failure_of("hang", 0.5), HasSubstr("did not end within 0.5 s"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(CheckPlugin, NamesWhatItLacks) {
  const auto failure = [](const std::string& file) -> std::string {
    try {
      check_plugin_metric(file, 60.0, silent_progress());
      return "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.what();
    }
  };
  EXPECT_EQ(failure(plugin("rate")), "no error");
  EXPECT_THAT(failure(plugin("other_version")), HasSubstr("hexquant_metric_abi() is 99, expected"));
  EXPECT_THAT(failure(plugin("no_begin")), HasSubstr("has no function hexquant_metric_begin"));
  EXPECT_THAT(failure("/no/such.so"), HasSubstr("/no/such.so: cannot be loaded"));
  const test::TempFolder temp;
  std::ofstream(temp.path() / "text.so") << "no library";
  EXPECT_THAT(failure((temp.path() / "text.so").string()), HasSubstr("text.so: cannot be loaded"));
}

}  // namespace
}  // namespace hexquant::evaluate
