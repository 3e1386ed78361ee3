#include "pipeline/compile_model.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cli/htp_config_options.h"
#include "cli/recipe_options.h"
#include "cli/table.h"
#include "commands/commands.h"
#include "commands/compile_text.h"
#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
#include "hexquant/error.h"
#include "pipeline/compile_json.h"
#include "report/estimate_html.h"

namespace hexquant::cli {
namespace {

namespace fs = std::filesystem;

struct CompileArguments {
  std::vector<std::string> models;
  pipeline::CompileRequest request;
  std::vector<std::string> input_shapes;
  HtpConfigOptions config;
  std::string format = "bin";
  std::string output;
  std::string report;
  double memory_limit_mb = 8192.0;
  bool dry_run = false;
  bool verbose = false;
};

/// File of one model's result: -o itself, or a name of the model's own in the folder -o.
fs::path output_of(const CompileArguments& arguments, const std::string& model) {
  if (arguments.output.empty()) return {};
  const bool is_folder = arguments.models.size() > 1 || fs::is_directory(arguments.output);
  if (!is_folder) return arguments.output;
  return fs::path(arguments.output) /
         fs::path(model).filename().replace_extension("." + arguments.format);
}

/// What can be seen from the arguments alone.
void check_arguments(const CompileArguments& arguments) {
  std::set<fs::path> outputs;
  for (const std::string& model : arguments.models) {
    fs::path output = output_of(arguments, model);
    if (output.empty()) continue;
    if (output.extension() == ".onnx") {
      throw Error(
          ErrorCode::kInvalidArgument,
          format("-o '{}': that name is the EPContext model's: give FILE.bin", output.string()));
    }
    if (!outputs.insert(output).second) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("{}: another MODEL has the same file name: compile them one by one",
                         output.string()));
    }
  }
  if (arguments.models.size() > 1 && !arguments.report.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "--report shows one MODEL");
  }
}

pipeline::CompileRequest request_of(const CompileArguments& arguments, const std::string& model) {
  pipeline::CompileRequest request = arguments.request;
  request.model = model;
  request.dlc = arguments.format == "dlc";
  request.estimate |= !arguments.report.empty();
  request.htp.limits.memory_bytes =
      static_cast<std::int64_t>(arguments.memory_limit_mb * 1024.0 * 1024.0);
  for (const std::string& text : arguments.input_shapes) {
    request.input_shapes.insert(parse_input_shape(text));
  }
  request.output = output_of(arguments, model);
  return request;
}

void print_text(const CommandContext& context, const std::string& text) {
  if (context.common.json_path != "-") std::fputs(text.c_str(), stdout);
}

int run_dry(const CompileArguments& arguments, const CommandContext& context) {
  Json models = Json::array();
  for (const std::string& model : arguments.models) {
    const auto prediction = pipeline::predict_compilation(request_of(arguments, model));
    print_findings(prediction.placement.findings, arguments.verbose);
    print_text(context, prediction_text(model, prediction));
    models.push_back(pipeline::to_json(model, prediction));
  }
  write_json_result(context.common, "compile", {{"dry_run", true}, {"models", models}});
  return kExitDone;
}

void write_report(const CompileArguments& arguments, const pipeline::CompileResult& result) {
  if (arguments.report.empty() || !result.estimate) return;
  Json page = result_header("compile");
  page["model"] = arguments.models.front();
  page.update(pipeline::to_json(*result.estimate));
  page["timeline"] = pipeline::timeline_json(*result.estimate);
  write_file(arguments.report, report::estimate_html(page));
}

/// Whatever is wrong with one model is said, and the next one follows. @return an ExitStatus
int compile_one(const CompileArguments& arguments, const std::string& model,
                const CommandContext& context, Json& models) {
  try {
    const pipeline::CompileRequest request = request_of(arguments, model);
    const pipeline::CompileResult result = pipeline::compile_model(request, context.progress());
    print_findings(result.findings, arguments.verbose);
    print_text(context, result_text(model, result));
    models.push_back(pipeline::to_json(model, result));
    write_report(arguments, result);
    if (!result.failure && !request.output.empty()) arguments.config.write(request.output, model);
    return result.failure ? kExitCheckFailed : kExitDone;
  } catch (const Error& error) {
    const bool ends_all = error.code() == ErrorCode::kCancelled ||
                          error.code() == ErrorCode::kMissingComponent ||
                          arguments.models.size() == 1;
    if (ends_all) throw;
    models.push_back({{"model", model}, {"error", error.what()}});
    return report_exception();
  }
}

