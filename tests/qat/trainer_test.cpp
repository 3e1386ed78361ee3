#include "qat/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "hexquant/error.h"
#include "support/memory_dataset.h"
#include "support/temp_folder.h"

namespace hexquant::qat {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kInputs = 4;
constexpr std::int64_t kOutputs = 3;

/// y = x W' + b, the weights on a grid of 4 bits that is far too coarse for them at first.
graph::Graph linear_graph() {
  graph::Graph graph;
  graph.opsets[""] = 17;
  graph.add_input("x", {DType::kFloat32, std::vector<graph::Dim>{{-1, "N"}, {kInputs, ""}}});
  graph.add_initializer(
      "w", Tensor::from<float>({kOutputs, kInputs}, {0.9F, -0.4F, 0.3F, 0.2F, -0.7F, 0.8F, 0.1F,
                                                     -0.3F, 0.25F, 0.35F, -0.9F, 0.6F}));
  graph.add_initializer("b", Tensor::from<float>({kOutputs}, {0.1F, -0.2F, 0.3F}));
  graph.add_node({.op_type = "Gemm",
                  .inputs = {"x", "w", "b"},
                  .outputs = {"y"},
                  .attributes = {{"transB", std::int64_t{1}}}});
  graph.set_type("y", {DType::kFloat32, std::vector<graph::Dim>{{-1, "N"}, {kOutputs, ""}}});
  graph.add_output("y");
  return graph;
}

std::vector<std::vector<float>> random_rows(int count) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> values(-1.0F, 1.0F);
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < count; ++i) {
    rows.emplace_back();
    for (std::int64_t k = 0; k < kInputs; ++k) rows.back().push_back(values(random));
  }
  return rows;
}

/// Cancels after so many updates.
class CancellingProgress final : public ProgressSink {
 public:
  explicit CancellingProgress(int updates) : left_(updates) {}
  void begin(const std::string& /*stage*/, std::int64_t /*total*/) override {}
  void update(std::int64_t /*done*/) override { --left_; }
  void end() override {}
  [[nodiscard]] bool cancelled() const override { return left_ <= 0; }

 private:
  int left_;
};

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() : graph_(linear_graph()), data_(test::float_rows("x", random_rows(40))) {
    quant::TensorPolicy policy;
    policy.role = quant::Role::kWeight;
    policy.type = DType::kInt4;
    policy.symmetric = true;
    plan_.tensors["w"] = policy;
    encodings_.tensors["w"] = encoding_from_range({-2.4F, 2.4F}, DType::kInt4, true);
    request_.teacher = &graph_;
    request_.start = &graph_;
    request_.plan = &plan_;
    request_.encodings = &encodings_;
    request_.data = &data_;
    request_.inputs = {{"x", DType::kFloat32, {{-1, "N"}, {kInputs, ""}}}};
    request_.options.loss = Loss::kDistillation;
    request_.options.distance = Distance::kMse;
    request_.options.learning_rate = 0.02;
    request_.options.schedule = Schedule::kCosine;
    request_.options.range_rate = 1.0;
    request_.options.epochs = 8;
    request_.options.batch_size = 8;
    request_.options.trust = 0.0;  // in 40 steps a scale is to move by half
    request_.validate = [this](const graph::Graph& graph, const quant::EncodingTable&) {
      return -error_of(graph);
    };
    request_.digest = "d";
    request_.progress = &silent_progress();
  }

  /// Squared error of the outputs over the data.
  [[nodiscard]] double error_of(const graph::Graph& graph) const {
    const auto w = graph.find_initializer("w")->data<float>();
    const auto b = graph.find_initializer("b")->data<float>();
    const auto w0 = graph_.find_initializer("w")->data<float>();
    const auto b0 = graph_.find_initializer("b")->data<float>();
    double sum = 0.0;
    for (std::int64_t i = 0; i < data_.size(); ++i) {
      const Tensor x = data_.load(i).at("x");
      for (std::size_t o = 0; o < kOutputs; ++o) {
        double difference = b[o] - b0[o];
        for (std::size_t k = 0; k < kInputs; ++k) {
          difference += (w[o * kInputs + k] - w0[o * kInputs + k]) * x.data<float>()[k];
        }
        sum += difference * difference;
      }
    }
    return sum;
  }

  graph::Graph graph_;
  test::MemoryDataset data_;
  quant::QuantPlan plan_;
  quant::EncodingTable encodings_;
  TrainRequest request_;
};

TEST_F(TrainerTest, LearnsAScaleThatFits) {
  std::vector<EpochRow> rows;
  request_.on_epoch = [&](const EpochRow& row) { rows.push_back(row); };
  const TrainResult result = train(request_);
  ASSERT_EQ(result.curve.size(), 9U);
  ASSERT_EQ(rows.size(), 9U);
  EXPECT_TRUE(std::isnan(rows[0].loss));
  EXPECT_EQ(rows[1].steps, 5);
  EXPECT_GT(rows[1].samples_per_s, 0.0);
  EXPECT_LT(rows[8].loss, rows[1].loss);
  EXPECT_GT(result.best_epoch, 0);
  const auto best = static_cast<std::size_t>(result.best_epoch);
  EXPECT_DOUBLE_EQ(-error_of(result.weights), rows[best].value);
  EXPECT_LT(error_of(result.weights), 0.7 * -rows[0].value);
  EXPECT_LT(result.encodings.tensors.at("w").scale[0], encodings_.tensors.at("w").scale[0]);
  // Its weights lie on its grid.
  const Tensor& weights = *result.weights.find_initializer("w");
  EXPECT_EQ(fake_quantize_tensor(weights, result.encodings.tensors.at("w")), weights);
  EXPECT_EQ(result.parameters, 12 + 3 + 1);
  EXPECT_EQ(result.ranges, 1);
}

