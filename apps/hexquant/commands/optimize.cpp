#include "pipeline/optimize.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/preprocess_options.h"
#include "cli/recipe_options.h"
#include "cli/table.h"
#include "commands/commands.h"
#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
#include "hexquant/error.h"
#include "report/optimize_html.h"

namespace hexquant::cli {
namespace {

using pipeline::ModelCost;
using pipeline::OptimizeResult;
using pipeline::RewriteResult;

constexpr std::size_t kNamedPlaces = 3;

struct OptimizeArguments {
  pipeline::OptimizeRequest request;
  PreprocessOptions preprocess;
  std::vector<std::string> input_shapes;
  std::vector<std::string> only;
  std::vector<std::string> skip;
  std::string output;
  std::string report;
  bool dry_run = false;
  bool verbose = false;
};

std::string us_text(const std::optional<double>& value) {
  return value ? format("{:.2f}", *value) : "-";
}

std::string mb_text(const std::optional<std::int64_t>& bytes) {
  return bytes ? format("{:.3f}", static_cast<double>(*bytes) / 1e6) : "-";
}

/// The vendor's figure where there is one.
std::optional<std::int64_t> ddr_bytes(const ModelCost& cost) {
  return cost.vendor_ddr_bytes ? cost.vendor_ddr_bytes : cost.predicted_ddr_bytes;
}

/// One line a rewrite: what it gains, and the bytes before and after.
std::string rewrites_table(const OptimizeResult& result) {
  std::vector<std::vector<std::string>> rows;
  for (const RewriteResult& row : result.rewrites) {
    rows.push_back({row.name, format("{}", row.places.size()), us_text(row.predicted_gain_us),
                    us_text(row.vendor_gain_us), mb_text(row.before.traffic_bytes),
                    mb_text(row.after.traffic_bytes), mb_text(ddr_bytes(row.before)),
                    mb_text(ddr_bytes(row.after))});
  }
  rows.push_back({"on the NPU: fused", format("{}", result.fused.size()), "-", "-",
                  mb_text(result.after.traffic_bytes), mb_text(result.after.fused_traffic_bytes),
                  mb_text(ddr_bytes(result.after)), mb_text(ddr_bytes(result.after))});
  return table_text({"rewrite", "places", "predicted gain us", "vendor gain us",
                     "traffic MB before", "after", "DRAM MB before", "after"},
                    rows);
}

/// Where each rewrite applied.
std::string places_text(const OptimizeResult& result, bool all) {
  std::string text;
  for (const RewriteResult& row : result.rewrites) {
    const std::size_t shown = all ? row.places.size() : std::min(row.places.size(), kNamedPlaces);
    const std::vector<std::string> names(row.places.begin(),
                                         row.places.begin() + static_cast<std::ptrdiff_t>(shown));
    text += format("{}: {}", row.name, join(names, ", "));
    if (shown < row.places.size()) text += format(" and {} more", row.places.size() - shown);
    text += "\n";
  }
  return text;
}

std::string change_text(double before, double after, const char* unit, int decimals) {
  std::string text = format("{:.{}f} -> {:.{}f} {}", before, decimals, after, decimals, unit);
  if (before > 0.0) text += format(" ({:+.1f} %)", 100.0 * (after - before) / before);
  return text;
}

std::string summary_text(const OptimizeResult& result) {
  std::string text;
  const ModelCost& before = result.before;
  const ModelCost& after = result.after;
  if (before.predicted_us && after.predicted_us) {
    text +=
        "predicted     " + change_text(*before.predicted_us, *after.predicted_us, "us", 1) + "\n";
  }
  if (before.vendor_us && after.vendor_us) {
    text += "vendor        " + change_text(*before.vendor_us, *after.vendor_us, "us", 1) + "\n";
    if (result.prepared.vendor_us && !result.is_quantized) {
      text += "              " +
              change_text(*result.prepared.vendor_us, *after.vendor_us, "us", 1) +
              " against what quantize prepares by itself\n";
    }
  }
  text += "traffic       " +
          change_text(static_cast<double>(before.traffic_bytes) / 1e6,
                      static_cast<double>(result.after.fused_traffic_bytes) / 1e6, "MB", 2) +
          ", operation by operation, the NPU's fusions included\n";
  if (ddr_bytes(before) && ddr_bytes(after)) {
    text += "DRAM          " +
            change_text(static_cast<double>(*ddr_bytes(before)) / 1e6,
                        static_cast<double>(*ddr_bytes(after)) / 1e6, "MB", 2) +
            "\n";
  }
  return text;
}

std::string check_text(const OptimizeResult& result) {
  const pipeline::OptimizeCheck& check = result.check;
  std::string text = format("check         {} {}: largest difference {:.3g}, SQNR {} dB",
                            check.samples, check.on_data ? "samples" : "random inputs",
                            check.max_abs, number_text(check.sqnr_db, 1));
  if (!std::isnan(check.agreement)) text += ", same class " + percent_text(check.agreement);
  if (!check.min_sqnr_db) return text + " (the function was changed, as asked)\n";
  text += format(" (demanded: {:.0f} dB", *check.min_sqnr_db);
  if (check.min_agreement) text += ", " + percent_text(*check.min_agreement);
  return text + (check.passed() ? "): passed\n" : "): FAILED\n");
}

std::string result_text(const OptimizeArguments& arguments, const OptimizeResult& result,
                        const std::vector<std::filesystem::path>& files) {
  std::string text =
      format("{} ({})\n\n", arguments.request.model, result.is_quantized ? "quantized" : "float");
  text += rewrites_table(result) + "\n" + places_text(result, arguments.verbose) + "\n" +
          summary_text(result) + check_text(result);
  for (const auto& file : files) text += "written       " + file.string() + "\n";
  return text;
}

/// -o OUT, with the extension of a model.
std::filesystem::path output_path(const OptimizeArguments& arguments) {
  std::filesystem::path path = arguments.output;
  if (path.extension() != ".onnx") path += ".onnx";
  std::error_code ignored;
  if (std::filesystem::equivalent(path, arguments.request.model, ignored)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("-o '{}': that is MODEL itself", path.string()));
  }
  return path;
}

int run_optimize(OptimizeArguments arguments, const CommandContext& context) {
  pipeline::OptimizeRequest& request = arguments.request;
  if (arguments.output.empty() && !arguments.dry_run) {
    throw Error(ErrorCode::kInvalidArgument, "no output given: -o OUT, or --dry-run");
  }
  request.only = split_list(arguments.only);
  request.skip = split_list(arguments.skip);
  request.seed = context.common.seed;
  request.data.preprocess = arguments.preprocess.resolve();
  for (const std::string& text : arguments.input_shapes) {
    request.input_shapes.insert(parse_input_shape(text));
  }
  const std::filesystem::path output = arguments.dry_run ? "" : output_path(arguments);
  const OptimizeResult result = pipeline::optimize(request, context.threads(), context.progress());
  std::vector<std::filesystem::path> files;
  if (!arguments.dry_run && result.check.passed()) {
    files = pipeline::write_optimized(result, output);
  }
  print_findings(result.findings, arguments.verbose);
  if (context.common.json_path != "-") {
    std::fputs(result_text(arguments, result, files).c_str(), stdout);
  }
  Json json = {{"model", request.model}, {"soc", request.soc}, {"dry_run", arguments.dry_run}};
  json["files"] = Json::array();
  for (const auto& file : files) json["files"].push_back(file.string());
  json.update(pipeline::to_json(result));
  if (!arguments.report.empty()) {
    Json page = result_header("optimize");
    page.update(json);
    write_file(arguments.report, report::optimize_html(page));
  }
  write_json_result(context.common, "optimize", std::move(json));
  return result.check.passed() ? kExitDone : kExitCheckFailed;
}

void add_request_options(CLI::App& command, pipeline::OptimizeRequest& request) {
  const auto flag = [&](const char* name, bool& value, const char* help) {
    command.add_flag(name, value, help)->group("On request");
  };
  flag("--nhwc-input", request.nhwc_input, "Image inputs become [N,H,W,C], the HTP's own layout");
  flag("--nhwc-output", request.nhwc_output, "So do outputs that come from a convolution");
  flag("--uint8-input", request.uint8_input,
       "Image inputs take levels 0..255 as uint8; the mean and std of the preprocessing\n"
       "go into the first layer");
  flag("--exact-border", request.exact_border,
       "With --uint8-input: keep the subtraction of different means as an operation, where\n"
       "padding could only stand for one of them");
  flag("--quantized-io", request.quantized_io,
       "MODEL with Q/DQ: inputs and outputs hold codes, without conversion at the border");
  flag("--prelu-to-relu", request.prelu_to_relu,
       "PRelu and LeakyRelu become Relu: ANOTHER FUNCTION, to be trained again");
  flag("--space-to-depth", request.space_to_depth,
       "Strided first convolutions read blocks of pixels, where that is faster");
  flag("--pad-channels", request.pad_channels,
       "Channels between layers are rounded up to 32, where that is faster");
}

void add_options(CLI::App& command, OptimizeArguments& arguments) {
  pipeline::OptimizeRequest& request = arguments.request;
  command.add_option("MODEL", request.model, "ONNX model, float or with Q/DQ pairs")->required();
  command.add_option("-o,--output", arguments.output,
                     "OUT.onnx; OUT.preprocess.json beside it when the preprocessing changed");
  add_request_options(command, request);
  command.add_option("--only", arguments.only, "Only these rewrites: names, comma separated");
  command.add_option("--skip", arguments.skip, "None of these");
  command
      .add_option("--data", request.data.sources,
                  "What the result is checked on, as for quantize; without it on random\n"
                  "numbers")
      ->group("Check");
  command.add_option("--samples", request.data.samples, "Samples used at most; 0 = all")
      ->group("Check")
      ->capture_default_str();
  arguments.preprocess.add_to(command, "Check");
  command.add_option("--input-shape", arguments.input_shapes,
                     "Fix an input's shape: NAME=1,3,224,224 (repeat for others)");
  command.add_option("--soc", request.soc, "Chip that gains are given for")->capture_default_str();
  command.add_flag("--estimate", request.estimate,
                   "Gains by the vendor's simulation too (SA8255, QCS9100, SA8797 ...): seconds "
                   "for\neach rewrite");
  command
      .add_option("--report", arguments.report,
                  "Write a page: before and after, rewrites with places and gains, the check")
      ->type_name("FILE.html");
  command.add_flag("--dry-run", arguments.dry_run, "Write no model");
  command.add_flag("-v,--verbose", arguments.verbose, "All places, and informational findings too");
}

}  // namespace

