#include "evaluate/evaluate_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <random>

#include "evaluate/compare_layers.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "support/json_schema.h"
#include "support/memory_dataset.h"
#include "support/temp_folder.h"

namespace hexquant::evaluate {
namespace {

using graph::Dim;
using graph::Graph;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// y = x W for x [N, rows of W].
Graph linear_model(const Tensor& weight, const std::string& input = "x",
                   const std::string& output = "y") {
  Graph graph;
  graph.opsets[""] = 13;
  graph.add_input(input, {DType::kFloat32, std::vector<Dim>{{-1, "N"}, {weight.shape()[0], ""}}});
  graph.add_initializer("w", weight);
  graph.add_node({.op_type = "MatMul", .inputs = {input, "w"}, .outputs = {output}});
  graph.add_output(output);
  graph.set_type(output, {DType::kFloat32, std::vector<Dim>{{-1, "N"}, {weight.shape()[1], ""}}});
  return graph;
}

Tensor matrix(std::int64_t rows, std::int64_t columns, const std::vector<float>& values) {
  return Tensor::from<float>({rows, columns}, values);
}

Tensor identity3() {
  return matrix(3, 3, {1, 0, 0, 0, 1, 0, 0, 0, 1});
}
/// Swaps classes 0 and 1.
Tensor swap3() {
  return matrix(3, 3, {0, 1, 0, 1, 0, 0, 0, 0, 1});
}

Model model(const std::string& name, const Graph& graph) {
  return {.name = name, .graph = &graph, .file = {}};
}

Task label_task(const char* metric, const data::Dataset& data, std::vector<std::int64_t> labels) {
  Task task;
  task.metric = parse_metric(metric);
  task.data = &data;
  task.labels = std::move(labels);
  return task;
}

std::string failure_of(const std::function<void()>& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

/// Everything but the times.
Json timeless(const EvaluationResult& result) {
  Json json = to_json(result);
  json.erase("seconds");
  for (Json& one : json["models"]) one.erase("ms_per_sample");
  return json;
}

TEST(EvaluateModels, ScoresTop1AgainstTheReference) {
  const Graph reference = linear_model(identity3());
  const Graph candidate = linear_model(swap3());
  const auto data = test::float_rows("x", {{3, 1, 0}, {0, 2, 1}, {0, 0, 5}, {4, 0, 0}});
  const Task task = label_task("top1", data, {0, 1, 2, 1});
  const EvaluationResult result =
      evaluate_models(model("a", reference), {model("b", candidate)}, task);
  EXPECT_EQ(result.samples, 4);
  EXPECT_DOUBLE_EQ(result.reference.value(), 0.75);
  EXPECT_DOUBLE_EQ(result.reference.metrics.at("top5"), 1.0);
  const CandidateScore& score = result.candidates.at(0);
  EXPECT_DOUBLE_EQ(score.score.value(), 0.5);  // wrong, wrong, right, right
  EXPECT_DOUBLE_EQ(score.loss, 0.25);
  EXPECT_DOUBLE_EQ(score.agreement, 0.25);
  const Interval expected = paired_interval(1, 2, 4);
  EXPECT_DOUBLE_EQ(score.difference_interval->low, expected.low);
  EXPECT_DOUBLE_EQ(score.difference_interval->high, expected.high);
  // Squares 10 + 5 + 25 + 16; errors 2 (3-1)^2 + 2 (2-0)^2 + 0 + 2 4^2
  EXPECT_DOUBLE_EQ(score.outputs.sqnr_db(), 10.0 * std::log10(56.0 / 48.0));
  EXPECT_DOUBLE_EQ(score.outputs.mse(), 48.0 / 12.0);
  EXPECT_DOUBLE_EQ(score.per_output.at(0).difference.max_abs, 4.0);
}

TEST(EvaluateModels, OneModelIsOnlyScored) {
  const Graph reference = linear_model(identity3());
  const auto data = test::float_rows("x", {{3, 1, 0}, {0, 2, 1}});
  const EvaluationResult result =
      evaluate_models(model("a", reference), {}, label_task("top1", data, {0, 0}));
  EXPECT_DOUBLE_EQ(result.reference.value(), 0.5);
  EXPECT_THAT(result.candidates, IsEmpty());
}

TEST(EvaluateModels, EqualModelsAreExact) {
  const Graph reference = linear_model(identity3());
  const auto data = test::float_rows("x", {{3, 1, 0}});
  for (const char* metric : {"sqnr", "cosine"}) {
    const EvaluationResult result = evaluate_models(model("a", reference), {model("b", reference)},
                                                    label_task(metric, data, {0}));
    EXPECT_TRUE(result.candidates[0].outputs.is_exact());
    EXPECT_DOUBLE_EQ(result.candidates[0].outputs.cosine(), 1.0);
    EXPECT_DOUBLE_EQ(result.candidates[0].score.metrics.at("top1"), 1.0);
    EXPECT_DOUBLE_EQ(result.candidates[0].kl, 0.0);
  }
}

TEST(EvaluateModels, CosineLossIsOneMinusCosine) {
  const Graph reference = linear_model(identity3());
  const Graph candidate = linear_model(swap3());
  const auto data = test::float_rows("x", {{3, 4, 0}});
  const EvaluationResult result = evaluate_models(model("a", reference), {model("b", candidate)},
                                                  label_task("cosine", data, {}));
  EXPECT_DOUBLE_EQ(result.reference.value(), 1.0);
  EXPECT_DOUBLE_EQ(result.candidates[0].score.value(), 24.0 / 25.0);
  EXPECT_NEAR(result.candidates[0].loss, 1.0 / 25.0, 1e-15);
}

TEST(EvaluateModels, NanOutputsScoreNothing) {
  const Graph reference = linear_model(identity3());
  const Graph candidate = linear_model(matrix(3, 3, {NAN, 0, 0, 0, 1, 0, 0, 0, 1}));
  const auto data = test::float_rows("x", {{0, 3, 0}});
  const EvaluationResult result = evaluate_models(model("a", reference), {model("b", candidate)},
                                                  label_task("top1", data, {1}));
  EXPECT_DOUBLE_EQ(result.candidates[0].score.value(), 0.0);
  EXPECT_DOUBLE_EQ(result.candidates[0].agreement, 0.0);
  EXPECT_EQ(result.candidates[0].outputs.non_finite, 1);
  EXPECT_TRUE(std::isnan(result.candidates[0].outputs.sqnr_db()));
}

TEST(EvaluateModels, SpearmanComparesPairs) {
  const Graph reference = linear_model(identity3());
  const Graph candidate = linear_model(matrix(3, 3, {1, 0, 0, 0, 0, 0, 0, 0, 1}));
  const auto first = test::float_rows("x", {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}});
  const auto second = test::float_rows("x", {{1, 0, 0}, {1, 1, 0}, {0, 1, 0}});
  Task task = label_task("spearman-pairs", first, {});
  task.data_b = &second;
  task.scores = {5, 4, 1};
  const EvaluationResult result =
      evaluate_models(model("a", reference), {model("b", candidate)}, task);
  EXPECT_DOUBLE_EQ(result.reference.value(), 1.0);  // cosines 1, 0.707, 0
  // Without the second axis the cosines are 1, 1, 0: ranks 2.5, 2.5, 1 against 3, 2, 1.
  EXPECT_DOUBLE_EQ(result.candidates[0].score.value(), 1.5 / std::sqrt(1.5 * 2.0));
  EXPECT_TRUE(std::isnan(result.candidates[0].agreement));
  EXPECT_EQ(result.candidates[0].outputs.count, 18);  // both elements of each pair
}

/// Logits of token t are row t of `table`.
Graph token_model(const Tensor& table) {
  Graph graph;
  graph.opsets[""] = 13;
  graph.add_input("ids", {DType::kInt64, std::vector<Dim>{{-1, "N"}, {3, ""}}});
  graph.add_initializer("table", table);
  graph.add_node({.op_type = "Gather", .inputs = {"table", "ids"}, .outputs = {"logits"}});
  graph.add_output("logits");
  graph.set_type("logits",
                 {DType::kFloat32, std::vector<Dim>{{-1, "N"}, {3, ""}, {table.shape()[1], ""}}});
  return graph;
}

TEST(EvaluateModels, PerplexityTakesTokensFromTheInput) {
  const Graph reference = token_model(matrix(2, 2, {std::log(3.0F), 0, 0, std::log(3.0F)}));
  const Graph candidate = token_model(matrix(2, 2, {0, 0, 0, 0}));
  const test::MemoryDataset data(
      {{{"ids", Tensor::from<std::int64_t>({1, 3}, std::vector<std::int64_t>{0, 0, 1})}},
       {{"ids", Tensor::from<std::int64_t>({1, 3}, std::vector<std::int64_t>{1, 1, 0})}}});
  Task task = label_task("perplexity", data, {});
  task.lengths = {3, 2};
  const EvaluationResult result =
      evaluate_models(model("a", reference), {model("b", candidate)}, task);
  // Probabilities 3/4, 1/4 and 3/4.
  EXPECT_NEAR(result.reference.value(), std::pow(0.75 * 0.25 * 0.75, -1.0 / 3.0), 1e-6);
  EXPECT_NEAR(result.candidates[0].score.value(), 2.0, 1e-12);
  EXPECT_NEAR(result.candidates[0].loss, 2.0 - result.reference.value(), 1e-12);
  // Ties take token 0: rows of tokens 0, 0, 1.
  EXPECT_DOUBLE_EQ(result.candidates[0].agreement, 2.0 / 3.0);
}

TEST(EvaluateModels, FixedBatchesAreScoredRowByRow) {
  const Graph reference = linear_model(identity3());
  const Graph candidate = linear_model(swap3());
  const auto single = test::float_rows("x", {{3, 1, 0}, {0, 2, 1}, {0, 0, 5}, {4, 0, 0}});
  const test::MemoryDataset pairs(
      {{{"x", matrix(2, 3, {3, 1, 0, 0, 2, 1})}}, {{"x", matrix(2, 3, {0, 0, 5, 4, 0, 0})}}}, 2);
  const auto score = [&](const data::Dataset& data, const char* metric) {
    Json json = timeless(evaluate_models(model("a", reference), {model("b", candidate)},
                                         label_task(metric, data, {0, 1, 2, 1})));
    return json.dump();
  };
  for (const char* metric : {"top1", "top5"})
    EXPECT_EQ(score(pairs, metric), score(single, metric));
}

TEST(EvaluateModels, FixedBatchesOfPairsAndTokens) {
  const Graph linear = linear_model(identity3());
  const test::MemoryDataset first({{{"x", matrix(3, 3, {1, 0, 0, 1, 0, 0, 1, 0, 0})}}}, 3);
  const test::MemoryDataset second({{{"x", matrix(3, 3, {1, 0, 0, 1, 1, 0, 0, 1, 0})}}}, 3);
  Task pairs = label_task("spearman-pairs", first, {});
  pairs.data_b = &second;
  pairs.scores = {1, 4, 5};
  EXPECT_DOUBLE_EQ(evaluate_models(model("a", linear), {}, pairs).reference.value(), -1.0);
  const Graph tokens = token_model(matrix(2, 2, {std::log(3.0F), 0, 0, std::log(3.0F)}));
  const test::MemoryDataset rows(
      {{{"ids", Tensor::from<std::int64_t>({2, 3}, std::vector<std::int64_t>{0, 0, 1, 1, 1, 0})}}},
      2);
  Task task = label_task("perplexity", rows, {});
  task.lengths = {3, 2};
  EXPECT_NEAR(evaluate_models(model("a", tokens), {}, task).reference.value(),
              std::pow(0.75 * 0.25 * 0.75, -1.0 / 3.0), 1e-6);
}

TEST(EvaluateModels, ExternalProgramSeesTheOutputs) {
  const test::TempFolder folder;
  const auto script = folder.path() / "size.sh";
  // Bytes of the first sample's output, plus 1000 for the swapped model, found in the manifest.
  std::ofstream(script) << "n=$(wc -c < \"$1/output_0/000000.npy\")\n"
                           "grep -q '\"b\"' \"$1/manifest.json\" && n=$((n + 1000))\n"
                           "grep -q 1 \"$2\" && echo $n\n";
  const auto labels = folder.path() / "labels";
  std::ofstream(labels) << "1\n";
  const Graph reference = linear_model(identity3());
  const Graph candidate = linear_model(swap3());
  const auto data = test::float_rows("x", {{3, 4, 0}});
  Task task = label_task(("exec:sh " + script.string()).c_str(), data, {});
  task.labels_file = labels;
  const EvaluationResult result =
      evaluate_models(model("a", reference), {model("b", candidate)}, task);
  EXPECT_DOUBLE_EQ(result.reference.value(), 128.0 + 12.0);
  EXPECT_DOUBLE_EQ(result.candidates[0].score.metrics.at("exec"), 1140.0);
  EXPECT_DOUBLE_EQ(result.candidates[0].loss, -1000.0);
}

TEST(EvaluateModels, OutputsAreMatchedByNameThenByPosition) {
  Graph reference = linear_model(identity3());
  reference.add_node({.op_type = "Neg", .inputs = {"y"}, .outputs = {"z"}});
  reference.add_output("z");
  Graph reordered;
  reordered.opsets[""] = 13;
  reordered.add_input("x", {DType::kFloat32, std::vector<Dim>{{-1, "N"}, {3, ""}}});
  reordered.add_node({.op_type = "Neg", .inputs = {"x"}, .outputs = {"z"}});
  reordered.add_node({.op_type = "Identity", .inputs = {"x"}, .outputs = {"y"}});
  reordered.add_output("z");
  reordered.add_output("y");
  const auto data = test::float_rows("x", {{3, 4, 0}});
  const Task task = label_task("sqnr", data, {});
  const EvaluationResult by_name =
      evaluate_models(model("a", reference), {model("b", reordered)}, task);
  EXPECT_TRUE(by_name.candidates[0].outputs.is_exact());
  EXPECT_EQ(by_name.candidates[0].per_output.at(1).name, "z");
  const Graph renamed = linear_model(identity3(), "x", "other");
  const Graph single = linear_model(identity3());
  const EvaluationResult by_position =
      evaluate_models(model("a", single), {model("b", renamed)}, task);
  EXPECT_TRUE(by_position.candidates[0].outputs.is_exact());
  EXPECT_THAT(failure_of([&] {
                (void)evaluate_models(model("a", reference), {model("b", renamed)}, task);
              }),
              HasSubstr("b: outputs [other] do not match the reference's [y, z]"));
}

TEST(EvaluateModels, ScoresTheOutputThatFitsTheMetric) {
  // features [N,3,2] first, then scores [N,3]
  Graph both;
  both.opsets[""] = 13;
  both.add_input("x", {DType::kFloat32, std::vector<Dim>{{-1, "N"}, {3, ""}}});
  both.add_initializer("axes", Tensor::from<std::int64_t>({1}, std::vector<std::int64_t>{2}));
  both.add_node({.op_type = "Unsqueeze", .inputs = {"x", "axes"}, .outputs = {"column"}});
  both.add_node({.op_type = "Concat",
                 .inputs = {"column", "column"},
                 .outputs = {"features"},
                 .attributes = {{"axis", std::int64_t{2}}}});
  both.add_node({.op_type = "Neg", .inputs = {"x"}, .outputs = {"negative"}});
  both.add_node({.op_type = "Identity", .inputs = {"x"}, .outputs = {"scores"}});
  for (const char* name : {"features", "negative", "scores"}) both.add_output(name);
  const auto data = test::float_rows("x", {{3, 1, 0}});
  Task task = label_task("top1", data, {2});
  EXPECT_DOUBLE_EQ(evaluate_models(model("a", both), {}, task).reference.value(), 1.0);
  task.output = "scores";
  EXPECT_DOUBLE_EQ(evaluate_models(model("a", both), {}, task).reference.value(), 0.0);
  task.output = "nix";
  EXPECT_THAT(failure_of([&] { (void)evaluate_models(model("a", both), {}, task); }),
              HasSubstr("no output 'nix', only [features, negative, scores]"));
}

TEST(EvaluateModels, ErrorsNameModelAndSample) {
  const Graph reference = linear_model(identity3());
  const auto data = test::float_rows("x", {{3, 4, 0}, {1, 2, 3}});
  const auto failure = [&](const Graph& candidate, const Task& task) {
    return failure_of(
        [&] { (void)evaluate_models(model("a", reference), {model("b", candidate)}, task); });
  };
  EXPECT_THAT(failure(reference, label_task("top1", data, {0, 3})),
              HasSubstr("sample 1: label 3 is outside the model's 3 classes"));
  EXPECT_THAT(failure(linear_model(identity3(), "image"), label_task("sqnr", data, {})),
              HasSubstr("b: input 'image' is none of the reference's [x]"));
  EXPECT_THAT(failure(linear_model(matrix(3, 2, {1, 0, 0, 1, 0, 0})), label_task("sqnr", data, {})),
              HasSubstr("b: output 'y': shape [1,2], expected [1,3]"));
  const auto wrong = test::float_rows("x", {{3, 4}});
  EXPECT_THAT(failure(reference, label_task("sqnr", wrong, {})),
              HasSubstr("a: sample 0: input 'x'"));
  EXPECT_THAT(failure_of([&] {
                (void)evaluate_models(model("a", reference), {}, label_task("sqnr", data, {}));
              }),
              HasSubstr("metric sqnr compares models"));
  EXPECT_THAT(failure(reference, label_task("perplexity", data, {})), HasSubstr("int64 input"));
}

TEST(EvaluateModels, CancellingStopsTheRun) {
  class Cancelled final : public ProgressSink {
   public:
    void begin(const std::string&, std::int64_t) override {}
    void update(std::int64_t) override {}
    void end() override {}
    [[nodiscard]] bool cancelled() const override { return true; }
  } cancelled;
  const Graph reference = linear_model(identity3());
  const auto data = test::float_rows("x", {{3, 4, 0}});
  try {
    (void)evaluate_models(model("a", reference), {}, label_task("top1", data, {0}), 2, cancelled);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
}

std::vector<std::vector<float>> random_rows(std::size_t rows, std::size_t columns) {
  std::mt19937 engine(3);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> values(rows, std::vector<float>(columns));
  for (auto& row : values) {
    for (float& x : row) x = normal(engine);
  }
  return values;
}

TEST(EvaluateModels, ResultsDoNotDependOnTheThreads) {
  const Graph reference = linear_model(identity3());
  const Graph candidate = linear_model(matrix(3, 3, {.9F, .1F, 0, 0, 1, .3F, .2F, 0, 1.1F}));
  const auto data = test::float_rows("x", random_rows(101, 3));
  const Task task = label_task("top1", data, std::vector<std::int64_t>(101, 1));
  const auto result = [&](int threads) {
    return timeless(evaluate_models(model("a", reference), {model("b", candidate)}, task, threads));
  };
  const Json one = result(1);
  EXPECT_EQ(one.dump(), result(3).dump());
  EXPECT_NE(one["models"][1]["sqnr_db"], nullptr);
}

TEST(EvaluateModels, JsonFitsThePublishedSchema) {
  const Graph reference = linear_model(identity3());
  const Graph candidate = linear_model(swap3());
  const auto data = test::float_rows("x", {{3, 1, 0}, {0, 2, 1}});
  const Json schema = test::published_schema("evaluate");
  const auto file = [&](const std::vector<Model>& candidates, const char* metric) {
    Json json = {{"schema", "hexquant-evaluate-1"},
                 {"command", "evaluate"},
                 {"versions", {{"hexquant", "0"}, {"onnxruntime", "0"}}}};
    json.update(to_json(
        evaluate_models(model("a", reference), candidates, label_task(metric, data, {0, 1}))));
    return json;
  };
  EXPECT_THAT(test::schema_violations(schema, file({}, "top1")), IsEmpty());
  EXPECT_THAT(test::schema_violations(schema, file({model("b", candidate)}, "top5")), IsEmpty());
  Json exact = file({model("b", reference), model("c", candidate)}, "sqnr");
  EXPECT_EQ(exact["summary"]["sqnr_db"], nullptr);
  EXPECT_EQ(exact["summary"]["exact"], true);
  EXPECT_DOUBLE_EQ(exact["summary"]["fp32"]["top1"].get<double>(), 1.0);
  const auto pairs = match_values(reference, candidate);
  exact["layers"] = to_json(compare_layers(reference, candidate, pairs, data));
  EXPECT_EQ(exact["layers"].size(), 1U);
  EXPECT_THAT(test::schema_violations(schema, exact), IsEmpty());
  exact["summary"].erase("fp32");
  EXPECT_THAT(test::schema_violations(schema, exact), testing::SizeIs(1));
}

TEST(EvaluateModels, FilesAreReadLikeGraphs) {
  const test::TempFolder folder;
  const Graph reference = linear_model(identity3());
  const auto path = folder.path() / "model.onnx";
  formats::write_onnx(reference, path);
  const auto data = test::float_rows("x", {{3, 1, 0}});
  const EvaluationResult result =
      evaluate_models({.name = "file", .graph = nullptr, .file = path}, {model("graph", reference)},
                      label_task("top1", data, {0}));
  EXPECT_TRUE(result.candidates[0].outputs.is_exact());
}

}  // namespace
}  // namespace hexquant::evaluate
