#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>

#include "cli/qat_testing.h"

namespace hexquant::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(QatCommand, TrainingWithoutLabelsBeatsItsStartAndTheWrittenModelAgrees) {
  const RunResult result = run(command(narrow(), "out"));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, testing::ContainsRegex("Epoch 1/3 Loss: [0-9.]+ Acc: [0-9.]+"));
  const Json training = report("out")["training"];
  ASSERT_EQ(training["curve"].size(), 4U);
  EXPECT_EQ(training["loss"], "distillation");
  EXPECT_TRUE(training["curve"][0]["loss"].is_null());
  EXPECT_LT(training["curve"][3]["loss"].get<double>(), training["curve"][1]["loss"].get<double>());
  const auto best = training["best_epoch"].get<std::size_t>();
  const double printed = training["curve"][best]["value"].get<double>();
  EXPECT_GT(printed, training["curve"][0]["value"].get<double>());
  EXPECT_THAT(read_file(path("out/report.html")), HasSubstr("trainingSection"));
  EXPECT_FALSE(std::filesystem::exists(path("out/checkpoint"))) << "done: nothing to go on with";

  const RunResult evaluated =
      run({"evaluate", path("out/model.onnx"), "--data", example("test_images.npy"), "--labels",
           example("test_labels.npy"), "--preprocess", example("preprocess.json"), "--json",
           "evaluation.json"});
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  const Json evaluation = parse_json(read_file(path("evaluation.json")), "evaluation.json");
  EXPECT_NEAR(evaluation["models"][0]["metrics"]["top1"].get<double>(), printed, 1e-3);
  EXPECT_NEAR(report("out")["summary"]["quantized"]["top1"].get<double>(), printed, 1e-3);
}

TEST_F(QatCommand, LabelsTrainTooAndTheFilesTakeTheirPrefix) {
  std::vector<std::string> more = narrow();
  set(more, {"--loss", "cross-entropy"});
  for (const std::string& each : labels()) more.push_back(each);
  set(more, {"--prefix", "model_qat", "--epochs", "2", "--augment", "crop:1", "--schedule",
             "cosine", "--optimizer", "adam", "--lr", "1e-4"});
  const RunResult result = run(command(more, "out"));
  ASSERT_EQ(result.status, 0) << result.err;
  for (const char* file : {"model_qat.onnx", "model_qat_float.onnx", "model_qat.encodings"}) {
    EXPECT_TRUE(std::filesystem::exists(path(std::string("out/") + file))) << file;
  }
  EXPECT_EQ(report("out")["training"]["loss"], "cross-entropy");
  const Json recipe = parse_json(read_file(path("out/recipe.json")), "recipe.json");
  EXPECT_EQ(recipe["training"]["optimizer"], "adam");
  EXPECT_EQ(recipe["prefix"], "model_qat");
  const RunResult quantized = run({"quantize", "--recipe", path("out/recipe.json"), "-o", "other"});
  EXPECT_EQ(quantized.status, 2);
  EXPECT_THAT(quantized.err, HasSubstr("hexquant qat --recipe"));
}

/// The article's listing: a quantsim configuration, SGD with its rates, its epoch line and files.
TEST_F(QatCommand, TrainsTheArticlesListingUnderAQuantsimConfiguration) {
  const std::string file = "qnn_quantsim_config.json";
  ASSERT_EQ(run({"info", "--quantsim-config", path(file)}).status, 0);
  Json config = parse_json(read_file(path(file)), file);
  config["defaults"]["per_channel_quantization"] = "False";
  for (Json& rule : config["op_type"]) rule["per_channel_quantization"] = "False";
  write_file(path(file), to_text(config));
  const auto listing = [&](const std::string& out) {
    std::vector<std::string> more = labels();
    set(more, {"--prefix", "model_qat", "--epochs", "1", "--max-steps", "4", "--threads", "1"});
    return command(more, out);
  };
  std::vector<std::string> with_config = listing("qat_export");
  set(with_config, {"--config", path(file)});
  const RunResult result = run(with_config);
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, testing::ContainsRegex("Epoch 1/1 Loss: [0-9.]+ Acc: 0\\.[0-9]{4}"));
  const Json training = parse_json(read_file(path("qat_export/recipe.json")), "r")["training"];
  EXPECT_EQ(training["optimizer"], "sgd");
  EXPECT_EQ(training["learning_rate"], 0.001);
  EXPECT_EQ(training["momentum"], 0.9);
  EXPECT_EQ(training["weight_decay"], 1e-4);
  ASSERT_EQ(run(listing("without")).status, 0);
  const auto widest = [&](const std::string& out) {
    std::size_t scales = 0;
    const Json encodings = parse_json(read_file(path(out + "/model_qat.encodings")), out);
    for (const Json& entry : encodings.at("param_encodings")) {
      scales = std::max(scales, entry.at("scale").size());
    }
    return scales;
  };
  EXPECT_GT(widest("without"), 1U);
  EXPECT_EQ(widest("qat_export"), 1U) << "the configuration wants one scale for each weight";
}

