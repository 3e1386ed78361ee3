// Group quantization through the real program, on the small decoder.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "cli/cli_testing.h"
#include "evaluate/session_choice.h"
#include "formats/onnx/onnx_io.h"

namespace hexquant::cli {
namespace {

class GroupsCommand : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    std::vector<std::int64_t> ids(12 * 8);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i * 7 % 50);
    data::write_npy(folder_ / "ids.npy", Tensor::from<std::int64_t>({12, 8}, ids));
  }

  /// The decoder with 4-bit weights in groups of 16.
  [[nodiscard]] RunResult quantize(const std::vector<std::string>& more,
                                   const std::string& out = "out",
                                   const std::string& granularity = "group:16") const {
    std::vector<std::string> arguments = {"quantize",
                                          model("tiny_llama.onnx"),
                                          "--data",
                                          "ids.npy",
                                          "--act-bits",
                                          "16",
                                          "-o",
                                          out,
                                          "--granularity",
                                          granularity,
                                          "--weight-bits",
                                          "4:all"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  [[nodiscard]] graph::Graph result(const std::string& out = "out") const {
    return formats::read_onnx(folder_ / out / "model.onnx");
  }

  [[nodiscard]] std::map<std::string, int> count_ops(const std::string& out = "out") const {
    std::map<std::string, int> counts;
    const graph::Graph graph = result(out);
    for (const graph::Node& node : graph.nodes()) {
      const bool blocks = node.int_attribute("block_size", 0) > 0;
      ++counts[node.op_type() + (blocks ? " blocks" : "")];
    }
    return counts;
  }

  [[nodiscard]] Tensor output(const std::string& out) const {
    const graph::Graph graph = result(out);
    const runtime::Session session(graph, evaluate::session_options(graph));
    const Tensor ids =
        Tensor::from<std::int64_t>({1, 8}, std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8});
    return session.run({{"input_ids", ids}}).at(0);
  }

  [[nodiscard]] std::string finding(const std::string& id) const {
    const Json report = read_json(folder_ / "out" / "report.json");
    for (const Json& one : report.at("findings")) {
      if (one.at("id") == id) return one.at("reason").get<std::string>();
    }
    return "";
  }
};

TEST_F(GroupsCommand, WritesBlocksAndSaysWhatOverridesCannot) {
  const RunResult done = quantize({});
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_GT(count_ops()["DequantizeLinear blocks"], 10);
  EXPECT_NE(done.err.find("overrides-without-groups"), std::string::npos) << done.err;
  const std::string left_out = finding("overrides-without-groups");
  const Json overrides = read_json(folder_ / "out" / "overrides.json");
  int blocks = 0;
  const Json encodings = read_json(folder_ / "out" / "model.encodings");
  for (const Json& entry : encodings.at("param_encodings")) {
    if (entry.at("enc_type") != "PER_BLOCK") continue;
    ++blocks;
    const auto name = entry.at("name").get<std::string>();
    EXPECT_NE(left_out.find(name), std::string::npos) << left_out;
    EXPECT_FALSE(overrides.at("param_encodings").contains(name));
  }
  EXPECT_EQ(blocks, count_ops()["DequantizeLinear blocks"]);
}

TEST_F(GroupsCommand, LpbqEncodingsDescribeTheModel) {
  ASSERT_EQ(quantize({"--block-scale", "lpbq"}).status, 0);
  const graph::Graph floats = formats::read_onnx(folder_ / "out" / "model_float.onnx");
  int checked = 0;
  const Json encodings = read_json(folder_ / "out" / "model.encodings");
  for (const Json& entry : encodings.at("param_encodings")) {
    EXPECT_NE(entry.at("enc_type"), "PER_BLOCK");
    if (entry.at("enc_type") != "LPBQ") continue;
    const Tensor& weight = *floats.find_initializer(entry.at("name").get<std::string>());
    const auto scales = entry.at("scale").get<std::vector<float>>();
    const auto integers = entry.at("per_block_int_scale").get<std::vector<int>>();
    const std::int64_t rows = weight.shape()[0];
    const std::int64_t columns = weight.shape()[1];  // MatMul: the channels
    ASSERT_EQ(static_cast<std::int64_t>(scales.size()), columns);
    ASSERT_EQ(static_cast<std::int64_t>(integers.size()), columns * rows / 16);
    EXPECT_EQ(entry.at("offset"), Json(std::vector<int>(scales.size(), -128)));
    for (std::int64_t i = 0; i < weight.size(); ++i) {
      const std::int64_t channel = i % columns;
      const int integer =
          integers[static_cast<std::size_t>(channel * (rows / 16) + i / columns / 16)];
      const float scale = scales[static_cast<std::size_t>(channel)] * static_cast<float>(integer);
      const float code = weight.data<float>()[static_cast<std::size_t>(i)] / scale;
      ASSERT_EQ(code, std::nearbyint(code)) << entry.at("name") << "[" << i << "]";
      ASSERT_LE(std::abs(code), 8.0F);
      ++checked;
    }
  }
  EXPECT_GT(checked, 1000);
}

