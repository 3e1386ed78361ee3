#include "pipeline/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/recipe_options.h"
#include "cli/sensitivity_text.h"
#include "commands/commands.h"
#include "core/file_io.h"
#include "core/finding_json.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "pipeline/quantize_job.h"

namespace hexquant::cli {
namespace {

struct SensitivityArguments {
  std::string model;
  RecipeOptions recipe;
  pipeline::SensitivityOptions options;
  std::vector<std::string> kinds;
  std::vector<std::string> widths;
  std::uint64_t max_memory_bytes = std::uint64_t{2} << 30;
  bool no_blocks = false;
  bool weights_only = false;
  double snr_below_db = 25.0;
  std::string journal;
  bool verbose = false;
};

std::vector<int> parse_widths(const std::vector<std::string>& items) {
  std::vector<int> widths;
  for (const std::string& item : split_list(items)) {
    if (item == "4" || item == "8" || item == "16") {
      widths.push_back(std::stoi(item));
    } else if (item == "float") {
      widths.push_back(mixed_precision::kFloatBits);
    } else {
      throw Error(ErrorCode::kInvalidArgument,
                  format("--widths '{}': expected 4, 8, 16 or float", item));
    }
  }
  return widths;
}

int run_weights_only(const SensitivityArguments& arguments, const Recipe& recipe,
                     const CommandContext& context) {
  const auto rows = pipeline::measure_weight_noise(recipe.model, recipe.weight_bits, recipe.soc);
  if (context.common.json_path != "-") {
    std::fputs(weight_noise_text(rows, recipe.weight_bits, arguments.snr_below_db).c_str(), stdout);
  }
  Json json = {{"model", recipe.model},
               {"weight_bits", recipe.weight_bits},
               {"snr_below_db", arguments.snr_below_db}};
  json["weights"] = weight_noise_json(rows, arguments.snr_below_db);
  write_json_result(context.common, "sensitivity-weights", std::move(json));
  return kExitDone;
}

/// Beside the result, unless named.
std::filesystem::path journal_path(const SensitivityArguments& arguments, const Recipe& recipe,
                                   const CommandContext& context) {
  if (!arguments.journal.empty()) return arguments.journal;
  if (!recipe.output.empty()) return std::filesystem::path(recipe.output) / "sensitivity.journal";
  if (context.common.json_path.empty() || context.common.json_path == "-") return {};
  return context.common.json_path + ".journal";
}

/// What stops a run leaves the finished rows in the journal: the message says so.
[[noreturn]] void rethrow_with_journal(const Error& error, const std::filesystem::path& journal) {
  if (journal.empty() || !std::filesystem::exists(journal)) throw error;
  throw Error(error.code(), format("{} (finished rows are kept in {}: the same command goes on)",
                                   error.what(), journal.string()));
}

int run_sensitivity(const SensitivityArguments& arguments, const CommandContext& context) {
  Recipe recipe = arguments.recipe.resolve();
  if (!arguments.model.empty()) recipe.model = arguments.model;
  if (context.common.seed_given) recipe.seed = context.common.seed;
  if (recipe.model.empty()) throw Error(ErrorCode::kInvalidArgument, "no model given");
  if (arguments.weights_only) return run_weights_only(arguments, recipe, context);

  pipeline::SensitivityOptions options = arguments.options;
  options.widths = parse_widths(arguments.widths);
  options.blocks = !arguments.no_blocks;
  options.max_memory_bytes = static_cast<std::int64_t>(arguments.max_memory_bytes);
  options.journal = journal_path(arguments, recipe, context);
  for (const std::string& kind : split_list(arguments.kinds)) {
    options.kinds.push_back(mixed_precision::parse_kind(kind));
  }
  if (!recipe.output.empty()) std::filesystem::create_directories(recipe.output);
  pipeline::SensitivityResult result;
  try {
    result = pipeline::measure_sensitivity(recipe, options, context.threads(), context.progress());
  } catch (const Error& error) {
    rethrow_with_journal(error, options.journal);
  }
  print_findings(result.findings, arguments.verbose);
  std::fputs(sensitivity_cost_text(result).c_str(), stderr);
  if (context.common.json_path != "-") std::fputs(sensitivity_text(result.table).c_str(), stdout);
  Json json = mixed_precision::to_json(result.table);
  json["findings"] = findings_json(result.findings);
  if (!recipe.output.empty()) {
    Json file = result_header("sensitivity");
    file.update(json);
    write_file(std::filesystem::path(recipe.output) / "sensitivity.json", to_text(file));
    (void)pipeline::update_page(recipe.output, "sensitivity", json);
  }
  write_json_result(context.common, "sensitivity", std::move(json));
  return kExitDone;
}

void add_options(CLI::App& command, SensitivityArguments& arguments) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group("Sensitivity");
  };
  add("--kinds", arguments.kinds,
      "What is quantized, comma or blank separated: weights, activation (what a layer hands on),\n"
      "both (default: weights and activation of layers, both of blocks)");
  add("--widths", arguments.widths,
      "Bits of each kind, comma or blank separated: 4, 8, 16, float (default: those of\n"
      "--weight-bits and --act-bits)");
  command.add_flag("--no-blocks", arguments.no_blocks, "Measure single layers only")
      ->group("Sensitivity");
  command
      .add_flag("--weights-only", arguments.weights_only,
                "Only the SNR of each layer's weights: needs no data, takes a second")
      ->group("Sensitivity");
  add("--snr-below", arguments.snr_below_db, "--weights-only: mark layers below this, dB")
      ->capture_default_str();
  add("--max-memory", arguments.max_memory_bytes,
      "Memory of the whole run, such as 2GB or 800MB; what does not fit is computed again")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE")
      ->default_str("2GB");
  add("--journal", arguments.journal,
      "File that keeps finished rows, so that the same command goes on after an interruption\n"
      "(default: sensitivity.journal in DIR, or the file of --json with .journal behind)")
      ->type_name("FILE");
  add("--score-output", arguments.options.score_output,
      "Output that is scored (default: the first one that fits the metric)")
      ->type_name("NAME");
  add("--time-limit", arguments.options.time_limit_s,
      "Seconds that exec:PROGRAM or so:FILE may take for each candidate")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_flag("-v,--verbose", arguments.verbose, "Print informational findings too");
}

}  // namespace

void add_sensitivity_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "sensitivity", "What quantizing each layer, and each block, alone costs");
  const auto arguments = std::make_shared<SensitivityArguments>();
  command->add_option("MODEL", arguments->model, "Float ONNX model");
  arguments->recipe.add_to(*command);
  add_options(*command, *arguments);
  add_common_options(*command, context.common);
  command->footer(
      "Each layer is quantized alone, all others being float, and the model is scored: the loss\n"
      "of the metric, SQNR, KL divergence and cosine of the outputs. Only the part of the model\n"
      "behind the layer runs for it. Scored are the samples of --eval-data, by default those of\n"
      "--data. Blocks are stretches with one value at either end, such as a residual block.\n"
      "docs/methods/sensitivity.md defines every number.\n\n"
      "Examples:\n"
      "  hexquant sensitivity net.onnx --data images/ --preprocess prep.json --labels labels.csv\n"
      "  hexquant sensitivity net.onnx --data calib.npy --widths 4,8,16 --kinds weights \\\n"
      "      --json sensitivity.json\n"
      "  hexquant sensitivity net.onnx --weights-only --snr-below 25");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_sensitivity(*arguments, context); };
  });
}

}  // namespace hexquant::cli
