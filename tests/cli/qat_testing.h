#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "cli/cli_testing.h"
#include "support/json_schema.h"

// Commands of 'hexquant qat' on the sample network.
namespace hexquant::cli {

/// True where the program can train.
inline bool has_training() {
  return std::filesystem::exists(std::filesystem::path(HEXQUANT_PROGRAM).parent_path() /
                                 "libhexquant_qat.so");
}

/// The sample network with 2-bit weights: post-training quantization leaves little of it.
class QatCommand : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    if (!has_training()) GTEST_SKIP() << "built without LibTorch";
  }

  [[nodiscard]] static std::vector<std::string> data_arguments() {
    return {"--train-data", example("calibration_images.npy"),
            "--val-data",   example("test_images.npy"),
            "--val-labels", example("test_labels.npy"),
            "--preprocess", example("preprocess.json")};
  }
  [[nodiscard]] static std::vector<std::string> labels() {
    return {"--train-labels", example("calibration_labels.npy")};
  }
  /// `qat` on the sample with these arguments besides.
  [[nodiscard]] static std::vector<std::string> command(const std::vector<std::string>& more,
                                                        const std::string& out) {
    std::vector<std::string> arguments = {"qat", example("model.onnx")};
    for (const auto& part : {data_arguments(), more, {"-o", out}}) {
      arguments.insert(arguments.end(), part.begin(), part.end());
    }
    return arguments;
  }
  /// Gives options (name, value, name, value ...) other values, or adds them.
  static void set(std::vector<std::string>& arguments, const std::vector<std::string>& options) {
    for (std::size_t i = 0; i + 1 < options.size(); i += 2) {
      const auto found = std::find(arguments.begin(), arguments.end(), options[i]);
      if (found == arguments.end()) {
        arguments.insert(arguments.end(), {options[i], options[i + 1]});
      } else {
        *(found + 1) = options[i + 1];
      }
    }
  }
  [[nodiscard]] static std::vector<std::string> narrow() {
    return {"--weight-bits", "2",  "--epochs",  "3", "--lr",   "0.002",
            "--batch-size",  "32", "--threads", "1", "--loss", "distillation"};
  }
  /// `quantize` of the sample with rounded 4-bit weights.
  [[nodiscard]] static std::vector<std::string> quantize(const std::string& out) {
    return {"quantize",
            example("model.onnx"),
            "--data",
            example("calibration_images.npy"),
            "--preprocess",
            example("preprocess.json"),
            "--weight-bits",
            "4:all",
            "--algorithms",
            "adaptive-rounding",
            "-o",
            out};
  }
  /// `qat` from a quantized folder.
  [[nodiscard]] static std::vector<std::string> from(const std::string& folder,
                                                     const std::vector<std::string>& more,
                                                     const std::string& out) {
    std::vector<std::string> arguments = command(more, out);
    arguments[1] = folder;
    return arguments;
  }
  /// A step too small to change a float.
  [[nodiscard]] static std::vector<std::string> unmoved() {
    return {"--max-steps", "1", "--lr", "1e-12", "--threads", "1"};
  }
  [[nodiscard]] Json report(const std::string& out) const {
    Json json = parse_json(read_file(path(out + "/report.json")), "report.json");
    EXPECT_THAT(test::schema_violations(test::published_schema("report"), json),
                testing::IsEmpty());
    return json;
  }
  /// The result files of two folders are the same bytes.
  void expect_same_models(const std::string& a, const std::string& b) const {
    for (const char* file : {"model.onnx", "model_float.onnx", "model.encodings"}) {
      EXPECT_EQ(read_file(path(a + "/" + file)), read_file(path(b + "/" + file))) << file;
    }
  }
  /// Waits until the file is there. @return false after a minute
  [[nodiscard]] bool wait_for(const std::string& file) const {
    for (int i = 0; i < 6000; ++i) {
      if (std::filesystem::exists(path(file))) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  /// Starts the command and sends it a signal once its state is on disk.
  /// @return what is left of it: the exit status of the shell's wait
  [[nodiscard]] int run_and_signal(const std::vector<std::string>& arguments, const char* signal,
                                   const std::string& checkpoint) const {
    std::string line = "cd " + quoted(folder_.string()) + " && ( " + quoted(HEXQUANT_PROGRAM);
    for (const std::string& argument : arguments) line += " " + quoted(argument);
    line += " >signalled.out 2>signalled.err </dev/null & p=$!; n=0; while [ ! -e " +
            quoted(checkpoint) +
            " ] && [ $n -lt 3000 ] && kill -0 $p 2>/dev/null; do sleep 0.01; "
            "n=$((n+1)); done; kill -" +
            signal + " $p; wait $p )";
    const int status = std::system(line.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
};

}  // namespace hexquant::cli