TEST_F(GroupsCommand, MatMulNBitsComputesTheSame) {
  ASSERT_EQ(quantize({}, "qdq").status, 0);
  const RunResult done = quantize({"--group-format", "matmulnbits"});
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(count_ops()["MatMulNBits blocks"], count_ops("qdq")["DequantizeLinear blocks"]);
  EXPECT_EQ(count_ops()["DequantizeLinear blocks"], 0);
  const Tensor a = output("qdq");
  const Tensor b = output("out");
  // A sum in another order moves a 16-bit activation by a step now and then.
  constexpr double kStepsTolerance = 1e-3;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i) {
    EXPECT_NEAR(a.data<float>()[i], b.data<float>()[i], kStepsTolerance);
  }
  EXPECT_EQ(read_file(folder_ / "qdq" / "model.encodings"),
            read_file(folder_ / "out" / "model.encodings"));
  const RunResult info = run({"info", "out/model.onnx", "--json", "-"});
  EXPECT_EQ(info.status, 0) << info.err;
  EXPECT_NE(info.out.find("\"group\""), std::string::npos) << info.out;
}

TEST_F(GroupsCommand, BiasesStandBesideLayersWithGroups) {
  const std::vector<std::string> arguments = {"quantize",
                                              example("model.onnx"),
                                              "--data",
                                              example("calibration_images.npy"),
                                              "--preprocess",
                                              example("preprocess.json"),
                                              "--samples",
                                              "16",
                                              "--act-bits",
                                              "16",
                                              "--granularity",
                                              "group:16",
                                              "-o",
                                              "out"};
  const RunResult done = run(arguments);
  ASSERT_EQ(done.status, 0) << done.err;
  const Json report = read_json(folder_ / "out" / "report.json");
  EXPECT_GT(report.at("summary").at("sqnr_db").get<double>(), 35.0);
  const graph::Graph graph = result();
  int grouped = 0;
  for (const Json& layer : report.at("layers")) {
    if (layer.at("op") == "Gemm") {
      EXPECT_EQ(layer.at("granularity"), "group");
    }
    if (layer.at("granularity") != "group") continue;
    ++grouped;
    for (const graph::Node& node : graph.nodes()) {
      if (node.name() != layer.at("name")) continue;
      EXPECT_EQ(node.inputs().size(), 2U) << node.name();
    }
  }
  EXPECT_GE(grouped, 1);
  for (const Json& one : report.at("findings")) EXPECT_NE(one.at("id"), "htp-illegal");

  // The HTP's provider takes MatMulNBits with three dimensions, the head has two.
  std::vector<std::string> packed = arguments;
  packed.insert(packed.end(), {"--group-format", "matmulnbits"});
  ASSERT_EQ(run(packed).status, 0);
  EXPECT_EQ(count_ops()["MatMulNBits blocks"], 1);
  EXPECT_NE(finding("matmulnbits-rank").find("Gemm"), std::string::npos);
}

TEST_F(GroupsCommand, HeadAndEmbeddingAtEightBitsAreOneCommand) {
  const RunResult done = quantize({"--layer-bits", "op:Gather=8", "--layer-bits", "*MatMul_1*=w8"});
  ASSERT_EQ(done.status, 0) << done.err;
  const Json report = read_json(folder_ / "out" / "report.json");
  int gathers = 0;
  for (const Json& layer : report.at("layers")) {
    if (layer.at("op") != "Gather") continue;
    EXPECT_EQ(layer.at("effective_bits"), 8);
    ++gathers;
  }
  EXPECT_EQ(gathers, 1);
  const Json recipe = read_json(folder_ / "out" / "recipe.json");
  EXPECT_EQ(recipe.at("layer_bits"), Json({"op:Gather=8", "*MatMul_1*=w8"}));
}

TEST_F(GroupsCommand, TheRecipeRepeatsTheRun) {
  ASSERT_EQ(quantize({"--block-scale", "lpbq", "--group-format", "matmulnbits", "--layer-bits",
                      "op:Gather=8"})
                .status,
            0);
  const RunResult again = run({"quantize", "--recipe", "out/recipe.json", "-o", "again"});
  ASSERT_EQ(again.status, 0) << again.err;
  for (const char* file : {"model.onnx", "model.encodings", "recipe.json"}) {
    EXPECT_EQ(read_file(folder_ / "out" / file), read_file(folder_ / "again" / file)) << file;
  }
}

TEST_F(GroupsCommand, RefusesWhatDoesNotFit) {
  expect_refused(quantize({"--layer-bits", "op:Gather=7"}), "--layer-bits 'op:Gather=7'");
  expect_refused(quantize({"--layer-bits", "nothing*=8"}), "nothing*");
  expect_refused(quantize({"--group-format", "matmulnbits"}, "out", "group:48"), "power of two");
  expect_refused(quantize({"--group-format", "matmulnbits"}, "out", "channel"),
                 "granularity group:N");
  expect_refused(quantize({"--block-scale", "lpbq"}, "out", "channel"), "granularity group:N");
  EXPECT_EQ(quantize({"--block-scale", "double"}).status, 2);
  EXPECT_EQ(quantize({"--group-format", "gguf"}).status, 2);
}

}  // namespace
}  // namespace hexquant::cli
