#include "pipeline/training_options.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"
#include "pipeline/quantize_options.h"

namespace hexquant::pipeline {
namespace {

template <typename Value>
using Names = std::vector<std::pair<std::string, Value>>;

[[noreturn]] void bad_option(const std::string& option, const std::string& value,
                             const std::string& expected) {
  throw Error(ErrorCode::kInvalidArgument, format("{} '{}': expected {}", option, value, expected));
}

template <typename Value>
Value value_of(const std::string& option, const std::string& name, const Names<Value>& known) {
  std::vector<std::string> names;
  for (const auto& [candidate, value] : known) {
    if (candidate == name) return value;
    names.push_back(candidate);
  }
  bad_option(option, name, format("{}", join(names, ", ")));
}

template <typename Number>
Number number_from(const std::string& option, Number value, Number least) {
  if (!(value >= least)) bad_option(option, format("{}", value), format("{} or more", least));
  return value;
}

double positive(const std::string& option, double value) {
  if (!(value > 0.0)) bad_option(option, format("{}", value), "more than 0");
  return value;
}

double share(const std::string& option, double value) {
  if (!(value >= 0.0 && value <= 1.0)) bad_option(option, format("{}", value), "0 to 1");
  return value;
}

qat::Loss loss_of(const std::string& name, bool labelled) {
  if (name == "auto") return labelled ? qat::Loss::kCrossEntropy : qat::Loss::kDistillation;
  return value_of<qat::Loss>("loss", name,
                             {{"cross-entropy", qat::Loss::kCrossEntropy},
                              {"distillation", qat::Loss::kDistillation},
                              {"both", qat::Loss::kBoth}});
}

qat::Distance distance_of(const std::string& name, const evaluate::Metric& metric) {
  if (name == "auto") {
    const bool reads_classes = metric.is_rate() || metric.kind == evaluate::MetricKind::kPerplexity;
    return reads_classes ? qat::Distance::kKl : qat::Distance::kMse;
  }
  return value_of<qat::Distance>("distance", name,
                                 {{"kl", qat::Distance::kKl}, {"mse", qat::Distance::kMse}});
}

}  // namespace

Recipe with_training_data(const Recipe& given) {
  if (!given.training.enabled) return given;
  Recipe recipe = given;
  if (recipe.training.data.sources.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "no training data given (--train-data: folder, .npy, .npz or input list)");
  }
  if (recipe.evaluation.data.sources.empty()) {
    throw Error(
        ErrorCode::kInvalidArgument,
        "no validation data given (--val-data or --eval-data: samples that are not trained with)");
  }
  recipe.evaluation.enabled = true;
  if (recipe.data.sources.empty()) {
    const std::string preprocess = recipe.data.preprocess;
    recipe.data = recipe.training.data;
    if (recipe.data.preprocess.empty()) recipe.data.preprocess = preprocess;
    const std::int64_t samples =
        number_from<std::int64_t>("calibration batches", recipe.training.calibration_batches, 1) *
        recipe.training.batch_size;
    recipe.data.samples =
        recipe.data.samples == 0 ? samples : std::min(samples, recipe.data.samples);
  }
  return recipe;
}

data::DataOptions training_data_options(const Recipe& recipe) {
  data::DataOptions options = resolve_data(recipe.training.data, recipe.seed);
  if (options.preprocess.empty()) options.preprocess = recipe.data.preprocess;
  options.native_input_files |= recipe.data.native_input_files;
  return options;
}

qat::TrainOptions resolve_training(const Recipe& recipe, bool labelled,
                                   const evaluate::Metric& metric) {
  const TrainingRecipe& training = recipe.training;
  qat::TrainOptions options;
  options.loss = loss_of(training.loss, labelled);
  options.distance = distance_of(training.distance, metric);
  options.distillation_weight = share("distillation weight", training.distillation_weight);
  options.block_loss = number_from("block loss", training.block_loss, 0.0);
  options.norm_mode = value_of<qat::NormMode>("batch norm", training.batch_norm,
                                              {{"folded", qat::NormMode::kFolded},
                                               {"frozen", qat::NormMode::kFrozen},
                                               {"kept", qat::NormMode::kKept}});
  options.statistics_batches =
      number_from<std::int64_t>("calibration batches", training.calibration_batches, 1);
  options.optimizer = value_of<qat::OptimizerKind>(
      "optimizer", training.optimizer,
      {{"sgd", qat::OptimizerKind::kSgd}, {"adam", qat::OptimizerKind::kAdam}});
  options.learning_rate = positive("learning rate", training.learning_rate);
  options.range_rate = number_from("range rate", training.range_rate, 0.0);
  options.momentum = share("momentum", training.momentum);
  options.weight_decay = number_from("weight decay", training.weight_decay, 0.0);
  options.trust = number_from("trust", training.trust, 0.0);
  options.clip_gradient = number_from("clip gradient", training.clip_gradient, 0.0);
  options.schedule = value_of<qat::Schedule>("schedule", training.schedule,
                                             {{"constant", qat::Schedule::kConstant},
                                              {"cosine", qat::Schedule::kCosine},
                                              {"step", qat::Schedule::kStep}});
  options.epochs = number_from<std::int64_t>("epochs", training.epochs, 1);
  options.batch_size = number_from<std::int64_t>("batch size", training.batch_size, 1);
  options.max_steps = number_from<std::int64_t>("steps", training.max_steps, 0);
  options.patience = number_from<std::int64_t>("patience", training.patience, 0);
  options.max_seconds = number_from("seconds of training", training.max_seconds, 0.0);
  options.augmentation = data::parse_augmentation(training.augmentation);
  options.seed = recipe.seed;
  options.narrow_weight_bits = std::min(recipe.weight_bits, 4);
  return options;
}

}  // namespace hexquant::pipeline