int run_compile(CompileArguments arguments, const CommandContext& context) {
  print_findings(arguments.config.apply(arguments.request), arguments.verbose);
  check_arguments(arguments);
  if (arguments.dry_run) return run_dry(arguments, context);
  if (arguments.models.size() > 1 && !arguments.output.empty()) {
    fs::create_directories(arguments.output);
  }
  Json models = Json::array();
  int status = kExitDone;
  for (const std::string& model : arguments.models) {
    status = std::max(status, compile_one(arguments, model, context, models));
  }
  write_json_result(context.common, "compile", {{"dry_run", false}, {"models", models}});
  return status;
}

void add_options(CLI::App& command, CompileArguments& arguments) {
  command.add_option("MODEL", arguments.models, "ONNX models, quantized (Q/DQ pairs) or float")
      ->required();
  command.add_option(
      "-o,--output", arguments.output,
      "FILE.bin: context binary, with FILE.onnx (EPContext) beside it; a folder for\n"
      "several MODELs. Without it nothing is written");
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->capture_default_str();
  };
  add("--format", arguments.format, "bin, or dlc: the vendor's container, not compiled yet")
      ->check(CLI::IsMember({"bin", "dlc"}));
  add("--soc", arguments.request.htp.soc, "Chip: part number or name");
  add("--vtcm-mb", arguments.request.htp.vtcm_mb, "VTCM to plan with; 0 = all that the chip has")
      ->check(CLI::NonNegativeNumber);
  add("--optimization", arguments.request.htp.optimization,
      "How long the vendor's compiler looks for a better program")
      ->check(CLI::Range(1, 3));
  command.add_option("--input-shape", arguments.input_shapes,
                     "NAME=1,3,224,224: fixes free dimensions; a free batch is 1 by itself");
  command.add_flag("--io-on-device", arguments.request.io_on_device,
                   "Quantize inputs and dequantize outputs on the NPU instead of the CPU");
  command.add_flag("--estimate", arguments.request.estimate,
                   "The vendor's estimate of cycles, time and DDR traffic (chips that have it)");
  command
      .add_option("--report", arguments.report,
                  "Write the estimate as a page with a time-line (implies --estimate)")
      ->type_name("FILE.html");
  arguments.config.add_to(command);
  add("--time-limit", arguments.request.htp.limits.seconds,
      "Seconds after which the vendor's compiler is ended")
      ->check(CLI::PositiveNumber);
  add("--memory-limit-mb", arguments.memory_limit_mb, "Memory above which it is ended")
      ->check(CLI::PositiveNumber);
  command.add_flag("--dry-run", arguments.dry_run,
                   "Only this program's own prediction of where each node runs; needs no\n"
                   "simulator and writes nothing");
  command.add_flag("-v,--verbose", arguments.verbose, "Print informational findings too");
}

}  // namespace

void add_compile_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "compile", "Compile for a chip's HTP: context binary, where each node runs, estimate");
  const auto arguments = std::make_shared<CompileArguments>();
  add_options(*command, *arguments);
  add_common_options(*command, context.common);
  command->footer(
      "Needs the vendor's simulator: 'hexquant setup htp'. It runs in a process of its own: a "
      "model\n"
      "that crashes it or takes too long is reported, and the next MODEL follows. Exit status 1:\n"
      "some model was not compiled.\n\n"
      "Examples:\n"
      "  hexquant compile out/model.onnx --soc SM8650 -o net.bin\n"
      "  hexquant compile out/model.onnx --soc SA8255 --estimate --report estimate.html\n"
      "  hexquant compile out/model.onnx --soc SM8350 --dry-run");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_compile(*arguments, context); };
  });
}

}  // namespace hexquant::cli