TEST_F(TrainerTest, GoesOnExactlyWhereItStopped) {
  const TrainResult whole = train(request_);
  for (const int updates : {2, 7, 13}) {
    const test::TempFolder folder;
    request_.checkpoint = folder.path() / "checkpoint";
    CancellingProgress cancelling(updates);
    request_.progress = &cancelling;
    try {
      static_cast<void>(train(request_));
      FAIL() << "not cancelled";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCancelled);
      EXPECT_THAT(error.what(), HasSubstr("the same command goes on"));
    }
    request_.progress = &silent_progress();
    const TrainResult resumed = train(request_);
    EXPECT_GT(resumed.resumed_step, 0);
    EXPECT_EQ(*resumed.weights.find_initializer("w"), *whole.weights.find_initializer("w"));
    EXPECT_EQ(*resumed.weights.find_initializer("b"), *whole.weights.find_initializer("b"));
    EXPECT_EQ(resumed.encodings.tensors, whole.encodings.tensors);
    ASSERT_EQ(resumed.curve.size(), whole.curve.size());
    for (std::size_t i = 1; i < whole.curve.size(); ++i) {
      EXPECT_EQ(resumed.curve[i].loss, whole.curve[i].loss) << i;
      EXPECT_EQ(resumed.curve[i].value, whole.curve[i].value) << i;
    }
  }
}

TEST_F(TrainerTest, CancelledValidationIsDoneLater) {
  const test::TempFolder folder;
  request_.checkpoint = folder.path() / "checkpoint";
  int calls = 0;
  const auto validate = request_.validate;
  request_.validate = [&](const graph::Graph& graph, const quant::EncodingTable& encodings) {
    if (++calls == 9) throw Error(ErrorCode::kCancelled, "stopped");
    return validate(graph, encodings);
  };
  EXPECT_THROW(static_cast<void>(train(request_)), Error);
  const TrainResult resumed = train(request_);  // the last epoch lacks nothing but its row
  ASSERT_EQ(resumed.curve.size(), 9U);
  EXPECT_EQ(resumed.curve[8].steps, 5);
}

TEST_F(TrainerTest, ALostLossGivesTheBestEpochBefore) {
  request_.options.learning_rate = 1e30;
  const TrainResult result = train(request_);
  EXPECT_THAT(result.stopped, HasSubstr("the loss became"));
  ASSERT_FALSE(result.findings.empty());
  EXPECT_EQ(result.findings[0].id, "loss-not-finite");
  const auto best = static_cast<std::size_t>(result.best_epoch);
  EXPECT_DOUBLE_EQ(-error_of(result.weights), result.curve[best].value);
}

TEST_F(TrainerTest, LowerCanBeBetter) {
  request_.validate = [this](const graph::Graph& graph, const quant::EncodingTable&) {
    return error_of(graph);
  };
  request_.higher_is_better = false;
  const TrainResult result = train(request_);
  for (const EpochRow& row : result.curve) {
    EXPECT_GE(row.value, result.curve[static_cast<std::size_t>(result.best_epoch)].value);
  }
}

TEST_F(TrainerTest, PatienceAndStepsEndIt) {
  request_.options.max_steps = 7;
  EXPECT_EQ(train(request_).curve.back().steps, 2);
  request_.options.max_steps = 0;
  request_.options.patience = 2;
  request_.validate = [](const graph::Graph&, const quant::EncodingTable&) { return 1.0; };
  const TrainResult result = train(request_);
  EXPECT_EQ(result.curve.size(), 3U);
  EXPECT_EQ(result.best_epoch, 0);
  EXPECT_EQ(result.findings.back().id, "training-gained-nothing");
}

TEST_F(TrainerTest, MoreTimeGoesOn) {
  const TrainResult whole = train(request_);
  const test::TempFolder folder;
  request_.checkpoint = folder.path() / "checkpoint";
  request_.options.max_seconds = 1e-9;
  const TrainResult first = train(request_);
  EXPECT_THAT(first.stopped, HasSubstr("s are over"));
  request_.options.max_seconds = 0.0;
  const TrainResult rest = train(request_);
  EXPECT_EQ(*rest.weights.find_initializer("w"), *whole.weights.find_initializer("w"));
}

TEST_F(TrainerTest, LabelsAreNeededAndUsed) {
  request_.options.loss = Loss::kBoth;
  request_.options.distance = Distance::kKl;
  EXPECT_THROW(static_cast<void>(train(request_)), Error);
  request_.labels.assign(40, 2);
  request_.options.distillation_weight = 0.0;
  request_.validate = [](const graph::Graph& graph, const quant::EncodingTable&) {
    return static_cast<double>(graph.find_initializer("b")->data<float>()[2]);
  };
  const TrainResult result = train(request_);
  EXPECT_LT(result.curve[8].loss, result.curve[1].loss);  // all samples are of class 2
  EXPECT_GT(result.weights.find_initializer("b")->data<float>()[2], 0.3F);
}

}  // namespace
}  // namespace hexquant::qat
