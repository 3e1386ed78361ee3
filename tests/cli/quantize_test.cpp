#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "cli/cli_testing.h"
#include "formats/onnx/onnx_io.h"
#include "runtime/session.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

namespace fs = std::filesystem;

class QuantizeCommand : public ProgramTest {
 protected:
  [[nodiscard]] RunResult quantize_tiny(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {
        "quantize", model("tiny_cnn.onnx"), "--data", "x.npy", "-o", "out"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
};

TEST_F(QuantizeCommand, WritesEveryFileOfTheContract) {
  write_samples("x.npy", {20, 3, 8, 8});
  const RunResult result = quantize_tiny();
  ASSERT_EQ(result.status, 0) << result.err;
  for (const char* file : {"model.onnx", "model_float.onnx", "model.encodings", "overrides.json",
                           "recipe.json", "report.json", "report.html"}) {
    EXPECT_TRUE(fs::exists(folder_ / "out" / file)) << file;
  }
  EXPECT_NE(result.out.find("output SQNR"), std::string::npos) << result.out;
  // Of the float model it is infinite, so it has no change.
  const std::size_t row = result.out.find("sqnr");
  ASSERT_NE(row, std::string::npos) << result.out;
  const std::string line = result.out.substr(row, result.out.find('\n', row) - row);
  EXPECT_EQ(line.substr(line.find_last_of(' ') + 1), "-") << line;
  const Json report = read_json(folder_ / "out" / "report.json");
  EXPECT_EQ(report.at("samples"), 20);
  EXPECT_TRUE(report.at("summary").at("quantized").at("top1").is_null());
  EXPECT_GT(report.at("summary").at("sqnr_db").get<double>(), 20.0);
}

TEST_F(QuantizeCommand, DigitsKeepTheirAccuracy) {
  const RunResult result =
      run({"quantize", example("model.onnx"), "--data", example("calibration_images.npy"),
           "--preprocess", example("preprocess.json"), "--evaluate", "--eval-data",
           example("test_images.npy"), "--labels", example("test_labels.npy"), "--metric", "top1",
           "-o", "out", "--json", "result.json"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Json report = read_json(folder_ / "result.json");
  const double before = report.at("summary").at("fp32").at("top1").get<double>();
  const double after = report.at("summary").at("quantized").at("top1").get<double>();
  EXPECT_NEAR(before, 0.996, 1e-9);
  EXPECT_LE(before - after, 0.004);
  EXPECT_GT(report.at("summary").at("agreement").get<double>(), 0.99);
}

TEST_F(QuantizeCommand, QuantizesEveryLayerOfTheDigitsNetwork) {
  ASSERT_EQ(run({"quantize", example("model.onnx"), "--data", example("calibration_images.npy"),
                 "--preprocess", example("preprocess.json"), "-o", "out"})
                .status,
            0);
  const graph::Graph quantized = formats::read_onnx(folder_ / "out" / "model.onnx");
  int convolutions = 0;
  for (const graph::Node& node : quantized.nodes()) {
    if (!node.is("Conv") && !node.is("Gemm")) continue;
    ++convolutions;
    for (const std::size_t input : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
      const graph::Node* source = quantized.producer(node.input(input));
      ASSERT_NE(source, nullptr) << node.name();
      EXPECT_EQ(source->op_type(), "DequantizeLinear") << node.name() << " input " << input;
    }
  }
  EXPECT_GE(convolutions, 5);
}

TEST_F(QuantizeCommand, SameBytesForAnyNumberOfThreads) {
  write_samples("x.npy", {40, 3, 8, 8});
  for (const char* threads : {"1", "3"}) {
    ASSERT_EQ(run({"quantize", model("tiny_cnn.onnx"), "--data", "x.npy", "--threads", threads,
                   "-o", std::string("out") + threads})
                  .status,
              0);
  }
  for (const char* file : {"model.onnx", "model_float.onnx", "model.encodings", "overrides.json"}) {
    EXPECT_EQ(read_file(folder_ / "out1" / file), read_file(folder_ / "out3" / file)) << file;
  }
}

TEST_F(QuantizeCommand, EqualizationReportsItsGroups) {
  const std::vector<std::string> arguments = {"quantize",      example("model.onnx"),
                                              "--data",        example("calibration_images.npy"),
                                              "--preprocess",  example("preprocess.json"),
                                              "--samples",     "16",
                                              "--granularity", "tensor"};
  std::vector<std::string> with = arguments;
  with.insert(with.end(), {"--algorithms", "clip-search,cle", "-o", "out"});
  const RunResult result = run(with);
  ASSERT_EQ(result.status, 0) << result.err;
  const Json report = read_json(folder_ / "out" / "report.json");
  EXPECT_TRUE(test::schema_violations(test::published_schema("report"), report).empty());
  ASSERT_FALSE(report.at("equalization").empty());
  EXPECT_TRUE(report.at("seconds").contains("equalize"));
  std::vector<std::string> without = arguments;
  without.insert(without.end(), {"-o", "plain"});
  ASSERT_EQ(run(without).status, 0);
  EXPECT_FALSE(read_json(folder_ / "plain" / "report.json").contains("equalization"));
}

TEST_F(QuantizeCommand, SaysWhatTheWeightMethodsGained) {
  std::vector<std::string> arguments = {"quantize",     example("model.onnx"),
                                        "--data",       example("calibration_images.npy"),
                                        "--preprocess", example("preprocess.json"),
                                        "--samples",    "32",
                                        "--evaluate",   "200",
                                        "--eval-data",  example("test_images.npy"),
                                        "--labels",     example("test_labels.npy"),
                                        "-o",           "out"};
  const RunResult plain = run(arguments);
  ASSERT_EQ(plain.status, 0) << plain.err;
  EXPECT_EQ(plain.out.find("weight method"), std::string::npos) << plain.out;
  EXPECT_NE(plain.out.find("95 % interval"), std::string::npos) << plain.out;
  arguments.insert(arguments.end(), {"--weight-bits", "4:all", "--algorithms", "cle,adaround"});
  const RunResult result = run(arguments);
  ASSERT_EQ(result.status, 0) << result.err;
  std::size_t at = 0;
  for (const char* method : {"weight method", "equalization", "clip search", "GPTQ",
                             "coordinate descent", "behind Relu or Clip", "bias correction"}) {
    const std::size_t next = result.out.find(method, at);
    ASSERT_NE(next, std::string::npos) << method << " in\n" << result.out;
    at = next;
  }
  const Json report = read_json(folder_ / "out" / "report.json");
  EXPECT_TRUE(test::schema_violations(test::published_schema("report"), report).empty());
  int refined = 0;
  for (const Json& row : report.at("rounding")) {
    const Json& clamped = row.at("clamped_sqnr_db");
    if (clamped.at("before").is_null()) continue;
    ++refined;
    EXPECT_GE(clamped.at("result").get<double>(), clamped.at("before").get<double>() - 0.1)
        << row.at("layer");
  }
  EXPECT_GE(refined, 1);
}

TEST_F(QuantizeCommand, TheRecipeRepeatsTheRun) {
  write_samples("x.npy", {20, 3, 8, 8});
  ASSERT_EQ(
      quantize_tiny({"--observer", "min-max", "--weight-bits", "16", "--act-bits", "16"}).status,
      0);
  const RunResult again = run({"quantize", "--recipe", "out/recipe.json", "-o", "again"});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(read_file(folder_ / "out" / "model.onnx"), read_file(folder_ / "again" / "model.onnx"));
}

TEST_F(QuantizeCommand, FloatFileReproducesTheIntegersByNearestRounding) {
  write_samples("x.npy", {20, 3, 8, 8});
  ASSERT_EQ(quantize_tiny({"--weight-bits", "4:all"}).status, 0);
  const graph::Graph floats = formats::read_onnx(folder_ / "out" / "model_float.onnx");
  const Json encodings = read_json(folder_ / "out" / "model.encodings");
  int checked = 0;
  for (const Json& entry : encodings.at("param_encodings")) {
    const Tensor* weight = floats.find_initializer(entry.at("name").get<std::string>());
    ASSERT_NE(weight, nullptr) << entry.at("name");
    if (entry.at("enc_type") != "PER_CHANNEL") continue;
    const auto scales = entry.at("scale").get<std::vector<double>>();
    ASSERT_EQ(static_cast<std::int64_t>(scales.size()), weight->shape()[0]);
    const auto per_channel = static_cast<std::size_t>(weight->size()) / scales.size();
    for (std::size_t i = 0; i < weight->data<float>().size(); ++i) {
      const double steps = weight->data<float>()[i] / scales[i / per_channel];
      ASSERT_NEAR(steps, std::nearbyint(steps), 1e-3) << entry.at("name") << "[" << i << "]";
      ++checked;
    }
  }
  EXPECT_GT(checked, 100);
}

TEST_F(QuantizeCommand, PreprocessingFlagsEqualTheJsonFile) {
  const Json file = read_json(example("preprocess.json"));
  const std::vector<std::string> common = {"quantize",  example("model.onnx"),
                                           "--data",    example("calibration_images.npy"),
                                           "--samples", "16"};
  std::vector<std::string> with_file = common;
  with_file.insert(with_file.end(), {"--preprocess", example("preprocess.json"), "-o", "file"});
  std::vector<std::string> with_flags = common;
  with_flags.insert(with_flags.end(), {"--color", "gray", "--mean", file.at("mean")[0].dump(),
                                       "--std", file.at("std")[0].dump(), "-o", "flags"});
  const RunResult flags = run(with_flags);
  ASSERT_EQ(run(with_file).status, 0);
  ASSERT_EQ(flags.status, 0) << flags.err;
  EXPECT_EQ(read_file(folder_ / "file" / "model.onnx"),
            read_file(folder_ / "flags" / "model.onnx"));
  with_flags[with_flags.size() - 3] = "zero";
  expect_refused(run(with_flags), "--std");
}

TEST_F(QuantizeCommand, DryRunWritesNothing) {
  write_samples("x.npy", {20, 3, 8, 8});
  const RunResult result = quantize_tiny({"--dry-run"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("Conv"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(QuantizeCommand, ReadsItsResultOnStdoutWhenAsked) {
  write_samples("x.npy", {20, 3, 8, 8});
  const RunResult result = quantize_tiny({"--json", "-"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(parse_json(result.out, "stdout").at("command"), "quantize");
}

TEST_F(QuantizeCommand, RefusesWhatIsNoModel) {
  write_samples("x.npy", {4, 3, 8, 8});
  write_file(folder_ / "text.onnx", "this is not a model");
  expect_refused(run({"quantize", "text.onnx", "--data", "x.npy", "-o", "out"}), "text.onnx");
  const std::string whole = read_file(model("tiny_cnn.onnx"));
  write_file(folder_ / "cut.onnx", whole.substr(0, whole.size() / 2));
  expect_refused(run({"quantize", "cut.onnx", "--data", "x.npy", "-o", "out"}), "cut.onnx");
  expect_refused(run({"quantize", "none.onnx", "--data", "x.npy", "-o", "out"}), "none.onnx");
  write_file(folder_ / "empty.onnx", "");
  expect_refused(run({"quantize", "empty.onnx", "--data", "x.npy", "-o", "out"}), "empty.onnx");
}

TEST_F(QuantizeCommand, RefusesMissingExternalData) {
  write_samples("x.npy", {4, 3, 8, 8});
  fs::copy(model("tiny_external.onnx"), folder_ / "tiny_external.onnx");
  expect_refused(run({"quantize", "tiny_external.onnx", "--data", "x.npy", "-o", "out"}),
                 "tiny_external.onnx");
}

TEST_F(QuantizeCommand, RefusesDataThatDoesNotFit) {
  write_samples("x.npy", {4, 3, 9, 9});
  expect_refused(quantize_tiny(), "x.npy");
  write_samples("x.npy", {0, 3, 8, 8});
  expect_refused(quantize_tiny(), "x.npy");
  write_file(folder_ / "x.npy", "\x93NUMPY broken");
  expect_refused(quantize_tiny(), "x.npy");
  fs::remove(folder_ / "x.npy");
  expect_refused(quantize_tiny(), "x.npy");
}

TEST_F(QuantizeCommand, RefusesWrongRawSize) {
  write_file(folder_ / "a.raw", std::string(100, '\0'));
  write_file(folder_ / "list.txt", "a.raw\n");
  expect_refused(run({"quantize", model("tiny_cnn.onnx"), "--data", "list.txt", "-o", "out"}),
                 "a.raw");
}

TEST_F(QuantizeCommand, RefusesEmptyAndUnreadableImages) {
  fs::create_directory(folder_ / "images");
  write_file(folder_ / "p.json", "{\"mean\":[0,0,0],\"std\":[255,255,255]}");
  const std::vector<std::string> arguments = {
      "quantize", model("tiny_cnn.onnx"), "--data", "images", "--preprocess", "p.json", "-o",
      "out"};
  expect_refused(run(arguments), "images");
  write_file(folder_ / "images" / "a.jpg", "no image");
  expect_refused(run(arguments), "a.jpg");
  write_file(folder_ / "p.json", "{\"men\":[0,0,0]}");
  expect_refused(run(arguments), "men");
}

TEST_F(QuantizeCommand, RefusesLabelsOutOfRangeAndTooFew) {
  write_samples("x.npy", {4, 3, 8, 8});
  write_file(folder_ / "labels.txt", "0\n1\n99999\n1\n");
  const std::vector<std::string> arguments = {"--evaluate", "--eval-data", "x.npy", "--labels",
                                              "labels.txt"};
  expect_refused(quantize_tiny(arguments), "99999");
  write_file(folder_ / "labels.txt", "0\n1\n");
  expect_refused(quantize_tiny(arguments), "labels.txt");
}

TEST_F(QuantizeCommand, RefusesAnOutputThatCannotBeWritten) {
  write_samples("x.npy", {4, 3, 8, 8});
  write_file(folder_ / "file", "x");
  const RunResult result =
      run({"quantize", model("tiny_cnn.onnx"), "--data", "x.npy", "-o", "file"});
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("file"), std::string::npos);
  const RunResult below =
      run({"quantize", model("tiny_cnn.onnx"), "--data", "x.npy", "-o", "file/out"});
  EXPECT_EQ(below.status, 2);
  EXPECT_EQ(read_file(folder_ / "file"), "x");
}

TEST_F(QuantizeCommand, AFailedRunKeepsAnOlderResult) {
  write_samples("x.npy", {4, 3, 8, 8});
  ASSERT_EQ(quantize_tiny().status, 0);
  const std::string before = read_file(folder_ / "out" / "model.onnx");
  write_file(folder_ / "x.npy", "broken");
  EXPECT_EQ(quantize_tiny().status, 2);
  EXPECT_EQ(read_file(folder_ / "out" / "model.onnx"), before);
}

TEST_F(QuantizeCommand, RefusesBadOptions) {
  write_samples("x.npy", {4, 3, 8, 8});
  EXPECT_EQ(quantize_tiny({"--weight-bits", "5"}).status, 2);
  EXPECT_EQ(quantize_tiny({"--no-such-option"}).status, 2);
  expect_refused(quantize_tiny({"--soc", "SM0000"}), "SM0000");
  expect_refused(quantize_tiny({"--granularity", "group:x"}), "group:x");
  expect_refused(quantize_tiny({"--algorithms", "magic"}), "magic");
  expect_refused(quantize_tiny({"--keep-float", "nothing*"}), "nothing*");
  expect_refused(quantize_tiny({"--input-shape", "nope=1,3,8,8"}), "nope");
}

}  // namespace
}  // namespace hexquant::cli
