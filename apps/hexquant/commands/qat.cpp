#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/loss_units.h"
#include "cli/recipe_options.h"
#include "cli/table.h"
#include "cli/training_options.h"
#include "commands/commands.h"
#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "pipeline/qat_job.h"
#include "pipeline/quantized_start.h"

namespace hexquant::cli {
namespace {

namespace fs = std::filesystem;

struct QatArguments {
  std::string model;
  std::string float_model;
  RecipeOptions recipe;
  TrainingOptions training;
  std::vector<std::string> val_data;
  std::string val_labels;
  std::int64_t val_skip = 0;
  std::string prefix;
  double max_seconds = 0.0;
  pipeline::TrainingHooks hooks;
  bool verbose = false;
};

/// The recipe with the options that were given; MODEL is a float model or a quantized folder.
Recipe resolve_start(const QatArguments& arguments) {
  if (!fs::is_directory(arguments.model)) {
    if (!arguments.float_model.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("--float {}: MODEL is no quantized folder, but a float model itself",
                         arguments.float_model));
    }
    Recipe recipe = arguments.recipe.resolve();
    if (!arguments.model.empty()) {
      recipe.model = arguments.model;
      recipe.training.start.clear();  // of the recipe: this model is quantized anew
    }
    return recipe;
  }
  Recipe recipe = arguments.recipe.resolve(pipeline::folder_recipe(arguments.model));
  recipe.training.start = arguments.model;
  if (!arguments.float_model.empty()) recipe.model = arguments.float_model;
  return recipe;
}

/// What a recipe says of the samples that it scored is not said of these.
void validate_on(const QatArguments& arguments, EvaluationRecipe& evaluation) {
  evaluation.data.sources = arguments.val_data;
  evaluation.data.skip = 0;
  if (!arguments.recipe.given("--labels")) evaluation.labels.clear();
  if (!arguments.recipe.given("--data-b")) evaluation.data_b.clear();
  if (!arguments.recipe.given("--lengths")) evaluation.lengths.clear();
}

Recipe resolve(const QatArguments& arguments, const CommandContext& context) {
  Recipe recipe = resolve_start(arguments);
  if (context.common.seed_given) recipe.seed = context.common.seed;
  if (!arguments.val_data.empty()) validate_on(arguments, recipe.evaluation);
  if (arguments.val_skip > 0) recipe.evaluation.data.skip = arguments.val_skip;
  if (!arguments.val_labels.empty()) {
    // --labels is then left for the other data; those of a recipe stay what they are.
    if (arguments.recipe.given("--labels") && recipe.training.labels.empty()) {
      recipe.training.labels = recipe.evaluation.labels;
    }
    recipe.evaluation.labels = arguments.val_labels;
  }
  arguments.training.overlay(recipe.training);
  if (arguments.max_seconds > 0.0) recipe.training.max_seconds = arguments.max_seconds;
  if (!arguments.prefix.empty()) recipe.prefix = arguments.prefix;
  recipe.training.enabled = true;
  return recipe;
}

std::string metric_text(const std::string& metric, double value) {
  return is_in_points(metric) ? format("{:.2f} %", 100.0 * value) : number_text(value, 4);
}

/// "Epoch 3/10 Loss: 0.1234 Acc: 0.9120", as training loops usually print it.
void print_epoch(const qat::EpochRow& row, std::int64_t epochs, const std::string& metric) {
  const std::string name = metric == "top1" ? "Acc" : metric;
  const std::string loss = row.epoch == 0 ? "" : format(" Loss: {:.4f}", row.loss);
  std::fputs(format("Epoch {}/{}{} {}: {:.4f}\n", row.epoch, epochs, loss, name, row.value).c_str(),
             stdout);
  std::fflush(stdout);
}

void print_result(const pipeline::QatResult& job) {
  const QuantizeResult& result = job.result;
  const report::TrainingSection& training = job.training;
  const std::string& metric = training.metric;
  const report::EpochRow& best = training.curve[static_cast<std::size_t>(training.best_epoch)];
  std::string text = "\n";
  const auto reference = result.fp32.find("value");
  if (reference != result.fp32.end()) {
    text += format("float             {} {}\n", metric_text(metric, reference->second), metric);
  }
  text += format("before training   {} {}\n", metric_text(metric, training.curve[0].value), metric);
  text += format("trained           {} {}, epoch {} of {}\n", metric_text(metric, best.value),
                 metric, training.best_epoch, training.epochs);
  text += format("written model     {} {}\n", metric_text(metric, result.quantized.at("value")),
                 metric);
  if (!training.stopped.empty()) text += format("ended early       {}\n", training.stopped);
  text += format("trained values    {}, {} of them scales and ranges\n", training.parameters,
                 training.ranges);
  text += format("time              {:.1f} s\n", result.seconds.at("total"));
  text += format("results           {}\nreport            {}\n", result.output.string(),
                 (result.output / "report.html").string());
  std::fputs(text.c_str(), stdout);
}

int run_qat(const QatArguments& arguments, const CommandContext& context) {
  const Recipe recipe = resolve(arguments, context);
  const bool json_on_stdout = context.common.json_path == "-";
  pipeline::TrainingHooks hooks = arguments.hooks;
  if (!json_on_stdout) {
    hooks.on_epoch = [&](const qat::EpochRow& row, const std::string& metric) {
      print_epoch(row, recipe.training.epochs, metric);
    };
  }
  const pipeline::QatResult job =
      pipeline::quantize_and_train(recipe, hooks, context.threads(), context.progress());
  print_findings(job.result.findings, arguments.verbose);
  const std::string report = read_file(job.result.output / "report.json");
  if (json_on_stdout) {
    std::fwrite(report.data(), 1, report.size(), stdout);
    return kExitDone;
  }
  print_result(job);
  if (!context.common.json_path.empty()) write_file(context.common.json_path, report);
  return kExitDone;
}

void add_run_options(CLI::App& command, QatArguments& arguments) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group("Training");
  };
  add("--max-seconds", arguments.max_seconds,
      "Ends the training after this time; the same command with more goes on; 0 = no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add("--checkpoint-seconds", arguments.hooks.checkpoint_seconds,
      "The state is written to DIR/checkpoint after every epoch, and as often as this within one")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_flag("--restart", arguments.hooks.restart,
                "Begin anew instead of going on from DIR/checkpoint")
      ->group("Training");
  command
      .add_option(
          "--val-data", arguments.val_data,
          "Samples that every epoch is scored on, in the forms of --data; none of them may\n"
          "be trained with (the same as --eval-data)")
      ->group("Accuracy");
  command
      .add_option("--val-labels", arguments.val_labels,
                  "Labels of --val-data; --labels are then those of --train-data")
      ->group("Accuracy");
  command
      .add_option("--val-skip", arguments.val_skip,
                  "Leading samples of --val-data left out; --evaluate N takes N of the others")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Accuracy");
  command.add_option("--prefix", arguments.prefix,
                     "Result files are called PREFIX.onnx, PREFIX.encodings ... (default: model)");
}

}  // namespace

