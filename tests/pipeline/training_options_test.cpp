#include "pipeline/training_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "hexquant/error.h"
#include "pipeline/recipe_json.h"

namespace hexquant::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const evaluate::Metric kTop1 = {evaluate::MetricKind::kTop1, {}};
const evaluate::Metric kSqnr = {evaluate::MetricKind::kSqnr, {}};

Recipe training_recipe() {
  Recipe recipe;
  recipe.model = "net.onnx";
  recipe.training.enabled = true;
  recipe.training.data.sources = {"train.npy"};
  recipe.evaluation.data.sources = {"val.npy"};
  return recipe;
}

std::string refusal(const std::function<void(Recipe&)>& change) {
  Recipe recipe = training_recipe();
  change(recipe);
  try {
    static_cast<void>(resolve_training(with_training_data(recipe), true, kTop1));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "accepted";
}

TEST(TrainingOptions, DefaultsAreTheUsualSetting) {
  const qat::TrainOptions options = resolve_training(training_recipe(), true, kTop1);
  EXPECT_EQ(options.optimizer, qat::OptimizerKind::kSgd);
  EXPECT_EQ(options.learning_rate, 1e-3);
  EXPECT_EQ(options.momentum, 0.9);
  EXPECT_EQ(options.weight_decay, 1e-4);
  EXPECT_EQ(options.epochs, 10);
  EXPECT_EQ(options.schedule, qat::Schedule::kConstant);
  EXPECT_EQ(options.loss, qat::Loss::kCrossEntropy);
  EXPECT_EQ(options.narrow_weight_bits, 4);
}

TEST(TrainingOptions, WithoutLabelsTheFloatModelTeaches) {
  const Recipe recipe = training_recipe();
  EXPECT_EQ(resolve_training(recipe, false, kTop1).loss, qat::Loss::kDistillation);
  EXPECT_EQ(resolve_training(recipe, false, kTop1).distance, qat::Distance::kKl);
  EXPECT_EQ(resolve_training(recipe, false, kSqnr).distance, qat::Distance::kMse);
}

TEST(TrainingOptions, CalibratesWithTheFirstHundredBatches) {
  Recipe recipe = training_recipe();
  recipe.data.preprocess = "prep.json";
  recipe.training.batch_size = 16;
  const Recipe complete = with_training_data(recipe);
  EXPECT_THAT(complete.data.sources, ElementsAre("train.npy"));
  EXPECT_EQ(complete.data.samples, 1600);
  EXPECT_EQ(complete.data.preprocess, "prep.json");
  EXPECT_TRUE(complete.evaluation.enabled);
  recipe.data.sources = {"calib.npy"};
  EXPECT_THAT(with_training_data(recipe).data.sources, ElementsAre("calib.npy"));
  EXPECT_EQ(with_training_data(recipe).data.samples, recipe.data.samples);
}

TEST(TrainingOptions, RefusesWhatIsOutOfRange) {
  EXPECT_EQ(refusal([](Recipe&) {}), "accepted");
  EXPECT_THAT(refusal([](Recipe& r) { r.training.data.sources.clear(); }),
              HasSubstr("--train-data"));
  EXPECT_THAT(refusal([](Recipe& r) { r.evaluation.data.sources.clear(); }),
              HasSubstr("--val-data"));
  EXPECT_THAT(refusal([](Recipe& r) { r.training.optimizer = "lion"; }),
              HasSubstr("optimizer 'lion': expected sgd, adam"));
  EXPECT_THAT(refusal([](Recipe& r) { r.training.learning_rate = 0.0; }),
              HasSubstr("learning rate '0': expected more than 0"));
  EXPECT_THAT(refusal([](Recipe& r) { r.training.epochs = 0; }), HasSubstr("epochs '0'"));
  EXPECT_THAT(refusal([](Recipe& r) { r.training.batch_size = -1; }), HasSubstr("batch size"));
  EXPECT_THAT(refusal([](Recipe& r) { r.training.distillation_weight = 1.5; }),
              HasSubstr("expected 0 to 1"));
  EXPECT_THAT(refusal([](Recipe& r) { r.training.augmentation = {"blur"}; }), HasSubstr("blur"));
}

TEST(TrainingOptions, ARecipeFileKeepsThem) {
  Recipe recipe = training_recipe();
  recipe.training.loss = "both";
  recipe.training.augmentation = {"flip", "crop:4"};
  recipe.training.max_steps = 50;
  recipe.prefix = "model_qat";
  Recipe read;
  recipe_from_json(recipe_to_json(recipe), "recipe.json", read);
  EXPECT_TRUE(read.training.enabled);
  EXPECT_EQ(read.training.loss, "both");
  EXPECT_THAT(read.training.augmentation, ElementsAre("flip", "crop:4"));
  EXPECT_EQ(read.training.max_steps, 50);
  EXPECT_THAT(read.training.data.sources, ElementsAre("train.npy"));
  EXPECT_EQ(read.prefix, "model_qat");
  EXPECT_FALSE(recipe_to_json(Recipe{}).contains("training"));
}

}  // namespace
}  // namespace hexquant::pipeline
