#include "pipeline/net_run.h"

#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/recipe_options.h"
#include "commands/commands.h"
#include "commands/net_run_text.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::cli {
namespace {

constexpr double kLongSeconds = 10.0;
constexpr std::int64_t kUnlimitedRuns = 1'000'000'000;

// As qnn-net-run names them, and the article's short forms.
const std::vector<std::string> kPerfProfiles = {"low_balanced",
                                                "balanced",
                                                "default",
                                                "high_performance",
                                                "high",
                                                "sustained_high_performance",
                                                "sustained_high",
                                                "burst",
                                                "low_power_saver",
                                                "power_saver",
                                                "high_power_saver",
                                                "extreme_power_saver",
                                                "system_settings"};
const std::map<std::string, pipeline::Profiling> kProfilingLevels = {
    {"off", pipeline::Profiling::kOff},       {"basic", pipeline::Profiling::kCalls},
    {"client", pipeline::Profiling::kCalls},  {"detailed", pipeline::Profiling::kNodes},
    {"backend", pipeline::Profiling::kNodes}, {"linting", pipeline::Profiling::kNodes}};
const std::vector<std::string> kLogLevels = {"error", "warn", "info", "debug", "verbose"};
const std::map<std::string, pipeline::OutputFiles> kOutputTypes = {
    {"float_only", pipeline::OutputFiles::kFloatOnly},
    {"native_only", pipeline::OutputFiles::kNativeOnly},
    {"float_and_native", pipeline::OutputFiles::kFloatAndNative}};

/// Further options of qnn-net-run: what they ask of a device changes nothing here, or cannot be.
struct DeviceOption {
  const char* name;
  bool has_value;
  bool refused;
  const char* reason;
};
constexpr std::array<DeviceOption, 12> kDeviceOptions = {{
    {"--config_file", true, false,
     "settings of a device; 'hexquant compile --htp-config' reads it"},
    {"--platform_options", true, false, "settings of a device"},
    {"--model_prefix", true, false, "names functions of a QNN model library"},
    {"--synchronous", false, false, "inferences always run one after the other"},
    {"--timeout", true, false, "no inference is cut off"},
    {"--max_input_cache_tensor_sets", true, false, "one set of inputs is in memory at a time"},
    {"--max_input_cache_size_mb", true, false, "one set of inputs is in memory at a time"},
    {"--profiling_option", true, false, "a trace needs a device, or 'hexquant compile --estimate'"},
    {"--op_packages", true, true, "packages of operations run on a device only"},
    {"--save_context", true, true, "'hexquant compile MODEL -o FILE.bin' writes a context binary"},
    {"--set_output_tensors", true, true, "--debug writes every activation"},
    {"--native_input_tensor_names", true, true,
     "--use_native_input_files holds for all inputs at once"},
}};

struct NetRunArguments {
  pipeline::NetRunRequest request;
  std::string positional;
  std::string output_dir = "output";
  std::string output_type = "float_only";
  std::string perf_profile = "default";
  std::string profiling_level = "off";
  std::string log_level = "warn";
  std::vector<std::string> input_shapes;
  std::map<std::string, std::string> device_options;  ///< those of kDeviceOptions, as given
  bool native_output = false;
  bool no_output = false;
  std::int64_t inferences = 0;
  std::int64_t warmup = 1;
};

void print_mappings(const pipeline::NetRunResult& result) {
  for (const pipeline::Mapping& mapping : result.mappings) {
    const std::string text =
        format("{} '{}' -> {}: {}\n", mapping.option, mapping.given, mapping.used, mapping.reason);
    std::fputs(text.c_str(), stderr);
  }
}

/// Options that only a device can follow, said once.
void print_device_options(const NetRunArguments& arguments) {
  if (arguments.perf_profile == "default") return;
  const std::string text = format(
      "--perf_profile {}: sets clocks on a device; there are none here\n", arguments.perf_profile);
  std::fputs(text.c_str(), stderr);
}

/// Options without a meaning here are named as what they are mapped to: nothing.
/// @throws Error(kUnsupported) for one whose result would be missing
std::vector<pipeline::Mapping> mapped_device_options(const NetRunArguments& arguments) {
  std::vector<pipeline::Mapping> mappings;
  for (const DeviceOption& option : kDeviceOptions) {
    const auto given = arguments.device_options.find(option.name);
    if (given == arguments.device_options.end()) continue;
    if (option.refused) {
      throw Error(ErrorCode::kUnsupported, format("{} '{}': not possible here: {}", option.name,
                                                  given->second, option.reason));
    }
    mappings.push_back({option.name, given->second, "nothing", option.reason});
  }
  return mappings;
}

pipeline::NetRunRequest resolve(const NetRunArguments& arguments, const CommandContext& context) {
  pipeline::NetRunRequest request = arguments.request;
  if (!arguments.positional.empty() && !request.sources.model.empty()) {
    throw Error(ErrorCode::kInvalidArgument, format("MODEL '{}' and --model '{}': give one of them",
                                                    arguments.positional, request.sources.model));
  }
  if (!arguments.positional.empty()) request.sources.model = arguments.positional;
  request.output_files = arguments.native_output ? pipeline::OutputFiles::kNativeOnly
                                                 : kOutputTypes.at(arguments.output_type);
  if (!arguments.no_output) request.output_dir = arguments.output_dir;
  for (const std::string& text : arguments.input_shapes) {
    request.input_shapes.insert(parse_input_shape(text));
  }
  const bool until_time = request.repeat.duration_s > 0.0;
  request.repeat.runs =
      arguments.inferences > 0 ? arguments.inferences : (until_time ? kUnlimitedRuns : 0);
  request.repeat.warmup = arguments.warmup;
  request.repeat.announce = [](double seconds) {
    if (seconds < kLongSeconds) return;
    const std::string text = format("this will take about {}\n", long_duration_text(seconds));
    std::fputs(text.c_str(), stderr);
  };
  request.profile = kProfilingLevels.at(arguments.profiling_level);
  request.threads = context.threads();
  request.seed = context.common.seed;
  return request;
}

int run_net_run(const NetRunArguments& arguments, const CommandContext& context) {
  pipeline::NetRunRequest request = resolve(arguments, context);
  const std::vector<pipeline::Mapping> device_options = mapped_device_options(arguments);
  pipeline::NetRunResult result = pipeline::net_run(request, context.progress());
  result.mappings.insert(result.mappings.end(), device_options.begin(), device_options.end());
  print_mappings(result);
  print_device_options(arguments);
  print_findings(result.findings, arguments.log_level != "error" && arguments.log_level != "warn");
  if (context.common.json_path != "-") {
    std::fputs(net_run_text(result, request).c_str(), stdout);
  }
  Json json = pipeline::to_json(result);
  json["perf_profile"] = arguments.perf_profile;
  json["profiling_level"] = arguments.profiling_level;
  write_json_result(context.common, "net-run", std::move(json));
  return result.runs.differing == 0 ? kExitDone : kExitCheckFailed;
}

void add_model_options(CLI::App& command, NetRunArguments& arguments) {
  pipeline::NetRunSources& sources = arguments.request.sources;
  command.add_option("MODEL", arguments.positional,
                     "ONNX model (float, Q/DQ or EPContext), OUT folder, or context binary;\n"
                     "./model.onnx when none is named");
  command.add_option("--model", sources.model,
                     "The same; of a QNN model library (.so) the ONNX model beside it");
  command.add_option("--retrieve_context", sources.retrieve_context,
                     "Context binary, with its EPContext model beside it");
  command.add_option("--dlc_path", sources.dlc, "Refused with a reason: runs on a device only");
  command.add_option("--backend", sources.backend,
                     "libQnnHtp.so: the HTP simulator where it is installed, else the CPU;\n"
                     "libQnnCpu.so: the CPU");
  command.add_option("--device", sources.device, "cpu or htp, whatever --backend says")
      ->check(CLI::IsMember({"cpu", "htp"}));
  command.add_option("--soc", sources.soc, "Chip that the simulator stands for")
      ->capture_default_str();
}

void add_data_options(CLI::App& command, NetRunArguments& arguments) {
  pipeline::NetRunRequest& request = arguments.request;
  const auto option = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group("Inputs and outputs");
  };
  const auto flag = [&](const char* name, bool& value, const char* help) {
    command.add_flag(name, value, help)->group("Inputs and outputs");
  };
  option("--input_list", request.input_list,
         "QNN input list, one inference a line; without it seeded random numbers");
  flag("--use_native_input_files", request.native_input_files,
       "Input files hold the model's own types, not float32");
  option("--input-shape", arguments.input_shapes,
         "Fix an input's shape: NAME=1,3,224,224 (repeat for others)");
  option("--output_dir", arguments.output_dir, "Folder for Result_i/TENSOR.raw")
      ->capture_default_str();
  flag("--no_output", arguments.no_output, "Write no outputs");
  option("--output_data_type", arguments.output_type, "Types of the output files")
      ->check(CLI::IsMember({"float_only", "native_only", "float_and_native"}))
      ->capture_default_str();
  flag("--use_native_output_files", arguments.native_output, "The same as native_only");
  option("--keep_num_outputs", request.keep_outputs,
         "Inputs of which outputs are written; -1 = all")
      ->capture_default_str();
  option("--batch_multiplier", request.batch_multiplier,
         "So many lines become one inference; needs a free batch")
      ->capture_default_str();
  flag("--debug", request.all_layers, "Write every activation, not only the outputs");
  flag("--shared_buffer", request.shared_buffer,
       "Inputs and outputs in shared memory (dma-heap, ion, udmabuf, memfd), never copied;\n"
       "says what that gains");
}

