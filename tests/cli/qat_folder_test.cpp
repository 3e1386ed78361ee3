#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "cli/qat_testing.h"

namespace hexquant::cli {
namespace {

class QatFolder : public QatCommand {};

TEST_F(QatFolder, GoesOnFromAQuantizedFolder) {
  ASSERT_EQ(run(quantize("quantized")).status, 0);
  // One step that moves nothing: the folder's own model, byte for byte.
  RunResult result = run(from("quantized", unmoved(), "same"));
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_models("quantized", "same");
  EXPECT_EQ(report("same")["recipe"]["weight_bits"], 4);
  EXPECT_EQ(report("same")["recipe"]["training"]["start"], "quantized");

  // Learned weights and ranges are where the next run starts, and a recipe repeats it.
  result = run(from("quantized",
                    {"--epochs", "2", "--batch-size", "32", "--threads", "1", "--metric", "sqnr"},
                    "trained"));
  ASSERT_EQ(result.status, 0) << result.err;
  ASSERT_GT(report("trained")["training"]["best_epoch"], 0);
  ASSERT_EQ(run(from("trained", unmoved(), "again")).status, 0);
  expect_same_models("trained", "again");
  result = run({"qat", "--recipe", "trained/recipe.json", "-o", "repeated", "--threads", "1"});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_models("trained", "repeated");
}

TEST_F(QatFolder, GoesOnWithNarrowAndBlockwiseWeights) {
  std::vector<std::string> more = narrow();
  set(more, {"--act-bits", "4", "--epochs", "1"});
  ASSERT_EQ(run(command(more, "narrow")).status, 0);
  ASSERT_EQ(run(from("narrow", unmoved(), "narrow2")).status, 0);
  expect_same_models("narrow", "narrow2");
  for (const char* format : {"qdq", "matmulnbits"}) {
    const std::string out = std::string("blocks-") + format;
    std::vector<std::string> arguments = quantize(out);
    set(arguments, {"--granularity", "group:32", "--group-format", format, "--algorithms", "gptq",
                    "--block-scale", std::string(format) == "qdq" ? "lpbq" : "float"});
    ASSERT_EQ(run(arguments).status, 0) << format;
    ASSERT_EQ(run(from(out, unmoved(), out + "2")).status, 0) << format;
    expect_same_models(out, out + "2");
  }
}

TEST_F(QatFolder, GoesOnFromMixedPrecisionAndFindsItsFloatModel) {
  std::vector<std::string> arguments = quantize("mixed");
  set(arguments, {"--layer-bits", "/head/*=a16"});
  ASSERT_EQ(run(arguments).status, 0);
  std::filesystem::rename(path("mixed/recipe.json"), path("recipe.json"));
  Json recipe = parse_json(read_file(path("recipe.json")), "recipe.json");
  recipe["model"] = "gone.onnx";
  write_file(path("mixed/recipe.json"), to_text(recipe));
  expect_refused(run(from("mixed", unmoved(), "out")),
                 "mixed: the float model 'gone.onnx' that it was made from is not there: give it "
                 "with --float");
  const RunResult result = run(from(
      "mixed",
      [] {
        std::vector<std::string> more = unmoved();
        more.insert(more.end(), {"--float", example("model.onnx")});
        return more;
      }(),
      "out"));
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_models("mixed", "out");
}

TEST_F(QatFolder, RefusesAStartThatDoesNotFit) {
  ASSERT_EQ(run(quantize("quantized")).status, 0);
  expect_refused(run(from("quantized", {"--weight-bits", "8"}, "out")),
                 "quantized: weight_bits is 4 there, not 8: training goes on from its weights");
  expect_refused(run(command({"--float", example("model.onnx")}, "out")),
                 "MODEL is no quantized folder");
  // Another model: the first node that differs is named.
  expect_refused(run(from("quantized", {"--float", path("quantized/model.onnx")}, "out")),
                 "expected the float model that it was made from (--float)");
  std::filesystem::rename(path("quantized/model_float.onnx"), path("model_float.onnx"));
  expect_refused(run(from("quantized", unmoved(), "out")),
                 "quantized: no file model_float.onnx in it");
  // Weights and Q/DQ model of different runs.
  std::filesystem::rename(path("model_float.onnx"), path("quantized/model_float.onnx"));
  std::filesystem::copy_file(path("quantized/model_float.onnx"), path("quantized/model.onnx"),
                             std::filesystem::copy_options::overwrite_existing);
  expect_refused(run(from("quantized", unmoved(), "out")), "is not quantized: expected uint8");
}

/// Labels of a folder's recipe are those of the samples that it scored, not of other ones.
TEST_F(QatFolder, ItsLabelsAreNotThoseOfOtherSamples) {
  std::vector<std::string> arguments = quantize("quantized");
  set(arguments,
      {"--evaluate", "20", "--eval-data", example("test_images.npy"), "--labels", "labels.txt"});
  std::string labels;
  for (int i = 0; i < 500; ++i) labels += "1\n";  // one for each row of the file
  write_file(path("labels.txt"), labels);
  ASSERT_EQ(run(arguments).status, 0);
  std::filesystem::remove(path("labels.txt"));
  arguments = {"qat",          "quantized",
               "--train-data", example("calibration_images.npy"),
               "--val-data",   example("test_images.npy"),
               "--evaluate",   "30",
               "--metric",     "cosine",
               "-o",           "out"};
  const std::vector<std::string> still = unmoved();
  arguments.insert(arguments.end(), still.begin(), still.end());
  const RunResult result = run(arguments);
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(report("out")["training"]["metric"], "cosine");
}

}  // namespace
}  // namespace hexquant::cli
