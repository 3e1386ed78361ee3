#include "evaluate/output_scorer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "evaluate/evaluate_models.h"
#include "evaluate/quantized_models.h"
#include "hexquant/error.h"

namespace hexquant::evaluate {
namespace {

/// Outputs of a model fed to a scorer run by run, the last first.
CandidateScore score_by_runs(const Task& task, const graph::Graph& reference,
                             const graph::Graph& candidate) {
  const runtime::Session first(reference, {});
  const runtime::Session second(candidate, {});
  OutputScorer scorer(task, first.inputs(), first.outputs());
  for (std::int64_t run = scorer.runs(); run-- > 0;) {
    const data::Sample feeds = scorer.load(run);
    scorer.add_reference(run, feeds, first.run(feeds));
  }
  scorer.finish_reference(silent_progress());
  const auto sheet = scorer.open("candidate");
  for (std::int64_t run = scorer.runs(); run-- > 0;) {
    scorer.add(*sheet, run, second.run(scorer.load(run)));
  }
  return scorer.close(*sheet, silent_progress());
}

void expect_same(const CandidateScore& a, const CandidateScore& b) {
  EXPECT_EQ(a.score.metrics, b.score.metrics);
  EXPECT_TRUE(a.loss == b.loss || (std::isnan(a.loss) && std::isnan(b.loss)));
  EXPECT_TRUE(a.kl == b.kl || (std::isnan(a.kl) && std::isnan(b.kl)));
  EXPECT_EQ(a.difference_interval.has_value(), b.difference_interval.has_value());
  EXPECT_EQ(a.per_output.size(), b.per_output.size());
}

class OutputScorerTest : public testing::TestWithParam<const char*> {};

TEST_P(OutputScorerTest, GivesTheNumbersOfEvaluateModels) {
  const graph::Graph reference = test::tiny_cnn();
  const graph::Graph candidate = test::quantized_tiny_cnn(DType::kUInt8, DType::kInt8);
  const test::MemoryDataset data = test::tiny_images(6);
  std::vector<data::Sample> others;
  for (std::int64_t i = 6; i < 12; ++i) others.push_back(test::tiny_images(12).load(i));
  const test::MemoryDataset data_b(std::move(others));
  Task task;
  task.metric = parse_metric(GetParam());
  task.data = &data;
  task.labels = {0, 1, 2, 0, 1, 2};
  if (task.metric.kind == MetricKind::kSpearmanPairs) {
    task.labels.clear();
    task.data_b = &data_b;
    task.scores = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0};
  }
  const EvaluationResult expected =
      evaluate_models({"r", &reference, {}}, {{"c", &candidate, {}}}, task);
  const CandidateScore found = score_by_runs(task, reference, candidate);
  expect_same(found, expected.candidates.front());
  constexpr double kSumOrderDb = 1e-9;  // pairs are added in another order
  EXPECT_NEAR(found.outputs.sqnr_db(), expected.candidates.front().outputs.sqnr_db(), kSumOrderDb);
}

INSTANTIATE_TEST_SUITE_P(Metrics, OutputScorerTest,
                         testing::Values("top1", "sqnr", "cosine", "spearman-pairs"));

TEST(OutputScorer, AMetricProgramSeesEachCandidatesFiles) {
  const graph::Graph reference = test::tiny_cnn();
  const test::MemoryDataset data = test::tiny_images(2);
  Task task;
  task.metric = parse_metric("exec:f() { ls $1/output_0 | wc -l; }; f");
  task.data = &data;
  const CandidateScore found = score_by_runs(task, reference, reference);
  EXPECT_EQ(found.score.value(), 2.0);
  EXPECT_EQ(found.loss, 0.0);
}

TEST(OutputScorer, LabelsBeyondTheClassesAreRefusedBeforeAnyRun) {
  const graph::Graph reference = test::tiny_cnn();
  const test::MemoryDataset data = test::tiny_images(2);
  Task task;
  task.metric = parse_metric("top1");
  task.data = &data;
  task.labels = {0, 100000};
  const runtime::Session session(reference, {});
  EXPECT_THROW(OutputScorer(task, session.inputs(), session.outputs()), Error);
}

}  // namespace
}  // namespace hexquant::evaluate
