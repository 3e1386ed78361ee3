#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_testing.h"
#include "formats/onnx/onnx_io.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class OptimizeTest : public ProgramTest {
 protected:
  [[nodiscard]] Json optimize(std::vector<std::string> arguments, int status = 0) const {
    arguments.insert(arguments.begin(), "optimize");
    arguments.insert(arguments.end(), {"--json", "result.json"});
    const RunResult result = run(arguments);
    EXPECT_EQ(result.status, status) << result.err << result.out;
    const Json json = parse_json(read_file(folder_ / "result.json"), "result.json");
    EXPECT_THAT(test::schema_violations(test::published_schema("optimize"), json), IsEmpty());
    return json;
  }

  [[nodiscard]] graph::Graph written(const std::string& name) const {
    return formats::read_onnx(folder_ / name);
  }

  static std::ptrdiff_t count(const graph::Graph& graph, std::string_view op_type) {
    return std::count_if(graph.nodes().begin(), graph.nodes().end(),
                         [&](const graph::Node& node) { return node.op_type() == op_type; });
  }

  static std::vector<std::string> names(const Json& json) {
    std::vector<std::string> all;
    for (const Json& row : json["rewrites"]) all.push_back(row["name"]);
    return all;
  }

  /// [1,2,2,2] images through one padded convolution: every output sees padding.
  void write_border_model(const std::string& name) const {
    graph::Graph graph;
    graph.info.graph_name = "border";
    graph.opsets[""] = 17;
    const auto type = [](const Shape& shape) {
      graph::ValueType type{DType::kFloat32, std::vector<graph::Dim>{}};
      for (const std::int64_t dim : shape) type.shape->push_back({dim, ""});
      return type;
    };
    graph.add_input("x", type({1, 3, 2, 2}));
    // First and last channel against each other: no one level can stand for both means.
    std::vector<float> weight(27, 0.1F);
    std::fill_n(weight.begin(), 9, 1.0F);
    std::fill_n(weight.begin() + 18, 9, -1.0F);
    graph.add_initializer("w", Tensor::from<float>({1, 3, 3, 3}, weight));
    graph.add_node({"Conv", {"x", "w"}, {"y"}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}}});
    graph.add_output("y");
    graph.set_type("y", type({1, 1, 2, 2}));
    formats::write_onnx(graph, folder_ / name);
  }

  const std::string digits_ = example("model.onnx");
  const std::string images_ = example("test_images.npy");
  const std::string preprocess_ = example("preprocess.json");
};

TEST_F(OptimizeTest, default_rewrites_keep_the_function) {
  const Json json = optimize(
      {digits_, "-o", "fast", "--data", images_, "--preprocess", preprocess_, "--samples", "50"});
  EXPECT_EQ(json["files"], Json::array({"fast.onnx"})) << "the preprocessing is as it was";
  EXPECT_THAT(names(json), Contains("fold_batch_norm"));
  EXPECT_EQ(json["check"]["samples"], 50);
  EXPECT_EQ(json["check"]["agreement"], 1.0);
  EXPECT_GT(json["check"]["sqnr_db"].get<double>(), 80.0);
  EXPECT_LT(json["after"]["traffic_bytes"], json["before"]["traffic_bytes"]);
  EXPECT_LT(json["after"]["fused_traffic_bytes"], json["after"]["traffic_bytes"]);
  const graph::Graph graph = written("fast.onnx");
  EXPECT_EQ(count(graph, "BatchNormalization"), 0);
  EXPECT_EQ(graph.find_type("image")->dtype, DType::kFloat32);
}

TEST_F(OptimizeTest, levels_go_straight_into_the_quantized_model) {
  const Json json = optimize({digits_, "-o", "fast.onnx", "--nhwc-input", "--uint8-input", "--data",
                              images_, "--preprocess", preprocess_, "--samples", "100"});
  EXPECT_EQ(json["files"], Json::array({"fast.onnx", "fast.preprocess.json"}));
  EXPECT_GE(json["check"]["agreement"].get<double>(), 0.995);
  const Json& input = json["borders"]["inputs"][0];
  EXPECT_TRUE(input["nhwc"].get<bool>());
  EXPECT_TRUE(input["levels"].get<bool>());
  const graph::Graph graph = written("fast.onnx");
  EXPECT_EQ(graph.find_type("image")->dtype, DType::kUInt8);
  EXPECT_EQ((*graph.find_type("image")->shape)[3].value, 1);

  const RunResult quantized =
      run({"quantize", "fast.onnx", "--data", example("calibration_images.npy"), "--preprocess",
           "fast.preprocess.json", "--samples", "64", "--evaluate", "100", "--eval-data", images_,
           "--labels", example("test_labels.npy"), "-o", "out"});
  ASSERT_EQ(quantized.status, 0) << quantized.err;
  const graph::Graph model = written("out/model.onnx");
  EXPECT_EQ(model.find_type("image")->dtype, DType::kUInt8);
  for (const graph::Use& use : model.uses("image")) {
    EXPECT_EQ(use.node->op_type(), "DequantizeLinear") << "levels are codes: nothing to quantize";
  }
  const Json report = parse_json(read_file(folder_ / "out/report.json"), "report.json");
  EXPECT_GE(report["summary"]["fp32"]["top1"].get<double>(), 0.97);
  EXPECT_GE(report["summary"]["quantized"]["top1"].get<double>(), 0.95);
}

