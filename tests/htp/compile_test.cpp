#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cli/cli_testing.h"
#include "formats/onnx/onnx_io.h"
#include "support/graph_builder.h"
#include "support/htp.h"
#include "support/json_schema.h"
#include "target/target.h"

namespace hexquant::cli {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CompileCommand : public ProgramTest {
 protected:
  void quantize(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"quantize",     example("model.onnx"),
                                          "--data",       example("calibration_images.npy"),
                                          "--preprocess", example("preprocess.json"),
                                          "--samples",    "64",
                                          "-o",           path("out")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const RunResult result = run(arguments);
    ASSERT_EQ(result.status, 0) << result.err;
  }

  [[nodiscard]] RunResult compile(std::vector<std::string> arguments,
                                  const std::string& prefix = "") const {
    arguments.insert(arguments.begin(), "compile");
    arguments.insert(arguments.end(), {"--json", path("c.json")});
    return run(arguments, prefix);
  }

  /// Result file, once it fits the published schema.
  [[nodiscard]] Json result() const {
    Json json = read_json(path("c.json"));
    EXPECT_THAT(test::schema_violations(test::published_schema("compile"), json), IsEmpty());
    return json;
  }

  static void expect_status(const RunResult& run, int status, const std::string& expected) {
    EXPECT_EQ(run.status, status) << run.err;
    EXPECT_THAT(run.err, HasSubstr(expected));
  }

  /// `count` operations that no HTP has, between float values.
  void write_unsupported(const std::string& name, int count) const {
    test::GraphBuilder builder;
    builder.input("x", {1, 8});
    std::string value = "x";
    for (int i = 0; i < count; ++i) {
      const std::string next = "h" + std::to_string(i);
      builder.node("Hardmax", {value}, {next}, {1, 8});
      value = next;
    }
    builder.output(value);
    formats::write_onnx(builder.graph(), path(name));
  }

  /// x [0,8] times a matrix: kills the provider.
  void write_no_rows(const std::string& name) const {
    test::GraphBuilder builder;
    builder.input("x", {0, 8}).scalar("scale", 0.5F);
    builder.node("QuantizeLinear", {"x", "scale", "zero"}, {"q"}, {0, 8}, {}, "", DType::kUInt8)
        .node("DequantizeLinear", {"q", "scale", "zero"}, {"d"}, {0, 8})
        .node("DequantizeLinear", {"codes", "scale"}, {"w"}, {8, 4})
        .node("MatMul", {"d", "w"}, {"m"}, {0, 4})
        .node("QuantizeLinear", {"m", "scale", "zero"}, {"mq"}, {0, 4}, {}, "", DType::kUInt8)
        .node("DequantizeLinear", {"mq", "scale", "zero"}, {"y"}, {0, 4})
        .output("y");
    graph::Graph graph = builder.graph();
    graph.add_initializer("zero", Tensor::scalar<std::uint8_t>(128));
    graph.add_initializer("codes", Tensor(DType::kInt8, {8, 4}));
    formats::write_onnx(graph, path(name));
  }
};

TEST_F(CompileCommand, WritesABinaryAndAModelThatRefersToIt) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  const RunResult run = compile({path("out/model.onnx"), "--soc", "SM8650", "-o", path("net.bin")});
  ASSERT_EQ(run.status, 0) << run.err;
  const Json json = result()["models"][0];
  EXPECT_EQ(json["vtcm_mb"], 8);
  EXPECT_EQ(json["input_shapes"]["image"], Json::parse("[1,1,16,16]"));
  EXPECT_EQ(json["placement"]["summary"]["npu-float"], 0);
  EXPECT_EQ(json["placement"]["summary"]["cpu"], 0);
  EXPECT_GT(json["placement"]["summary"]["npu-integer"].get<int>(), 10);
  EXPECT_THAT(json["disagreements"], IsEmpty());
  EXPECT_TRUE(json["spill_fill_bytes"].is_null());  // SM8650 has no estimates
  const graph::Graph context = formats::read_onnx(path("net.onnx"));
  std::vector<std::string> binaries;
  for (const graph::Node& node : context.nodes()) {
    if (node.op_type() == "EPContext") {
      binaries.push_back(node.string_attribute("ep_cache_context", ""));
    }
  }
  EXPECT_THAT(binaries, Contains("net.bin"));
  EXPECT_GT(std::filesystem::file_size(path("net.bin")), 10'000U);
}

TEST_F(CompileCommand, CompilesForEveryChipOfTheTable) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  for (const target::Soc& soc : target::list_socs()) {
    const RunResult run = compile({path("out/model.onnx"), "--soc", soc.name});
    EXPECT_EQ(run.status, 0) << soc.name << ": " << run.err << run.out;
    EXPECT_EQ(result()["models"][0]["placement"]["summary"]["cpu"], 0) << soc.name;
  }
}

TEST_F(CompileCommand, CutsVtcmDownToWhatTheChipHas) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  const RunResult run = compile({path("out/model.onnx"), "--soc", "SM8650", "--vtcm-mb", "64"});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(result()["models"][0]["vtcm_mb"], 8);
  EXPECT_THAT(run.err, HasSubstr("vtcm-clamped"));
}

