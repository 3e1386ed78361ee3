#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "cli/cli_testing.h"
#include "evaluate/quantized_models.h"
#include "formats/onnx/onnx_io.h"
#include "support/json_schema.h"

namespace hexquant::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EvaluateCommand : public ProgramTest {
 protected:
  using Arguments = std::vector<std::string>;

  static Arguments joined(Arguments first, const Arguments& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
  }

  /// `evaluate` of the digits network on its test images.
  [[nodiscard]] RunResult digits(const Arguments& more) const {
    return run(joined({"evaluate", example("model.onnx"), "--data", example("test_images.npy"),
                       "--preprocess", example("preprocess.json")},
                      more));
  }

  /// y = x for rows of two.
  static graph::Graph identity_model() {
    graph::Graph graph;
    graph.opsets[""] = 13;
    graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{{-1, "N"}, {2, ""}}});
    graph.add_node({.op_type = "Identity", .inputs = {"x"}, .outputs = {"y"}});
    graph.add_output("y");
    return graph;
  }

  /// tiny_cnn and its 8-bit form, on four images.
  void write_tiny() const {
    formats::write_onnx(test::quantized_tiny_cnn(DType::kUInt8, DType::kInt8), path("qdq.onnx"));
    write_samples("images.npy", {4, 3, 8, 8});
  }

  [[nodiscard]] Json json(const std::string& name) const { return read_json(path(name)); }
};

TEST_F(EvaluateCommand, ScoresOneModel) {
  const RunResult result =
      digits({"--labels", example("test_labels.npy"), "--json", path("r.json")});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, IsEmpty());  // no progress bar in a pipe
  EXPECT_THAT(result.out, HasSubstr("metric top1, 500 samples"));
  const Json written = json("r.json");
  EXPECT_THAT(test::schema_violations(test::published_schema("evaluate"), written), IsEmpty());
  EXPECT_GT(written["summary"]["fp32"]["top1"].get<double>(), 0.95);
  EXPECT_EQ(written["summary"]["quantized"], nullptr);
}