TEST_F(OptimizeTest, quantized_models_take_and_give_codes_on_request) {
  ASSERT_EQ(run({"quantize", digits_, "--data", images_, "--preprocess", preprocess_, "--samples",
                 "16", "-o", "out"})
                .status,
            0);
  const Json json =
      optimize({"out/model.onnx", "-o", "codes.onnx", "--quantized-io", "--nhwc-input"});
  EXPECT_TRUE(json["quantized"].get<bool>());
  EXPECT_EQ(json["borders"]["inputs"][0]["encoding"]["type"], "uint8");
  EXPECT_EQ(json["borders"]["outputs"][0]["encoding"]["type"], "uint8");
  const graph::Graph graph = written("codes.onnx");
  EXPECT_EQ(graph.find_type("image")->dtype, DType::kUInt8);
  EXPECT_EQ(graph.producer("logits")->op_type(), "QuantizeLinear");
  EXPECT_EQ(json["check"]["agreement"], 1.0);
}

TEST_F(OptimizeTest, rewrites_can_be_chosen) {
  const Json only = optimize({digits_, "--dry-run", "--only", "fold_batch_norm"});
  EXPECT_EQ(names(only), std::vector<std::string>{"fold_batch_norm"});
  EXPECT_THAT(only["files"], IsEmpty());
  const Json skip = optimize({digits_, "--dry-run", "--skip", "fold_batch_norm,fold_identity"});
  EXPECT_THAT(names(skip), testing::Not(Contains("fold_batch_norm")));
}

TEST_F(OptimizeTest, a_border_that_differs_too_much_is_status_1_and_nothing_is_written) {
  write_border_model("border.onnx");
  const std::vector<std::string> levels = {"border.onnx", "-o",        "out.onnx", "--uint8-input",
                                           "--mean",      "0,128,255", "--std",    "64"};
  const Json json = optimize(levels, 1);
  EXPECT_FALSE(json["check"]["passed"].get<bool>());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.onnx"));

  std::vector<std::string> exact = levels;
  exact.push_back("--exact-border");
  EXPECT_TRUE(optimize(exact)["check"]["passed"].get<bool>());
  EXPECT_EQ(count(written("out.onnx"), "Add"), 1);
}

TEST_F(OptimizeTest, same_bytes_every_time) {
  (void)optimize({digits_, "-o", "a.onnx", "--threads", "1"});
  (void)optimize({digits_, "-o", "b.onnx", "--threads", "2"});
  EXPECT_EQ(read_file(folder_ / "a.onnx"), read_file(folder_ / "b.onnx"));
}

TEST_F(OptimizeTest, refuses_what_makes_no_sense) {
  expect_refused(run({"optimize", digits_}), "-o OUT");
  expect_refused(run({"optimize", digits_, "-o", "out", "--only", "fold_batchnorm"}),
                 "fold_batch_norm?");
  expect_refused(run({"optimize", digits_, "-o", "out", "--quantized-io"}), "quantize it first");
  expect_refused(run({"optimize", digits_, "-o", "out", "--soc", "nope"}), "nope");
  expect_refused(run({"optimize", "none.onnx", "-o", "out"}), "none.onnx");
  write_samples("noise.npy", {4, 1, 16, 16});
  expect_refused(run({"optimize", digits_, "-o", "out", "--uint8-input", "--data", "noise.npy"}),
                 "no level 0..255");
  std::filesystem::copy_file(digits_, folder_ / "same.onnx");
  expect_refused(run({"optimize", "same.onnx", "-o", "same"}), "that is MODEL itself");
}

TEST_F(OptimizeTest, prints_the_table_of_rewrites) {
  const RunResult result = run({"optimize", digits_, "--dry-run"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("predicted gain us"));
  EXPECT_THAT(result.out, HasSubstr("on the NPU: fused"));
  EXPECT_THAT(result.out, HasSubstr("passed"));
}

}  // namespace
}  // namespace hexquant::cli
