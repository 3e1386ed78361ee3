#include <cstdio>
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
#include "hexquant/ladder.h"

namespace hexquant::cli {
namespace {

struct AutoArguments {
  std::string model;
  RecipeOptions recipe;
  TrainingOptions training;
  double max_loss_points = 1.0;
  double max_seconds = 0.0;
  bool verbose = false;
};

std::string rungs_table(const LadderResult& result) {
  const double unit = is_in_points(result.metric) ? 100.0 : 1.0;
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"float", number_text(unit * result.reference, 4), "", "", "", "", ""});
  for (std::size_t i = 0; i < result.rungs.size(); ++i) {
    const Rung& rung = result.rungs[i];
    if (!rung.ran) {
      rows.push_back({rung.method, "-", "-", "-", "-", "", rung.reason});
      continue;
    }
    const char* mark = i == result.chosen ? "chosen" : rung.meets_target ? "met" : "missed";
    rows.push_back({rung.method, number_text(unit * rung.value, 4),
                    number_text(unit * rung.loss, 4), number_text(rung.predicted_us, 1),
                    number_text(rung.seconds, 1), mark, rung.reason});
  }
  return table_text({"method", result.metric, "loss", "predicted us", "seconds", "", "why"}, rows);
}

int run_auto(const AutoArguments& arguments, const CommandContext& context) {
  Recipe recipe = arguments.recipe.resolve();
  if (!arguments.model.empty()) recipe.model = arguments.model;
  if (context.common.seed_given) recipe.seed = context.common.seed;
  arguments.training.overlay(recipe.training);
  if (recipe.evaluation.metric == "sqnr") {
    throw Error(ErrorCode::kInvalidArgument,
                "--metric sqnr has no loss against float: choose another metric");
  }
  LadderOptions options;
  options.max_loss = own_unit_loss(arguments.max_loss_points, recipe.evaluation.metric);
  options.max_seconds = arguments.max_seconds;
  const LadderResult result = climb_ladder(recipe, options, context.threads(), context.progress());
  print_findings(result.best.findings, arguments.verbose);
  const bool json_on_stdout = context.common.json_path == "-";
  const std::string report = read_file(result.output / "report.json");
  if (json_on_stdout) {
    std::fwrite(report.data(), 1, report.size(), stdout);
  } else {
    std::fputs(("\n" + rungs_table(result) + "\n").c_str(), stdout);
    std::fputs(format("results           {}\nreport            {}\n", result.output.string(),
                      (result.output / "report.html").string())
                   .c_str(),
               stdout);
    if (!context.common.json_path.empty()) write_file(context.common.json_path, report);
  }
  return result.meets_target ? kExitDone : kExitCheckFailed;
}

}  // namespace

void add_auto_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "auto", "Try ever more costly methods until the accuracy is good enough");
  const auto arguments = std::make_shared<AutoArguments>();
  command->add_option("MODEL", arguments->model, "Float ONNX model");
  arguments->recipe.add_to(*command);
  arguments->training.add_to(*command);
  command
      ->add_option("--max-loss", arguments->max_loss_points,
                   "Loss that is good enough: in points (hundredths) of top1, top5, cosine and\n"
                   "spearman-pairs, in the metric's own unit otherwise")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--max-seconds", arguments->max_seconds,
                   "Start no further method after this time, and end training then; 0 = no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("-v,--verbose", arguments->verbose, "Print informational findings too");
  add_common_options(*command, context.common);
  command->footer(
      "The ladder: post-training quantization; equalization with adaptive rounding; more bits for\n"
      "the layers where they gain most (mixed-precision); 16-bit activations; with --train-data,\n"
      "quantization-aware training. It stops at the first rung that meets --max-loss and writes\n"
      "that rung into DIR as 'quantize' would, with the table of rungs in report.json and\n"
      "report.html. Calibrate and score on different samples: overlap is warned of. Ctrl-C keeps\n"
      "the rungs that are done.\n"
      "Exit status 1: no rung meets the target; DIR then holds the most accurate one.\n\n"
      "Examples:\n"
      "  hexquant auto net.onnx --data images/ --preprocess prep.json --labels labels.csv \\\n"
      "      --max-loss 0.5 -o out\n"
      "  hexquant auto net.onnx --data calib.npy --eval-data test.npy --labels test_labels.npy \\\n"
      "      --weight-bits 4:all --max-loss 1 --max-seconds 600 -o out");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_auto(*arguments, context); };
  });
}

}  // namespace hexquant::cli