void add_run_options(CLI::App& command, NetRunArguments& arguments) {
  const auto option = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group("Runs");
  };
  option("--num_inferences", arguments.inferences,
         "Inferences, input after input in turn; by default each input once, or as many as\n"
         "--duration leaves time for");
  option("--duration", arguments.request.repeat.duration_s, "Seconds at most; 0 = no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  option("--warmup", arguments.warmup, "Inferences before, apart from the figures")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  option("--perf_profile", arguments.perf_profile, "Clocks of a device; only recorded here")
      ->check(CLI::IsMember(kPerfProfiles));
  option("--profiling_level", arguments.profiling_level,
         "detailed, backend, linting: time every node of a few further inferences;\n"
         "basic, client: on the HTP the parts of each inference. OUTPUT_DIR/profile.json,\n"
         "on the HTP profile.csv, for 'hexquant profile'")
      ->check(CLI::IsMember(kProfilingLevels));
  option("--log_level", arguments.log_level, "info and up: informational findings too")
      ->check(CLI::IsMember(kLogLevels));
}

/// Taken so that old command lines run; each says what it is worth when it is given.
void add_device_options(CLI::App& command, NetRunArguments& arguments) {
  for (const DeviceOption& option : kDeviceOptions) {
    const auto keep = [&arguments, &option](const std::string& value) {
      arguments.device_options[option.name] = value;
    };
    const std::string help =
        format("{}: {}", option.refused ? "Refused" : "No effect", option.reason);
    CLI::Option* added = option.has_value
                             ? command.add_option_function<std::string>(option.name, keep, help)
                             : command.add_flag_callback(
                                   option.name, [keep] { keep(""); }, help);
    added->group("Of qnn-net-run, for a device");
  }
}

}  // namespace

void add_net_run_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "net-run", "Run a model again and again: latency, drift, same outputs, raw files");
  const auto arguments = std::make_shared<NetRunArguments>();
  add_model_options(*command, *arguments);
  add_data_options(*command, *arguments);
  add_run_options(*command, *arguments);
  add_device_options(*command, *arguments);
  add_common_options(*command, context.common);
  command->footer(
      "Takes the command lines of qnn-net-run. What a path means on this machine is printed on "
      "stderr.\n"
      "Every inference is compared with the first one on the same inputs, byte for byte; exit "
      "status 1\n"
      "says that one differed. On the HTP the outputs are those of the chip, the times those of "
      "the\n"
      "simulator: 'hexquant analyze' and 'compile --estimate' tell the chip's.\n\n"
      "Examples:\n"
      "  hexquant net-run out/model.onnx --input_list list.txt --num_inferences 100\n"
      "  hexquant net-run out --duration 60 --shared_buffer\n"
      "  hexquant net-run --model libs/libmodel_qnn.so --backend libQnnHtp.so \\\n"
      "      --input_list input_list.txt --perf_profile burst --profiling_level detailed");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_net_run(*arguments, context); };
  });
}

}  // namespace hexquant::cli
