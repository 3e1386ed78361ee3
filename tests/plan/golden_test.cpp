#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "core/file_io.h"
#include "formats/onnx/onnx_io.h"
#include "passes/prepare.h"
#include "plan/plan.h"
#include "plan/plan_text.h"
#include "support/temp_folder.h"
#include "target/target.h"

// Whole plans of two small models, as text. After an intended change: HEXQUANT_UPDATE_GOLDEN=1
// plan_test, then read the difference.
namespace hexquant::plan {
namespace {

struct Case {
  const char* model;
  const char* golden;
  int weight_bits;
  int act_bits;
};

class GoldenPlan : public ::testing::TestWithParam<Case> {};

TEST_P(GoldenPlan, IsUnchanged) {
  const Case& one = GetParam();
  graph::Graph graph = formats::read_onnx(test::test_data(std::string("models/") + one.model));
  (void)passes::prepare(graph, {});
  PlanOptions options;
  options.weight_bits = one.weight_bits;
  options.act_bits = one.act_bits;
  const std::string text = plan_text(make_plan(graph, target::load_target("SM8650"), options));
  const auto path =
      std::filesystem::path(HEXQUANT_SOURCE_DIR) / "tests" / "plan" / "golden" / one.golden;
  if (std::getenv("HEXQUANT_UPDATE_GOLDEN") != nullptr) write_file(path, text);
  EXPECT_EQ(text, read_file(path));
}

INSTANTIATE_TEST_SUITE_P(
    Models, GoldenPlan,
    ::testing::Values(Case{"tiny_cnn.onnx", "tiny_cnn_w8a8.txt", 8, 8},
                      Case{"tiny_cnn.onnx", "tiny_cnn_w4a8.txt", 4, 8},
                      Case{"tiny_transformer.onnx", "tiny_transformer_w8a8.txt", 8, 8},
                      Case{"tiny_transformer.onnx", "tiny_transformer_w8a16.txt", 8, 16}),
    [](const auto& info) {
      std::string name = info.param.golden;
      return name.substr(0, name.size() - 4);
    });

}  // namespace
}  // namespace hexquant::plan