TEST_F(CompileCommand, GivesTheVendorsEstimateAndAPage) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  const RunResult run =
      compile({path("out/model.onnx"), "--soc", "SA8255", "--report", path("estimate.html")});
  ASSERT_EQ(run.status, 0) << run.err;
  const Json estimate = result()["models"][0]["estimate"];
  ASSERT_TRUE(estimate["available"].get<bool>());
  EXPECT_GT(estimate["cycles"].get<int>(), 1000);
  EXPECT_LE(estimate["cycles_lower"].get<int>(), estimate["cycles"].get<int>());
  EXPECT_GT(estimate["ddr_bytes"]["input_fill"].get<int>(), 1000);
  EXPECT_GT(estimate["layers"].size(), 5U);
  EXPECT_THAT(run.out, HasSubstr("estimate"));
  EXPECT_THAT(read_file(path("estimate.html")), HasSubstr("SA8255"));
}

TEST_F(CompileCommand, WritesTheVendorsContainer) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  const RunResult run = compile({path("out/model.onnx"), "--format", "dlc", "-o", path("net.dlc")});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(read_file(path("net.dlc")).substr(0, 2), "PK");  // a zip archive
}

TEST_F(CompileCommand, GoesOnAfterModelsThatCannotBeCompiled) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  write_no_rows("no_rows.onnx");
  write_unsupported("unsupported.onnx", 20);
  std::filesystem::create_directory(path("tmp"));
  const RunResult run =
      compile({path("no_rows.onnx"), path("unsupported.onnx"), path("missing.onnx"),
               path("out/model.onnx"), "-o", path("compiled")},
              "TMPDIR=" + path("tmp"));
  EXPECT_EQ(run.status, 2) << run.err;  // the worst of all: a file that is not there
  const Json models = result()["models"];
  ASSERT_EQ(models.size(), 4U);
  EXPECT_EQ(models[0]["failure"]["kind"], "crashed");
  EXPECT_EQ(models[1]["placement"]["summary"]["cpu"], 20);
  for (const Json& node : models[1]["placement"]["nodes"]) EXPECT_NE(node["reason"], "");
  EXPECT_THAT(models[2]["error"].get<std::string>(), HasSubstr("missing.onnx"));
  EXPECT_TRUE(models[3]["compiled"].get<bool>());
  EXPECT_TRUE(std::filesystem::exists(path("compiled/model.bin")));
  EXPECT_FALSE(std::filesystem::exists(path("compiled/no_rows.bin")));
  EXPECT_TRUE(std::filesystem::is_empty(path("tmp")));
}

TEST_F(CompileCommand, EndsWhatTakesTooLong) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  const RunResult run = compile({path("out/model.onnx"), "--time-limit", "0.01"});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.out, HasSubstr("NOT COMPILED time-limit"));
}

TEST_F(CompileCommand, TakesTheOptionsFileOfTheArticle) {
  HEXQUANT_NEEDS_HTP();
  quantize();
  write_file(path("htp.json"),
             R"({"graph_config": {"vtcm_mb": 2, "enable_dlbc": true,
                 "dlbc_config": {"max_weight_cache_mb": 1}}})");
  const RunResult run =
      compile({path("out/model.onnx"), "--htp-config", path("htp.json"), "-o", path("net.bin")});
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(result()["models"][0]["vtcm_mb"], 2);
  EXPECT_THAT(run.err, HasSubstr("htp-config-not-expressible"));
  EXPECT_EQ(read_json(path("net.htp.json"))["graphs"][0]["vtcm_mb"], 2);
  EXPECT_EQ(read_json(path("net.config.json"))["backend_extensions"]["config_file_path"],
            "net.htp.json");
}

TEST_F(CompileCommand, PredictsWithoutTheSimulator) {
  quantize();
  const RunResult run =
      this->run({"compile", path("out/model.onnx"), "--dry-run", "--json", path("c.json")},
                "HEXQUANT_QNN_ROOT= XDG_DATA_HOME=" + path("nowhere"));
  ASSERT_EQ(run.status, 0) << run.err;
  const Json json = result();
  EXPECT_TRUE(json["dry_run"].get<bool>());
  EXPECT_EQ(json["models"][0]["placement"]["summary"]["cpu"], 0);
  EXPECT_GT(json["models"][0]["placement"]["summary"]["npu-integer"].get<int>(), 10);
}

TEST_F(CompileCommand, RefusesWhatItCannotDo) {
  quantize();
  expect_status(compile({path("out/model.onnx"), "-o", path("net.onnx")}), 2, "FILE.bin");
  expect_status(compile({path("out/model.onnx"), "--soc", "SM9999"}), 2, "SM9999");
  const std::string no_wheel = "HEXQUANT_QNN_ROOT= XDG_DATA_HOME=" + path("nowhere");
  expect_status(run({"compile", path("out/model.onnx"), "--soc", "SM9999"}, no_wheel), 2, "SM9999");
  expect_status(run({"compile", path("out/model.onnx")}, no_wheel), 3, "hexquant setup htp");
}

}  // namespace
}  // namespace hexquant::cli