void add_optimize_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "optimize", "Rewrite a model for the HTP without changing what it computes");
  const auto arguments = std::make_shared<OptimizeArguments>();
  add_options(*command, *arguments);
  add_common_options(*command, context.common);
  command->footer(
      "By default every rewrite that keeps the function: constants, Identity, Pad, "
      "BatchNormalization\n"
      "and bias folded, GELU, LayerNorm, RMSNorm and HardSwish recognised, Div -> Mul, attention\n"
      "factors folded, reductions merged, Transposes cancelled, operations of the CPU written in\n"
      "those of the HTP. In a quantized model: biases that stayed float become int32, Identity "
      "and\n"
      "Transposes go. The result is run beside MODEL, and exit status 1 says that it differs by "
      "more\n"
      "than rounding; nothing is written then. Gains are for 8-bit weights and activations; for "
      "the\n"
      "vendor's simulation every form of a float model is quantized as it stands.\n\n"
      "Examples:\n"
      "  hexquant optimize net.onnx -o fast.onnx\n"
      "  hexquant optimize net.onnx -o fast.onnx --nhwc-input --uint8-input \\\n"
      "      --preprocess pp.json --data images/ --soc QCS9100 --estimate\n"
      "  hexquant quantize fast.onnx --data images/ --preprocess fast.preprocess.json -o out\n"
      "  hexquant optimize out/model.onnx -o codes.onnx --quantized-io");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_optimize(*arguments, context); };
  });
}

}  // namespace hexquant::cli
