#include "pipeline/mixed_precision.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/loss_units.h"
#include "cli/recipe_options.h"
#include "cli/table.h"
#include "commands/commands.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::cli {
namespace {

using pipeline::MixedPoint;
using pipeline::MixedPrecisionResult;
using pipeline::WidthRule;

struct MixedPrecisionArguments {
  std::string model;
  RecipeOptions recipe;
  pipeline::MixedPrecisionOptions options;
  double max_loss = 0.0;
  double max_latency_us = 0.0;
  CLI::Option* int16_ratio = nullptr;
  CLI::Option* snr_below = nullptr;
  CLI::Option* max_loss_option = nullptr;
  CLI::Option* max_latency = nullptr;
  bool verbose = false;
};

/// Search with a target or a budget; else one of the article's rules, the ratio by default.
pipeline::MixedPrecisionOptions resolve_options(const MixedPrecisionArguments& arguments,
                                                const Recipe& recipe) {
  pipeline::MixedPrecisionOptions options = arguments.options;
  const bool has_target =
      arguments.max_loss_option->count() > 0 || arguments.max_latency->count() > 0;
  const bool has_ratio = arguments.int16_ratio->count() > 0;
  const bool has_snr = arguments.snr_below->count() > 0;
  if (has_ratio && has_snr) {
    throw Error(ErrorCode::kInvalidArgument,
                "--int16-ratio and --snr-below are two rules: give one of them");
  }
  if (arguments.max_loss_option->count() > 0) {
    options.max_loss = own_unit_loss(arguments.max_loss, recipe.evaluation.metric);
  }
  if (arguments.max_latency->count() > 0) options.max_latency_us = arguments.max_latency_us;
  options.rule = has_snr                    ? WidthRule::kSnrBelow
                 : has_ratio || !has_target ? WidthRule::kInt16Ratio
                                            : WidthRule::kSearch;
  return options;
}

std::string points_table(const MixedPrecisionResult& result) {
  const double unit = is_in_points(result.metric) ? 100.0 : 1.0;
  const bool has_vendor = std::any_of(result.points.begin(), result.points.end(),
                                      [](const MixedPoint& point) { return point.vendor; });
  std::vector<std::string> head = {"point",        result.metric, "loss",           "SQNR dB",
                                   "predicted us", "converts",    "weights raised", ""};
  if (has_vendor) head.insert(head.end() - 1, {"vendor us", "not in integers"});
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const MixedPoint& point = result.points[i];
    const bool on_front =
        std::find(result.front.begin(), result.front.end(), i) != result.front.end();
    rows.push_back({point.name, number_text(unit * point.evaluated.metric, 3),
                    number_text(unit * point.evaluated.loss, 3),
                    number_text(point.evaluated.sqnr_db, 2), number_text(point.cost.time_us, 1),
                    format("{}", point.cost.converts), percent_text(point.cost.raised_weight_share),
                    i == result.chosen ? "chosen"
                    : on_front         ? "front"
                                       : ""});
    if (!has_vendor) continue;
    const bool is_compiled = point.vendor && point.vendor->failure.empty();
    const bool has_time = is_compiled && point.vendor->time_us;
    rows.back().insert(rows.back().end() - 1,
                       {has_time ? number_text(point.vendor->time_us->value, 1) : "-",
                        is_compiled ? format("{}", point.vendor->nodes_elsewhere) : "-"});
  }
  return table_text(head, rows);
}

std::string result_text(const MixedPrecisionResult& result) {
  const double unit = is_in_points(result.metric) ? 100.0 : 1.0;
  const QuantizeResult& final_model = result.final_model;
  std::string text = points_table(result) + "\n";
  text += format("final model       loss {} over {} samples, SQNR {} dB\n",
                 number_text(unit * final_model.loss, 3), final_model.evaluated_samples,
                 number_text(final_model.sqnr_db, 2));
  if (result.kept_back) {
    text += format("kept back         loss {} over {} samples that the search has not seen\n",
                   number_text(unit * result.kept_back->loss, 3), result.kept_back->samples);
  }
  if (result.max_loss || result.max_latency_us) {
    text += format("target            {}\n", result.meets_target ? "met" : "missed");
  }
  text += format("results           {}\nplot              {}\n", final_model.output.string(),
                 (final_model.output / "pareto.svg").string());
  return text;
}