TEST_F(EvaluateCommand, ComparesModelsOutputsAndLayers) {
  write_tiny();
  const RunResult result =
      run({"evaluate", "qdq.onnx", "--reference", model("tiny_cnn.onnx"), "--data", "images.npy",
           "--layers", "--layer-samples", "2", "--json", "r.json"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("metric sqnr, 4 samples"));
  EXPECT_THAT(result.out, HasSubstr("tensor (worst first)"));
  const Json written = json("r.json");
  EXPECT_THAT(test::schema_violations(test::published_schema("evaluate"), written), IsEmpty());
  EXPECT_EQ(written["models"].size(), 2U);
  EXPECT_EQ(written["models"][0]["model"], model("tiny_cnn.onnx"));
  EXPECT_GT(written["summary"]["sqnr_db"].get<double>(), 15.0);
  EXPECT_GT(written["layers"].size(), 5U);
  EXPECT_EQ(written["layers"][0]["elements"], 2 * 3 * 8 * 8);
}

TEST_F(EvaluateCommand, TheFirstModelIsTheReference) {
  write_tiny();
  const RunResult result = run({"evaluate", model("tiny_cnn.onnx"), model("tiny_cnn.onnx"),
                                "qdq.onnx", "--data", "images.npy", "--json", "r.json"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("exact"));
  const Json written = json("r.json");
  EXPECT_EQ(written["models"][1]["exact"], true);
  EXPECT_EQ(written["models"][2]["exact"], false);
}

TEST_F(EvaluateCommand, NumbersDoNotDependOnTheThreads) {
  write_tiny();
  const auto numbers = [&](const char* threads) {
    const RunResult result = run({"evaluate", model("tiny_cnn.onnx"), "qdq.onnx", "--data",
                                  "images.npy", "--layers", "--threads", threads, "--json", "-"});
    EXPECT_EQ(result.status, 0) << result.err;
    Json written = parse_json(result.out, "stdout");
    written.erase("seconds");
    for (Json& one : written["models"]) one.erase("ms_per_sample");
    return written.dump();
  };
  EXPECT_EQ(numbers("1"), numbers("3"));
}

TEST_F(EvaluateCommand, LabelsFollowTheSelection) {
  const auto top1 = [&](const Arguments& selection) {
    const RunResult result =
        digits(joined({"--labels", example("test_labels.npy"), "--json", "r.json"}, selection));
    EXPECT_EQ(result.status, 0) << result.err;
    return json("r.json")["summary"]["fp32"]["top1"].get<double>();
  };
  // Labels that did not follow would leave about one in ten.
  EXPECT_GT(top1({"--samples", "50", "--skip", "7"}), 0.9);
  EXPECT_GT(top1({"--samples", "50", "--sampling", "even"}), 0.9);
  EXPECT_GT(top1({"--samples", "50", "--sampling", "random", "--seed", "3"}), 0.9);
}

TEST_F(EvaluateCommand, ScoresPairsFollowTheSelection) {
  std::vector<float> a;
  std::vector<float> b;
  std::vector<float> scores;
  for (int i = 0; i < 6; ++i) {
    a.insert(a.end(), {1, 0});
    b.insert(b.end(), {1, static_cast<float>((i * 5) % 6)});
    scores.push_back(-static_cast<float>((i * 5) % 6));
  }
  formats::write_onnx(identity_model(), path("identity.onnx"));
  data::write_npy(path("a.npy"), Tensor::from<float>({6, 2}, a));
  data::write_npy(path("b.npy"), Tensor::from<float>({6, 2}, b));
  data::write_npy(path("scores.npy"), Tensor::from<float>({6}, scores));
  for (const char* sampling : {"first", "even", "random"}) {
    const RunResult result =
        run({"evaluate", "identity.onnx", "--metric", "spearman-pairs", "--data", "a.npy",
             "--data-b", "b.npy", "--labels", "scores.npy", "--samples", "4", "--skip", "1",
             "--sampling", sampling, "--json", "r.json"});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_DOUBLE_EQ(json("r.json")["summary"]["fp32"]["value"].get<double>(), 1.0) << sampling;
  }
}

TEST_F(EvaluateCommand, PerplexityWithLengths) {
  data::write_npy(path("tokens.npy"),
                  Tensor::from<std::int64_t>({2, 8}, std::vector<std::int64_t>(16, 3)));
  data::write_npy(path("lengths.npy"),
                  Tensor::from<std::int64_t>({2}, std::vector<std::int64_t>{8, 2}));
  const RunResult result =
      run({"evaluate", model("tiny_llama.onnx"), "--metric", "perplexity", "--data", "tokens.npy",
           "--lengths", "lengths.npy", "--json", "r.json"});
  EXPECT_EQ(result.status, 0) << result.err;
  const Json metrics = json("r.json")["summary"]["fp32"];
  EXPECT_NEAR(std::log(metrics["perplexity"].get<double>()), metrics["nll"].get<double>(), 1e-9);
}

TEST_F(EvaluateCommand, ExternalProgramGetsTheLabelsAsTheyAre) {
  write_tiny();
  std::ofstream(path("score.sh")) << "[ -f \"$1/output_0/000003.npy\" ] && cat \"$2\"\n";
  std::ofstream(path("labels.any")) << "0.25\n";
  const RunResult result = run({"evaluate", "qdq.onnx", "--metric", "exec:sh score.sh", "--data",
                                "images.npy", "--labels", "labels.any", "--json", "r.json"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_DOUBLE_EQ(json("r.json")["summary"]["fp32"]["exec"].get<double>(), 0.25);
  const RunResult slow = run({"evaluate", "qdq.onnx", "--metric", "exec:sleep 30; true", "--data",
                              "images.npy", "--time-limit", "0.2"});
  EXPECT_EQ(slow.status, 2);
  EXPECT_THAT(slow.err, HasSubstr("did not end within 0.2 s"));
}

TEST_F(EvaluateCommand, RefusesInOneLine) {
  write_tiny();
  expect_refused(run({"evaluate", "none.onnx", "--data", "images.npy"}), "none.onnx");
  expect_refused(run({"evaluate", "qdq.onnx", "--data", "none.npy"}), "none.npy");
  expect_refused(run({"evaluate", "qdq.onnx", "--data", "images.npy"}),
                 "qdq.onnx: nothing to score by: give --labels, --metric, or --reference");
  expect_refused(run({"evaluate", "qdq.onnx", "--data", "images.npy", "--metric", "accuracy"}),
                 "unknown metric 'accuracy'");
  expect_refused(run({"evaluate", "qdq.onnx", "--data", "images.npy", "--metric", "top1",
                      "--labels", "none.npy"}),
                 "none.npy");
  expect_refused(run({"evaluate", "qdq.onnx", "--data", "images.npy", "--layers"}),
                 "--layers compares two models");
  std::ofstream(path("labels.txt")) << "1\n2\n3\n11\n";
  expect_refused(run({"evaluate", "qdq.onnx", "--data", "images.npy", "--labels", "labels.txt"}),
                 "label 11 is outside the model's 10 classes");
  expect_refused(run({"evaluate", "qdq.onnx", model("tiny_llama.onnx"), "--data", "images.npy"}),
                 "is none of the reference's [image]");
  expect_refused(run({"evaluate", "qdq.onnx", "--data", "images.npy", "--metric", "exec:exit 3;"}),
                 "exit status 3");
  EXPECT_EQ(run({"evaluate", "qdq.onnx", "--data", "images.npy", "--device", "gpu"}).status, 2);
}

TEST_F(EvaluateCommand, LeavesNothingInTheTemporaryFolder) {
  // ONNX Runtime's telemetry would leave a session file there; CI variables switch it off.
  write_tiny();
  std::filesystem::create_directory(path("tmp"));
  const RunResult result = run({"evaluate", "qdq.onnx", "qdq.onnx", "--data", "images.npy"},
                               "env -u CI TMPDIR=" + path("tmp"));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(std::filesystem::is_empty(path("tmp")));
}

}  // namespace
}  // namespace hexquant::cli