void add_qat_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "qat", "Quantization-aware training, where post-training methods lose too much");
  const auto arguments = std::make_shared<QatArguments>();
  command->add_option("MODEL", arguments->model,
                      "Float ONNX model, or a folder with the result of 'quantize',\n"
                      "'mixed-precision', 'auto' or 'qat', whose widths, weights and encodings\n"
                      "training starts from");
  command->add_option("--float", arguments->float_model,
                      "Float model that the folder MODEL was made from: teacher and reference\n"
                      "(default: the one that its recipe.json names)");
  arguments->recipe.add_to(*command, RecipeOptions::Widths::kResearch);
  arguments->training.add_to(*command);
  add_run_options(*command, *arguments);
  command->add_flag("-v,--verbose", arguments->verbose, "Print informational findings too");
  add_common_options(*command, context.common);
  command->get_option("--threads")
      ->description("Threads; sums of training differ in their last bits with another number");
  command->footer(
      "Quantizes as 'quantize' does, then trains weights, biases, scales and ranges in the\n"
      "presence of rounding, scores the model that would be written after every epoch, and writes\n"
      "the best into DIR with the files of 'quantize'. Ctrl-C, or even a killed process, loses\n"
      "nothing: the same command goes on and ends with the same result. Needs LibTorch.\n\n"
      "Examples:\n"
      "  hexquant qat net.onnx --train-data train.npy --train-labels train_labels.npy \\\n"
      "      --val-data val.npy --val-labels val_labels.npy --preprocess prep.json \\\n"
      "      --weight-bits 4:all --algorithms adaptive-rounding -o out\n"
      "  hexquant qat quantized/ --train-data unlabelled/ --val-data val.npy -o out\n"
      "  hexquant qat net.onnx --config qnn_quantsim_config.json --train-data train.npy \\\n"
      "      --train-labels train_labels.npy --val-data val.npy --val-labels val_labels.npy \\\n"
      "      --prefix model_qat -o qat_export");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_qat(*arguments, context); };
  });
}

}  // namespace hexquant::cli