TEST_F(QatCommand, TrainsBatchNormalizationBesideItsLayer) {
  std::vector<double> losses;
  for (const char* mode : {"folded", "frozen", "kept"}) {
    std::vector<std::string> more = narrow();
    set(more, {"--batch-norm", mode, "--calibration-batches", "8"});
    const RunResult result = run(command(more, mode));
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_THAT(result.err, Not(HasSubstr("no-batch-norm")));
    const Json json = report(mode);
    const Json training = json["training"];
    losses.push_back(training["curve"][3]["loss"].get<double>());
    EXPECT_LT(losses.back(), training["curve"][1]["loss"].get<double>()) << mode;
    const auto best = training["best_epoch"].get<std::size_t>();
    EXPECT_GT(best, 0U) << mode;
    // Statistics are folded into the file.
    EXPECT_NEAR(json["summary"]["quantized"]["top1"].get<double>(),
                training["curve"][best]["value"].get<double>(), 1e-3)
        << mode;
  }
  EXPECT_NE(losses[0], losses[1]);
  EXPECT_NE(losses[1], losses[2]);

  // Statistics are part of the state.
  std::vector<std::string> more = narrow();
  set(more,
      {"--batch-norm", "kept", "--calibration-batches", "8", "--checkpoint-seconds", "0.001"});
  EXPECT_EQ(run_and_signal(command(more, "stopped"), "KILL", "stopped/checkpoint"), 137);
  ASSERT_EQ(run(command(more, "stopped")).status, 0);
  EXPECT_GT(report("stopped")["training"]["resumed_step"].get<int>(), 0);
  expect_same_models("kept", "stopped");
}

TEST_F(QatCommand, SaysWhereNoBatchNormalizationIsOrCanBe) {
  std::vector<std::string> more = unmoved();
  set(more, {"--batch-norm", "kept", "--algorithms", "cle"});
  expect_refused(run(command(more, "out")), "batch norm 'kept' does not go with cle");
  ASSERT_EQ(run(quantize("quantized")).status, 0);
  more = unmoved();
  set(more, {"--batch-norm", "frozen"});
  std::vector<std::string> arguments = command(more, "out");
  arguments[1] = path("quantized/model_float.onnx");  // its own are folded
  const RunResult result = run(arguments);
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("no-batch-norm"));
  set(more, {"--batch-norm", "kept", "--input-shape", "image=1,1,16,16"});
  const RunResult fixed = run(command(more, "fixed"));
  EXPECT_EQ(fixed.status, 2);
  EXPECT_THAT(fixed.err, HasSubstr("needs batches of several samples, and the model fixes 1"));
}

TEST_F(QatCommand, AnInterruptedRunEndsWithTheSameModel) {
  std::vector<std::string> more = narrow();
  set(more, {"--checkpoint-seconds", "0.001", "--augment", "crop:2"});
  ASSERT_EQ(run(command(more, "whole")).status, 0);
  EXPECT_EQ(run_and_signal(command(more, "stopped"), "INT", "stopped/checkpoint"), 130);
  EXPECT_THAT(read_file(path("signalled.err")), HasSubstr("the same command goes on"));
  EXPECT_FALSE(std::filesystem::exists(path("stopped/model.onnx")));
  const RunResult resumed = run(command(more, "stopped"));
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_GT(report("stopped")["training"]["resumed_step"].get<int>(), 0);
  expect_same_models("whole", "stopped");

  EXPECT_EQ(run_and_signal(command(more, "killed"), "KILL", "killed/checkpoint"), 137);
  ASSERT_EQ(run(command(more, "killed")).status, 0);
  EXPECT_GT(report("killed")["training"]["resumed_step"].get<int>(), 0);
  expect_same_models("whole", "killed");
}

TEST_F(QatCommand, ACheckpointOfAnotherRunIsRefusedUntilRestart) {
  std::vector<std::string> more = narrow();
  set(more, {"--checkpoint-seconds", "0.001"});
  EXPECT_EQ(run_and_signal(command(more, "out"), "KILL", "out/checkpoint"), 137);
  set(more, {"--lr", "0.01"});
  const RunResult refused = run(command(more, "out"));
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("--restart"));
  more.push_back("--restart");
  EXPECT_EQ(run(command(more, "out")).status, 0);
}

TEST_F(QatCommand, ALossThatIsNoNumberKeepsTheBestModel) {
  std::vector<std::string> more = narrow();
  set(more, {"--lr", "1e30"});
  const RunResult result = run(command(more, "out"));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("loss-not-finite"));
  const Json training = report("out")["training"];
  EXPECT_THAT(training["stopped"].get<std::string>(), HasSubstr("the loss became"));
  const auto best = training["best_epoch"].get<std::size_t>();
  EXPECT_EQ(report("out")["summary"]["quantized"]["top1"], training["curve"][best]["value"]);
}

