#include "hexquant/quantize.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "cli/recipe_options.h"
#include "cli/table.h"
#include "commands/commands.h"
#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
#include "pipeline/dry_run.h"
#include "pipeline/golden.h"

namespace hexquant::cli {
namespace {

struct QuantizeArguments {
  std::string model;
  RecipeOptions recipe;
  std::int64_t golden = 0;
  bool dry_run = false;
  bool verbose = false;
};

std::string value_text(const std::string& metric, double value) {
  if (metric == "top1" || metric == "top5") return percent_text(value);
  return number_text(value, 4);
}

/// "-1.45 % to 0.25 %" for the metric that has an interval.
std::string interval_text(const QuantizeResult& result, const std::string& metric) {
  if (!result.interval || metric != result.metric) return "";
  return format("{} to {}", value_text(metric, result.interval->first),
                value_text(metric, result.interval->second));
}

/// One row for each metric that both models have.
std::string result_table(const QuantizeResult& result) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [metric, before] : result.fp32) {
    const auto after = result.quantized.find(metric);
    if (after == result.quantized.end() || metric == "value") continue;
    // A model against itself has no noise: its infinite SQNR has no difference from another.
    const double change =
        std::isinf(before) ? std::numeric_limits<double>::quiet_NaN() : after->second - before;
    rows.push_back({metric, value_text(metric, before), value_text(metric, after->second),
                    value_text(metric, change), interval_text(result, metric)});
  }
  if (rows.empty()) return "";
  std::vector<std::string> header = {"metric", "float", "quantized", "change"};
  if (result.interval) {
    header.emplace_back("95 % interval");
  } else {
    for (auto& row : rows) row.pop_back();
  }
  return table_text(header, rows) + "\n";
}

/// What the weight methods gained.
std::string methods_table(const QuantizeResult& result) {
  if (result.methods.empty()) return "";
  std::vector<std::vector<std::string>> rows;
  for (const MethodGain& row : result.methods) {
    const std::string sign = row.median_gain_db >= 0.0 ? "+" : "";
    const std::string gain = number_text(row.median_gain_db, 2);
    rows.push_back({row.method, format("{} of {} {}", row.changed, row.total, row.unit),
                    std::isnan(row.median_gain_db) ? gain : sign + gain + " dB"});
  }
  return table_text({"weight method", "changed", "median gain"}, rows) + "\n";
}

void print_result(const QuantizeResult& result) {
  std::string text = "\n" + result_table(result) + methods_table(result);
  text += format("output SQNR       {} dB\n", number_text(result.sqnr_db, 2));
  text += format("output cosine     {}\n", number_text(result.cosine, 6));
  if (!std::isnan(result.agreement)) {
    text += format("agreement         {}\n", percent_text(result.agreement));
  }
  text += format("samples           {} calibrated, {} compared\n", result.calibration_samples,
                 result.evaluated_samples);
  text += format("time              {:.2f} s\n", result.seconds.at("total"));
  text += format("results           {}\n", result.output.string());
  text += format("report            {}\n", (result.output / "report.html").string());
  std::fputs(text.c_str(), stdout);
}

int run_quantize(const QuantizeArguments& arguments, const CommandContext& context) {
  Recipe recipe = arguments.recipe.resolve();
  if (!arguments.model.empty()) recipe.model = arguments.model;
  if (context.common.seed_given) recipe.seed = context.common.seed;
  if (arguments.dry_run) {
    std::fputs(pipeline::dry_run_text(recipe).c_str(), stdout);
    return kExitDone;
  }
  const QuantizeResult result = quantize(recipe, context.threads(), context.progress());
  print_findings(result.findings, arguments.verbose);
  const bool json_on_stdout = context.common.json_path == "-";
  if (!json_on_stdout) print_result(result);
  if (arguments.golden > 0) {
    const pipeline::GoldenResult golden =
        pipeline::write_golden(result.output, recipe, arguments.golden, context.progress());
    const std::string text = format("golden            {}: {} samples for a device\n",
                                    golden.folder.string(), golden.samples);
    if (!json_on_stdout) std::fputs(text.c_str(), stdout);
  }
  if (!context.common.json_path.empty()) {
    const std::string report = read_file(result.output / "report.json");
    if (json_on_stdout) {
      std::fwrite(report.data(), 1, report.size(), stdout);
    } else {
      write_file(context.common.json_path, report);
    }
  }
  return kExitDone;
}

}  // namespace

void add_quantize_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "quantize", "Post-training quantization of a float ONNX model; the main job");
  const auto arguments = std::make_shared<QuantizeArguments>();
  command->add_option("MODEL", arguments->model, "Float ONNX model");
  arguments->recipe.add_to(*command);
  command
      ->add_option("--golden", arguments->golden,
                   "Also write OUT/golden: inputs of so many samples, expected outputs, an input\n"
                   "list and run_on_device.sh, to be scored with 'evaluate --outputs'")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command->add_flag("--dry-run", arguments->dry_run,
                    "Show the plan, sizes and problems; run and write nothing");
  command->add_flag("-v,--verbose", arguments->verbose, "Print informational findings too");
  add_common_options(*command, context.common);
  command->footer(
      "Writes into DIR: model.onnx (Q/DQ: runs in ONNX Runtime, compiles for the HTP),\n"
      "model_float.onnx + model.encodings + overrides.json (for Qualcomm's converters),\n"
      "recipe.json (run it again with --recipe), report.json and report.html.\n\n"
      "Examples:\n"
      "  hexquant quantize net.onnx --data images/ --preprocess prep.json -o out\n"
      "  hexquant quantize net.onnx --data calib.npy --evaluate --eval-data test.npy \\\n"
      "      --labels labels.npy --act-bits 16 -o out");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_quantize(*arguments, context); };
  });
}

}  // namespace hexquant::cli
