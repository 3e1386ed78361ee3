#include "evaluate/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "evaluate/sample_score.h"
#include "hexquant/error.h"
#include "support/memory_dataset.h"

namespace hexquant::evaluate {
namespace {

using ::testing::HasSubstr;

template <typename Call>
std::string failure_of(const Call& call) {
  try {
    call();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Metric, NamesAreReadAndWritten) {
  for (const char* name : {"top1", "top5", "cosine", "sqnr", "spearman-pairs", "perplexity",
                           "exec:./score.py --fast", "so:./score.so"}) {
    EXPECT_EQ(parse_metric(name).name(), name);
  }
  EXPECT_EQ(parse_metric("exec:a b").program, "a b");
  EXPECT_EQ(parse_metric("so:a.so").kind, MetricKind::kPlugin);
  EXPECT_FALSE(parse_metric("perplexity").higher_is_better());
  EXPECT_TRUE(parse_metric("exec:x").higher_is_better());
}

TEST(Metric, UnknownNamesListTheChoices) {
  for (const char* name : {"", "Top1", "exec:", "so:", "accuracy"}) {
    EXPECT_THAT(failure_of([&] { (void)parse_metric(name); }),
                HasSubstr("expected top1, top5, cosine, sqnr, spearman-pairs"));
  }
}

TEST(CheckTask, NamesWhatIsMissing) {
  const auto data = test::float_rows("x", {{1}, {2}});
  const auto failure = [&](const char* metric, auto&& change) {
    Task task;
    task.metric = parse_metric(metric);
    task.data = &data;
    change(task);
    return failure_of([&] { check_task(task); });
  };
  const auto nothing = [](Task&) {};
  EXPECT_THAT(failure("top1", nothing), HasSubstr("needs labels"));
  EXPECT_THAT(failure("top5", [](Task& t) { t.labels = {1}; }),
              HasSubstr("1 labels for 2 samples"));
  EXPECT_THAT(failure("spearman-pairs", nothing), HasSubstr("--data-b"));
  const auto longer = test::float_rows("x", {{1}, {2}, {3}});
  EXPECT_THAT(failure("spearman-pairs", [&](Task& t) { t.data_b = &longer; }),
              HasSubstr("2 samples in --data, 3 in --data-b"));
  EXPECT_THAT(failure("spearman-pairs", [&](Task& t) { t.data_b = &data; }),
              HasSubstr("needs a score for each pair"));
  EXPECT_THAT(failure("spearman-pairs",
                      [&](Task& t) {
                        t.data_b = &data;
                        t.scores = {1, std::nan("")};
                      }),
              HasSubstr("score 1"));
  EXPECT_THAT(failure("perplexity",
                      [](Task& t) {
                        t.lengths = {1, 2, 3};
                      }),
              HasSubstr("3 lengths for 2 samples"));
  EXPECT_THAT(failure("exec:true", [](Task& t) { t.time_limit_s = 0; }), HasSubstr("time limit"));
  EXPECT_EQ(failure("sqnr", nothing), "no error");
}

Task token_task(const data::Dataset& data, std::vector<std::int64_t> lengths) {
  Task task;
  task.metric = parse_metric("perplexity");
  task.data = &data;
  task.lengths = std::move(lengths);
  task.token_input = "ids";
  return task;
}

TEST(SampleScore, PerplexityScoresPositionsUpToLengthMinusTwo) {
  const data::Sample sample = {
      {"ids", Tensor::from<std::int64_t>({1, 3}, std::vector<std::int64_t>{0, 1, 0})}};
  const test::MemoryDataset data({sample});
  // Rows: even odds; 3 : 1 for token 0; never used.
  const Tensor logits =
      Tensor::from<float>({1, 3, 2}, std::vector<float>{5, 5, std::log(3.0F), 0, 900, -900});
  const auto score = [&](std::vector<std::int64_t> lengths) {
    const Task task = token_task(data, std::move(lengths));
    return score_item(task, 0, sample, task_rows(task, logits)).at(0);
  };
  EXPECT_EQ(score({}).predictions, 2);
  EXPECT_NEAR(score({}).nll, std::log(2.0) - std::log(0.75), 1e-7);  // float logits
  EXPECT_EQ(score({2}).predictions, 1);
  EXPECT_DOUBLE_EQ(score({2}).nll, std::log(2.0));
  EXPECT_EQ(score({1}).predictions, 0);
  EXPECT_EQ(score({0}).predictions, 0);
  EXPECT_THAT(failure_of([&] { (void)score({4}); }),
              HasSubstr("sample 0: length 4 is outside 0..3"));
}

TEST(SampleScore, PerplexityPoolsOverPredictionsNotRows) {
  const auto data = test::float_rows("x", {{1}, {2}});
  const Task task = token_task(data, {});
  SampleScore one;
  one.nll = 3.0;
  one.predictions = 1;
  SampleScore two;
  two.nll = 3.0;
  two.predictions = 2;
  const auto total = total_score(task, {one, two});
  EXPECT_DOUBLE_EQ(total.at("nll"), 2.0);
  EXPECT_DOUBLE_EQ(total.at("perplexity"), std::exp(2.0));
  EXPECT_THAT(failure_of([&] { (void)total_score(task, {SampleScore{}}); }),
              HasSubstr("no row has two tokens"));
}

TEST(SampleScore, TokenOutsideTheVocabularyNamesTheSample) {
  const data::Sample sample = {
      {"ids", Tensor::from<std::int64_t>({1, 2}, std::vector<std::int64_t>{0, 9})}};
  const test::MemoryDataset data({sample});
  const Task task = token_task(data, {});
  const TaskRows rows = task_rows(task, Tensor(DType::kFloat32, {1, 2, 4}));
  EXPECT_THAT(failure_of([&] { (void)score_item(task, 0, sample, rows); }),
              HasSubstr("sample 0: token 9 is outside"));
}

TEST(SampleScore, TokensMustMatchTheLogits) {
  const data::Sample sample = {{"ids", Tensor(DType::kInt64, {1, 5})}};
  const test::MemoryDataset data({sample});
  const Task task = token_task(data, {});
  const TaskRows rows = task_rows(task, Tensor(DType::kFloat32, {1, 2, 4}));
  EXPECT_THAT(failure_of([&] { (void)score_item(task, 0, sample, rows); }),
              HasSubstr("one token for each of the 2 rows of logits, input 'ids' has 5"));
}

TEST(SampleScore, LabelsNeedOneRow) {
  const auto data = test::float_rows("x", {{1}});
  Task task;
  task.metric = parse_metric("top1");
  task.data = &data;
  task.labels = {0};
  EXPECT_THAT(failure_of([&] {
                (void)task_rows(task, Tensor(DType::kFloat32, {2, 10}));
              }),
              HasSubstr("top1 needs one row for each of 1 samples, got an output [2,10]"));
  const TaskRows rows = task_rows(task, Tensor(DType::kFloat32, {1, 10, 1, 1}));
  EXPECT_EQ(rows.columns, 10);
}

}  // namespace
}  // namespace hexquant::evaluate