TEST_F(QatCommand, LimitsEndIt) {
  std::vector<std::string> more = narrow();
  set(more, {"--max-steps", "5"});
  ASSERT_EQ(run(command(more, "steps")).status, 0);
  EXPECT_EQ(report("steps")["training"]["curve"].back()["steps"], 5);
  more = narrow();
  set(more, {"--max-seconds", "0.001"});
  ASSERT_EQ(run(command(more, "seconds")).status, 0);
  EXPECT_THAT(report("seconds")["training"]["stopped"].get<std::string>(), HasSubstr("are over"));
  more = narrow();
  set(more, {"--lr", "1e-12", "--patience", "1"});
  ASSERT_EQ(run(command(more, "patience")).status, 0);
  EXPECT_EQ(report("patience")["training"]["curve"].size(), 2U);
  EXPECT_THAT(report("patience")["training"]["stopped"].get<std::string>(),
              HasSubstr("no improvement"));
}

TEST_F(QatCommand, ResearchWidthsTrainWithAFinding) {
  std::vector<std::string> more = narrow();
  set(more, {"--act-bits", "4", "--epochs", "1"});
  const RunResult result = run(command(more, "out"));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("cannot-run-on-htp"));
  const Json json = report("out");
  EXPECT_EQ(json["layers"][0]["weight_bits"], 2);
  EXPECT_EQ(json["layers"][0]["act_bits"], 4);
  EXPECT_EQ(run({"quantize", example("model.onnx"), "--act-bits", "4", "-o", "other"}).status, 2);
}

TEST_F(QatCommand, RefusesToScoreWhatItTrainsWith) {
  std::vector<std::string> arguments = {
      "qat",          example("model.onnx"),      "--train-data", example("test_images.npy"),
      "--val-data",   example("test_images.npy"), "--val-labels", example("test_labels.npy"),
      "--preprocess", example("preprocess.json"), "-o",           "out"};
  expect_refused(run(arguments), "500 of 500 samples to validate with are trained with too");
}

TEST_F(QatCommand, RefusesWhatIsMissing) {
  expect_refused(
      run({"qat", example("model.onnx"), "--val-data", example("test_images.npy"), "-o", "out"}),
      "no training data given (--train-data");
  expect_refused(run({"qat", example("model.onnx"), "--train-data",
                      example("calibration_images.npy"), "-o", "out"}),
                 "no validation data given (--val-data");
  std::vector<std::string> more = {"--loss", "cross-entropy"};
  expect_refused(run(command(more, "out")), "give --train-labels");
  std::filesystem::create_directory(path("empty"));
  EXPECT_THAT(run({"qat", "empty", "-o", "out"}).err, HasSubstr("no recipe.json"));
}

TEST_F(QatCommand, AutoTrainsWhenNothingElseIsGoodEnough) {
  const RunResult result = run({"auto",
                                example("model.onnx"),
                                "--data",
                                example("calibration_images.npy"),
                                "--samples",
                                "64",
                                "--preprocess",
                                example("preprocess.json"),
                                "--eval-data",
                                example("test_images.npy"),
                                "--labels",
                                example("test_labels.npy"),
                                "--train-data",
                                example("calibration_images.npy"),
                                "--epochs",
                                "1",
                                "--metric",
                                "cosine",
                                "--max-loss",
                                "0",
                                "--weight-bits",
                                "4:all",
                                "-o",
                                "out"});
  EXPECT_EQ(result.status, 1) << result.err;
  const Json rungs = report("out")["rungs"];
  EXPECT_EQ(rungs.back()["method"], "training");
  EXPECT_TRUE(rungs.back()["ran"].get<bool>());
}

/// What the program says where LibTorch is absent.
class QatWithoutLibTorch : public ProgramTest {};

TEST_F(QatWithoutLibTorch, SaysHowToGetIt) {
  std::filesystem::create_directory(path("empty"));
  const std::string prefix = "HEXQUANT_PLUGIN_DIR=" + quoted(path("empty"));
  const RunResult result =
      run({"qat", example("model.onnx"), "--train-data", example("calibration_images.npy"),
           "--val-data", example("test_images.npy"), "-o", "out"},
          prefix);
  EXPECT_EQ(result.status, 3) << result.err;
  EXPECT_THAT(result.err, HasSubstr("libtorch-dev"));
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

TEST_F(QatWithoutLibTorch, AutoClimbsTheOtherRungs) {
  std::filesystem::create_directory(path("empty"));
  const std::string prefix = "HEXQUANT_PLUGIN_DIR=" + quoted(path("empty"));
  const RunResult result = run({"auto",         example("model.onnx"),
                                "--data",       example("calibration_images.npy"),
                                "--samples",    "64",
                                "--preprocess", example("preprocess.json"),
                                "--eval-data",  example("test_images.npy"),
                                "--labels",     example("test_labels.npy"),
                                "--train-data", example("calibration_images.npy"),
                                "--metric",     "cosine",
                                "--max-loss",   "0",
                                "-o",           "out"},
                               prefix);
  EXPECT_EQ(result.status, 1) << result.err;
  const Json json = parse_json(read_file(path("out/report.json")), "report.json");
  EXPECT_FALSE(json["rungs"].back()["ran"].get<bool>());
  EXPECT_THAT(json["rungs"].back()["reason"].get<std::string>(), HasSubstr("libtorch-dev"));
}

}  // namespace
}  // namespace hexquant::cli