/// What stopped is kept in OUT: the message says so.
[[noreturn]] void rethrow_with_output(const Error& error, const Recipe& recipe) {
  const auto journal = std::filesystem::path(recipe.output) / "sensitivity.journal";
  if (recipe.output.empty() || !std::filesystem::exists(journal)) throw error;
  throw Error(error.code(), format("{} (finished work is kept in {}: the same command goes on)",
                                   error.what(), recipe.output));
}

int run_mixed_precision(const MixedPrecisionArguments& arguments, const CommandContext& context) {
  Recipe recipe = arguments.recipe.resolve();
  if (!arguments.model.empty()) recipe.model = arguments.model;
  if (context.common.seed_given) recipe.seed = context.common.seed;
  const pipeline::MixedPrecisionOptions options = resolve_options(arguments, recipe);
  MixedPrecisionResult result;
  try {
    result = pipeline::choose_widths(recipe, options, context.threads(), context.progress());
  } catch (const Error& error) {
    rethrow_with_output(error, recipe);
  }
  print_findings(result.findings, arguments.verbose);
  if (context.common.json_path != "-") std::fputs(result_text(result).c_str(), stdout);
  write_json_result(context.common, "mixed-precision", pipeline::to_json(result));
  return result.meets_target ? kExitDone : kExitCheckFailed;
}

void add_options(CLI::App& command, MixedPrecisionArguments& arguments) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group("Widths");
  };
  arguments.max_loss_option =
      add("--max-loss", arguments.max_loss,
          "Search the cheapest widths with at most this loss: in points (hundredths) of top1,\n"
          "top5, cosine and spearman-pairs, in the metric's own unit otherwise")
          ->check(CLI::NonNegativeNumber);
  arguments.max_latency =
      add("--max-latency-us", arguments.max_latency_us,
          "Search the best widths that are predicted to take at most this time on --soc")
          ->check(CLI::PositiveNumber);
  arguments.int16_ratio =
      add("--int16-ratio", arguments.options.int16_ratio,
          "16 bits for this share of the layers, those whose weights lose most first\n"
          "(the default rule)")
          ->check(CLI::Range(0.0, 1.0))
          ->capture_default_str();
  arguments.snr_below = add("--snr-below", arguments.options.snr_below_db,
                            "16 bits for layers whose weights alone have an SNR below this, dB")
                            ->capture_default_str();
  add("--max-raised-weights", arguments.options.max_raised_weights,
      "Search: share of the weights that may have more bits than --weight-bits")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  add("--max-evaluations", arguments.options.max_evaluations,
      "Models that the search really evaluates, at most")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  command
      .add_flag("--estimate", arguments.options.estimate,
                "Also the vendor's estimate of every evaluated model (chips that have it)")
      ->group("Widths");
  add("--sensitivity", arguments.options.sensitivity,
      "Table that 'hexquant sensitivity --json FILE' wrote, instead of measuring one")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  add("--time-limit", arguments.options.time_limit_s,
      "Seconds that exec:PROGRAM or so:FILE may take for each model")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_flag("-v,--verbose", arguments.verbose, "Print informational findings too");
}

}  // namespace

void add_mixed_precision_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "mixed-precision", "A width for every layer, for a loss or a latency; then quantize");
  const auto arguments = std::make_shared<MixedPrecisionArguments>();
  command->add_option("MODEL", arguments->model, "Float ONNX model");
  arguments->recipe.add_to(*command);
  add_options(*command, *arguments);
  add_common_options(*command, context.common);
  command->footer(
      "Starts from --weight-bits and --act-bits, measures the sensitivity of every layer, and\n"
      "raises what is worth its predicted time: weights 4 -> 8 -> 16 bits, and values 8 -> 16\n"
      "bits together with the layer that computes them and one that reads them. The search\n"
      "evaluates real models; DIR gets what 'quantize' writes, with every evaluated point in\n"
      "pareto.csv, .json and .svg.\n"
      "Exit status 1: no widths meet the target; DIR then holds those that come nearest.\n"
      "docs/methods/mixed-precision.md describes the search.\n\n"
      "Examples:\n"
      "  hexquant mixed-precision net.onnx --data images/ --preprocess prep.json \\\n"
      "      --labels labels.csv --max-loss 0.5 -o out\n"
      "  hexquant mixed-precision net.onnx --data calib.npy --weight-bits 4:all \\\n"
      "      --algorithms adaptive-rounding --max-latency-us 300 -o out\n"
      "  hexquant mixed-precision net.onnx --data calib.npy --int16-ratio 0.2 -o out");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_mixed_precision(*arguments, context); };
  });
}

}  // namespace hexquant::cli
