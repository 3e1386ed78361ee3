#include "cli/training_options.h"

#include "cli/recipe_options.h"

namespace hexquant::cli {
namespace {

constexpr const char* kDataGroup = "Training data";
constexpr const char* kTrainingGroup = "Training";

}  // namespace

void TrainingOptions::add_to(CLI::App& command) {
  command_ = &command;
  add_data_options(command);
  add_loss_options(command);
  add_step_options(command);
}

void TrainingOptions::add_data_options(CLI::App& command) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group(kDataGroup);
  };
  add("--train-data", values_.data.sources,
      "Samples to train with, in the forms of --data, preprocessed in the same way");
  add("--train-labels", values_.labels,
      "Their labels: .npy, labels.csv or text, one a line; without them the float model teaches");
  add("--train-samples", values_.data.samples, "Samples used at most; 0 = all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add("--train-skip", values_.data.skip, "Leading samples left out")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add("--augment", augmentation_,
      "Random changes of training images, comma or blank separated: flip (left and right),\n"
      "crop:N (moved by up to N pixels)");
  add("--calibration-batches", values_.calibration_batches,
      "Batches of the training data to calibrate with, where --data names no other, and to\n"
      "estimate the statistics of --batch-norm kept with")
      ->capture_default_str();
}

void TrainingOptions::add_loss_options(CLI::App& command) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group(kTrainingGroup);
  };
  add("--loss", values_.loss,
      "cross-entropy (labels), distillation (the float model's outputs), both, or auto:\n"
      "cross-entropy with --train-labels, else distillation")
      ->check(CLI::IsMember({"auto", "cross-entropy", "distillation", "both"}))
      ->capture_default_str();
  add("--distance", values_.distance,
      "Outputs are compared in distillation by kl (of classes), mse, or auto: kl where --metric\n"
      "reads classes")
      ->check(CLI::IsMember({"auto", "kl", "mse"}))
      ->capture_default_str();
  add("--distillation-weight", values_.distillation_weight, "Share of distillation in --loss both")
      ->capture_default_str();
  add("--block-loss", values_.block_loss,
      "Weight of the error at the outputs of blocks against the float model; 0 = none")
      ->capture_default_str();
}

void TrainingOptions::add_step_options(CLI::App& command) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group(kTrainingGroup)->capture_default_str();
  };
  add("--batch-norm", values_.batch_norm,
      "BatchNormalization: folded into its layer, frozen (gamma and beta trained beside the\n"
      "weight), or kept (normalizes by the batch; statistics estimated anew every epoch)")
      ->check(CLI::IsMember({"folded", "frozen", "kept"}));
  add("--optimizer", values_.optimizer, "sgd (with momentum) or adam")
      ->check(CLI::IsMember({"sgd", "adam"}));
  add("--lr", values_.learning_rate, "Learning rate");
  add("--range-lr", values_.range_rate,
      "Learning rate of scales and ranges, as a multiple of --lr; 0 = they stay");
  add("--momentum", values_.momentum, "Of sgd");
  add("--weight-decay", values_.weight_decay, "Of weights and biases");
  add("--trust", values_.trust,
      "A step moves a weight tensor or a range by at most this share of its norm (sgd: its\n"
      "gradient alone does); 0 = no limit");
  add("--clip-gradient", values_.clip_gradient,
      "Largest norm of all gradients together; 0 = no limit");
  add("--schedule", values_.schedule,
      "Learning rate over the steps: constant, cosine (to 0), step (a tenth after 1/2 and 3/4)")
      ->check(CLI::IsMember({"constant", "cosine", "step"}));
  add("--epochs", values_.epochs, "Passes over the training data");
  add("--batch-size", values_.batch_size, "Samples of a step");
  add("--max-steps", values_.max_steps, "Ends after so many steps; 0 = --epochs decides");
  add("--patience", values_.patience,
      "Ends after so many epochs without a better metric; 0 = never");
}

void TrainingOptions::overlay(TrainingRecipe& training) const {
  const auto take = [this](const char* option, auto& target, const auto& value) {
    if (command_->count(option) > 0) target = value;
  };
  take("--train-data", training.data.sources, values_.data.sources);
  take("--train-labels", training.labels, values_.labels);
  take("--train-samples", training.data.samples, values_.data.samples);
  take("--train-skip", training.data.skip, values_.data.skip);
  take("--augment", training.augmentation, split_list(augmentation_));
  take("--calibration-batches", training.calibration_batches, values_.calibration_batches);
  take("--loss", training.loss, values_.loss);
  take("--distance", training.distance, values_.distance);
  take("--distillation-weight", training.distillation_weight, values_.distillation_weight);
  take("--block-loss", training.block_loss, values_.block_loss);
  take("--batch-norm", training.batch_norm, values_.batch_norm);
  take("--optimizer", training.optimizer, values_.optimizer);
  take("--lr", training.learning_rate, values_.learning_rate);
  take("--range-lr", training.range_rate, values_.range_rate);
  take("--momentum", training.momentum, values_.momentum);
  take("--weight-decay", training.weight_decay, values_.weight_decay);
  take("--trust", training.trust, values_.trust);
  take("--clip-gradient", training.clip_gradient, values_.clip_gradient);
  take("--schedule", training.schedule, values_.schedule);
  take("--epochs", training.epochs, values_.epochs);
  take("--batch-size", training.batch_size, values_.batch_size);
  take("--max-steps", training.max_steps, values_.max_steps);
  take("--patience", training.patience, values_.patience);
}

}  // namespace hexquant::cli
