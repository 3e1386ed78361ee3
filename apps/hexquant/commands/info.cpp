#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/recipe_options.h"
#include "cli/table.h"
#include "commands/commands.h"
#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
#include "formats/onnx/onnx_io.h"
#include "formats/quantsim_config/quantsim_config.h"
#include "hexquant/error.h"
#include "pipeline/model_info.h"
#include "target/target.h"

namespace hexquant::cli {
namespace {

constexpr std::size_t kLineLength = 98;

struct InfoArguments {
  std::string model;
  bool prepared = false;
  bool verbose = false;
  std::string soc = "SM8650";
  std::vector<std::string> input_shapes;
  std::string quantsim_config;
};

std::string dims_text(const pipeline::PortInfo& port) {
  if (!port.dims) return "unknown rank";
  std::vector<std::string> parts;
  for (const graph::Dim& dim : *port.dims) {
    const std::string symbol = dim.symbol.empty() ? "?" : dim.symbol;
    parts.push_back(dim.is_fixed() ? std::to_string(dim.value) : symbol);
  }
  return format("[{}]", join(parts, ", "));
}

std::string ports_text(const char* title, const std::vector<pipeline::PortInfo>& ports) {
  std::string text;
  for (const pipeline::PortInfo& port : ports) {
    text += format("{:<12} {}  {} {}\n", title, port.name, port.type, dims_text(port));
    title = "";
  }
  return text;
}

/// Most frequent first.
std::string ops_text(const char* title, std::int64_t nodes, const pipeline::OpCounts& ops) {
  std::vector<std::pair<std::string, std::int64_t>> sorted(ops.begin(), ops.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> parts;
  for (const auto& [name, count] : sorted) parts.push_back(format("{} {}", name, count));
  std::string text;
  std::string line = format("{:<12} {} nodes:", title, nodes);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (line.size() + parts[i].size() > kLineLength) {
      text += line + "\n";
      line = std::string(12, ' ');
    }
    line += " " + parts[i] + (i + 1 < parts.size() ? "," : "");
  }
  return text + line + "\n";
}

std::string bits_text(const std::map<int, std::int64_t>& counts) {
  std::vector<std::string> parts;
  for (const auto& [bits, count] : counts) parts.push_back(format("{} of {} bits", count, bits));
  return parts.empty() ? "none" : format("{}", join(parts, ", "));
}

std::string quantization_text(const pipeline::QuantizationState& state) {
  if (state.form() == "none") return "quantized    no\n";
  if (state.form() == "qoperator") {
    return format("quantized    yes, {} integer operators (QOperator form)\n", state.integer_nodes);
  }
  std::vector<std::string> scales;
  for (const auto& [name, count] : state.weight_granularity) {
    scales.push_back(format("{} per {}", count, name));
  }
  return format("quantized    yes, Q/DQ pairs; weights: {}{}; activations: {}\n",
                bits_text(state.weight_bits),
                scales.empty() ? "" : format(" ({})", join(scales, ", ")),
                bits_text(state.activation_bits));
}

std::string prepared_text(const pipeline::PreparedInfo& prepared, const std::string& soc) {
  std::string text = "\n" + ops_text("prepared", prepared.nodes, prepared.ops);
  const char* title = "passes";
  for (const auto& [pass, places] : prepared.passes) {
    text += format("{:<12} {:<28} {:>5}\n", title, pass, places);
    title = "";
  }
  text += format("{:<12} {} layers run in integers at W8A8, {} stay float\n", soc,
                 prepared.integer_layers, prepared.float_layers);
  return text;
}

std::string info_text(const InfoArguments& arguments, const pipeline::ModelInfo& info) {
  std::vector<std::string> opsets;
  for (const auto& [domain, version] : info.opsets) {
    opsets.push_back(format("{} {}", domain, version));
  }
  std::int64_t bytes = 0;
  for (const auto& [type, type_bytes] : info.constant_bytes) bytes += type_bytes;
  std::string text = format("model        {}\nproducer     {}\nopset        {} (IR {})\n",
                            arguments.model, info.producer.empty() ? "unknown" : info.producer,
                            join(opsets, ", "), info.ir_version);
  text += ports_text("inputs", info.inputs) + ports_text("outputs", info.outputs);
  text += ops_text("ops", info.nodes, info.ops);
  text += format("parameters   {}, constants of {:.2f} MB\n", info.parameters,
                 static_cast<double>(bytes) / 1e6);
  const char* title = "free dims";
  for (const auto& [symbol, place] : info.free_dimensions) {
    text += format("{:<12} {} is {}\n", title, place, symbol.empty() ? "unnamed" : symbol);
    title = "";
  }
  text += quantization_text(info.quantization);
  if (info.prepared) text += prepared_text(*info.prepared, arguments.soc);
  return text;
}

/// Writes the rules of the chip as a quantsim configuration.
void write_rules(const InfoArguments& arguments) {
  Findings findings;
  const quant::QuantsimConfig config =
      formats::config_of_target(target::load_target(arguments.soc), findings);
  write_file(arguments.quantsim_config, to_text(formats::quantsim_config_json(config)));
  print_findings(findings, arguments.verbose);
}

int run_info(const InfoArguments& arguments, const CommandContext& context) {
  if (!arguments.quantsim_config.empty()) write_rules(arguments);
  if (arguments.model.empty()) {
    if (!arguments.quantsim_config.empty()) return kExitDone;
    throw Error(ErrorCode::kInvalidArgument,
                "nothing to do: expected MODEL, or --quantsim-config FILE");
  }
  std::map<std::string, Shape> input_shapes;
  for (const std::string& text : arguments.input_shapes) {
    input_shapes.insert(parse_input_shape(text));
  }
  const graph::Graph graph = formats::read_onnx(arguments.model);
  pipeline::ModelInfo info = pipeline::describe_model(graph);
  if (arguments.prepared || !input_shapes.empty()) {
    pipeline::describe_preparation(graph, input_shapes, arguments.soc, info);
  }
  print_findings(info.findings, arguments.verbose);
  if (context.common.json_path != "-") std::fputs(info_text(arguments, info).c_str(), stdout);
  Json json;
  json["model"] = arguments.model;
  json.update(pipeline::to_json(info));
  write_json_result(context.common, "info", std::move(json));
  return kExitDone;
}

}  // namespace

void add_info_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "info", "Inputs, shapes, operations, parameters and quantization state of a model");
  const auto arguments = std::make_shared<InfoArguments>();
  command->add_option("MODEL", arguments->model, "ONNX model, float or quantized");
  command->add_flag("--prepared", arguments->prepared,
                    "Also run the prepare passes and plan W8A8: what 'quantize' would change,\n"
                    "and which layers the chip would run in float or on the CPU");
  command->add_option("--soc", arguments->soc, "Chip to plan for: part number or name")
      ->capture_default_str();
  command->add_option("--input-shape", arguments->input_shapes,
                      "NAME=1,3,224,224: fixes free dimensions (implies --prepared)");
  command
      ->add_option("--quantsim-config", arguments->quantsim_config,
                   "Write the rules of the chip as an AIMET quantsim configuration, for\n"
                   "'quantize --config'; needs no MODEL")
      ->type_name("FILE");
  command->add_flag("-v,--verbose", arguments->verbose, "Print informational findings too");
  add_common_options(*command, context.common);
  command->footer(
      "Look here first: it says what --data must feed, which dimensions are free, and whether\n"
      "the model is quantized already.\n\n"
      "Examples:\n"
      "  hexquant info net.onnx\n"
      "  hexquant info net.onnx --prepared --soc SM8750 --json info.json\n"
      "  hexquant info --quantsim-config rules.json --soc SM8750");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_info(*arguments, context); };
  });
}

}  // namespace hexquant::cli
