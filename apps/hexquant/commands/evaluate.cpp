#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/preprocess_options.h"
#include "cli/table.h"
#include "commands/commands.h"
#include "core/format.h"
#include "core/json.h"
#include "evaluate/compare_layers.h"
#include "evaluate/evaluate_models.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "hexquant/recipe.h"
#include "pipeline/evaluation_task.h"
#include "pipeline/htp_model.h"
#include "pipeline/recorded_outputs.h"

namespace hexquant::cli {
namespace {

constexpr std::size_t kLayerRows = 30;

struct EvaluateArguments {
  std::vector<std::string> models;
  std::string reference;
  EvaluationRecipe evaluation;
  PreprocessOptions preprocess;
  bool layers = false;
  std::int64_t layer_samples = 16;
  std::string output;
  double time_limit_s = 600.0;
  std::string device = "cpu";
  std::string outputs;  // folder that a device wrote
  pipeline::HtpRequest htp;
  double departs_below_db = 20.0;

  [[nodiscard]] bool on_htp() const noexcept { return device == "htp"; }
  /// The MODELs ran, or run, somewhere else than on this machine's CPU.
  [[nodiscard]] bool elsewhere() const noexcept { return on_htp() || !outputs.empty(); }
};

/// Where the MODELs run besides the CPU: the simulator, or a device that wrote its outputs down.
struct OtherDevice {
  std::string name;
  std::optional<std::string> soc;
  std::unique_ptr<pipeline::HtpModels> htp;
  std::unique_ptr<pipeline::RecordedOutputs> recorded;
  std::map<std::string, Shape> shapes;

  [[nodiscard]] std::unique_ptr<runtime::InferenceSession> open(
      const graph::Graph& model, const std::vector<std::string>& values = {}) const {
    return recorded ? recorded->open(values) : htp->open(model, shapes, values);
  }
  /// Pairs of values that can be compared.
  [[nodiscard]] std::map<std::string, std::string> values_of(const graph::Graph& model) const {
    if (!recorded) return evaluate::activation_values(model);
    std::map<std::string, std::string> pairs;
    for (const std::string& value : recorded->values()) pairs[value] = value;
    return pairs;
  }
};

std::unique_ptr<OtherDevice> open_device(const EvaluateArguments& arguments,
                                         const data::Dataset& dataset, Findings& findings,
                                         const CommandContext& context) {
  if (!arguments.elsewhere()) return nullptr;
  auto device = std::make_unique<OtherDevice>();
  if (!arguments.outputs.empty()) {
    device->recorded = std::make_unique<pipeline::RecordedOutputs>(
        arguments.outputs, formats::read_onnx(arguments.models.front()), dataset);
    device->name = arguments.outputs;
    return device;
  }
  device->htp = std::make_unique<pipeline::HtpModels>(arguments.htp, context.threads(), findings,
                                                      context.progress());
  device->shapes = pipeline::shapes_of(dataset.load(0));
  device->soc = device->htp->soc().name;
  device->name = *device->soc + " HTP";
  return device;
}

/// Reference first.
std::vector<std::string> all_models(const EvaluateArguments& arguments) {
  std::vector<std::string> models = arguments.models;
  if (!arguments.reference.empty()) models.insert(models.begin(), arguments.reference);
  return models;
}

std::string metric_text(const std::string& metric, double value) {
  if (metric == "top1" || metric == "top5") return percent_text(value);
  return number_text(value, metric == "sqnr" ? 2 : 4);
}

std::string loss_text(const std::string& metric, double loss) {
  if (std::isnan(loss)) return "-";
  const bool is_rate = metric == "top1" || metric == "top5";
  return is_rate ? format("{:.2f} pts", 100.0 * loss) : format("{:.4f}", loss);
}

std::string interval_text(const std::optional<evaluate::Interval>& interval) {
  if (!interval) return "-";
  return format("[{:+.2f}, {:+.2f}]", 100.0 * interval->low, 100.0 * interval->high);
}

/// Metrics of a model in the order of the table; "value" repeats one of them.
std::vector<std::string> metric_columns(const evaluate::EvaluationResult& result) {
  std::vector<std::string> columns;
  for (const auto& [name, value] : result.reference.metrics) {
    const bool compares = name == "sqnr" || name == "cosine";  // columns of their own
    if (name != "value" && !compares) columns.push_back(name);
  }
  return columns;
}

std::vector<std::string> score_cells(const evaluate::ModelScore& score,
                                     const std::vector<std::string>& columns) {
  std::vector<std::string> cells = {score.model};
  for (const std::string& column : columns) {
    cells.push_back(metric_text(column, score.metrics.at(column)));
  }
  return cells;
}

std::string models_table(const evaluate::EvaluationResult& result) {
  const std::vector<std::string> columns = metric_columns(result);
  std::vector<std::string> header = {"model"};
  header.insert(header.end(), columns.begin(), columns.end());
  const bool compares = !result.candidates.empty();
  if (compares) {
    header.insert(header.end(), {"loss", "change, 95 %", "agreement", "SQNR dB", "cosine", "MSE"});
  }
  header.emplace_back("ms/sample");
  std::vector<std::vector<std::string>> rows = {score_cells(result.reference, columns)};
  if (compares) rows.back().insert(rows.back().end(), 6, "");
  rows.back().push_back(number_text(result.reference.ms_per_sample, 2));
  for (const evaluate::CandidateScore& candidate : result.candidates) {
    std::vector<std::string> row = score_cells(candidate.score, columns);
    row.insert(
        row.end(),
        {loss_text(result.metric, candidate.loss), interval_text(candidate.difference_interval),
         percent_text(candidate.agreement), number_text(candidate.outputs.sqnr_db(), 2),
         number_text(candidate.outputs.cosine(), 6), format("{:.3g}", candidate.outputs.mse()),
         number_text(candidate.score.ms_per_sample, 2)});
    rows.push_back(std::move(row));
  }
  return table_text(header, rows);
}

std::vector<std::string> difference_cells(const evaluate::Difference& difference) {
  return {number_text(difference.sqnr_db(), 2), number_text(difference.cosine(), 6),
          format("{:.3g}", difference.mse()), format("{:.3g}", difference.max_abs)};
}

/// Nothing for models with one output, whose row says it all.
std::string outputs_table(const evaluate::EvaluationResult& result) {
  std::vector<std::vector<std::string>> rows;
  for (const evaluate::CandidateScore& candidate : result.candidates) {
    if (candidate.per_output.size() < 2) continue;
    for (const evaluate::TensorDifference& output : candidate.per_output) {
      std::vector<std::string> row = {candidate.score.model + ": " + output.name};
      const std::vector<std::string> cells = difference_cells(output.difference);
      row.insert(row.end(), cells.begin(), cells.end());
      rows.push_back(std::move(row));
    }
  }
  if (rows.empty()) return {};
  return "\n" + table_text({"output", "SQNR dB", "cosine", "MSE", "max error"}, rows);
}

/// What the device changed in each model, apart from what quantization did.
std::string devices_table(const evaluate::EvaluationResult& result) {
  std::vector<std::vector<std::string>> rows;
  for (const evaluate::CandidateScore& candidate : result.candidates) {
    if (!candidate.against_cpu) continue;
    const evaluate::DeviceDifference& device = *candidate.against_cpu;
    rows.push_back({candidate.score.model, percent_text(device.agreement),
                    number_text(device.outputs.sqnr_db(), 2),
                    number_text(device.outputs.cosine(), 6),
                    format("{:.3g}", device.outputs.max_abs)});
  }
  if (rows.empty()) return {};
  return "\n" +
         table_text({"against its run on the CPU", "agreement", "SQNR dB", "cosine", "max error"},
                    rows);
}

/// The first tensor, in the order of the graph, where the two runs are no longer alike.
std::string first_departure(const std::vector<evaluate::LayerDifference>& layers, double below_db) {
  for (const evaluate::LayerDifference& layer : layers) {
    if (layer.difference.sqnr_db() >= below_db) continue;
    return format("first tensor below {} dB: {} ({} '{}'), {} dB\n", below_db, layer.tensor,
                  layer.op, layer.node, number_text(layer.difference.sqnr_db(), 2));
  }
  return format("no tensor below {} dB\n", below_db);
}

/// Worst first; a broken tensor (NaN) is the worst of all.
std::string layers_table(std::vector<evaluate::LayerDifference> layers) {
  const auto key = [](const evaluate::LayerDifference& layer) {
    const double sqnr_db = layer.difference.sqnr_db();
    return std::isnan(sqnr_db) ? -HUGE_VAL : sqnr_db;
  };
  std::stable_sort(layers.begin(), layers.end(),
                   [&](const auto& a, const auto& b) { return key(a) < key(b); });
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < std::min(kLayerRows, layers.size()); ++i) {
    std::vector<std::string> row = {layers[i].tensor, layers[i].op};
    const std::vector<std::string> cells = difference_cells(layers[i].difference);
    row.insert(row.end(), cells.begin(), cells.end());
    rows.push_back(std::move(row));
  }
  std::string text =
      "\n" +
      table_text({"tensor (worst first)", "op", "SQNR dB", "cosine", "MSE", "max error"}, rows);
  if (layers.size() > kLayerRows) {
    text += format("... {} more: see --json\n", layers.size() - kLayerRows);
  }
  return text;
}

/// Tensors of the first compared model: against the reference, or on another device against the
/// same model on the CPU.
std::vector<evaluate::LayerDifference> run_layers(const EvaluateArguments& arguments,
                                                  const graph::Graph& reference,
                                                  const data::Dataset& dataset,
                                                  const OtherDevice* device,
                                                  const CommandContext& context) {
  evaluate::LayerOptions options;
  options.samples = arguments.layer_samples;
  options.threads = context.threads();
  if (device == nullptr) {
    const graph::Graph quantized = formats::read_onnx(all_models(arguments).at(1));
    return evaluate::compare_layers(reference, quantized,
                                    evaluate::match_values(reference, quantized), dataset, options,
                                    context.progress());
  }
  const graph::Graph quantized = formats::read_onnx(arguments.models.front());
  options.open_quantized = [&](const std::vector<std::string>& values) {
    return device->open(quantized, values);
  };
  return evaluate::compare_layers(quantized, quantized, device->values_of(quantized), dataset,
                                  options, context.progress());
}

/// What can be seen from the arguments alone.
void check_arguments(const EvaluateArguments& arguments) {
  const bool compares = all_models(arguments).size() > 1;
  if (arguments.on_htp() && !arguments.outputs.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "--device htp and --outputs exclude each other");
  }
  if (!arguments.outputs.empty() && arguments.models.size() != 1) {
    throw Error(ErrorCode::kInvalidArgument, "--outputs belong to one MODEL: give one");
  }
  if (!compares && arguments.layers && !arguments.elsewhere()) {
    throw Error(ErrorCode::kInvalidArgument,
                "--layers compares two models: give --reference, or a second MODEL");
  }
  if (arguments.evaluation.data.samples < 0) {
    throw Error(ErrorCode::kInvalidArgument,
                format("--samples {}: expected 0 or more", arguments.evaluation.data.samples));
  }
}

/// Every model after the reference; on another device, each model there after itself on the CPU.
std::vector<evaluate::Model> candidates_of(const EvaluateArguments& arguments,
                                           const OtherDevice* device) {
  const std::vector<std::string> files = all_models(arguments);
  std::vector<evaluate::Model> candidates;
  for (std::size_t i = 1; i < files.size(); ++i) {
    candidates.push_back({.name = files[i], .file = files[i]});
  }
  if (device == nullptr) return candidates;
  const std::size_t first = arguments.reference.empty() ? 0 : 1;
  for (std::size_t i = first; i < files.size(); ++i) {
    evaluate::Model model{.name = format("{} ({})", files[i], device->name)};
    model.on_cpu = i;
    model.open = [device, file = files[i]] { return device->open(formats::read_onnx(file)); };
    candidates.push_back(std::move(model));
  }
  return candidates;
}

int run_evaluate(const EvaluateArguments& arguments, const CommandContext& context) {
  check_arguments(arguments);
  const std::vector<std::string> files = all_models(arguments);
  const graph::Graph reference = formats::read_onnx(files.front());
  Findings findings;
  EvaluationRecipe evaluation = arguments.evaluation;
  evaluation.data.preprocess = arguments.preprocess.resolve();
  pipeline::EvaluationTask opened =
      pipeline::open_evaluation(evaluation, {}, context.common.seed, reference, findings);
  opened.task.output = arguments.output;
  opened.task.time_limit_s = arguments.time_limit_s;
  if (files.size() == 1 && opened.task.metric.needs_reference() && !arguments.elsewhere()) {
    throw Error(ErrorCode::kInvalidArgument,
                format("{}: nothing to score by: give --labels, --metric, or --reference MODEL",
                       files.front()));
  }
  const std::unique_ptr<OtherDevice> device =
      open_device(arguments, *opened.data, findings, context);
  const evaluate::EvaluationResult result = evaluate::evaluate_models(
      {.name = files.front(), .file = files.front()}, candidates_of(arguments, device.get()),
      opened.task, context.threads(), context.progress());
  Json json = evaluate::to_json(result);
  std::string text = format("metric {}, {} samples\n\n", result.metric, result.samples) +
                     models_table(result) + devices_table(result) + outputs_table(result);
  json["device"] = arguments.outputs.empty() ? arguments.device : "recorded";
  if (device && device->soc) json["soc"] = *device->soc;
  if (arguments.layers) {
    const auto layers = run_layers(arguments, reference, *opened.data, device.get(), context);
    json["layers"] = evaluate::to_json(layers);
    text += layers_table(layers);
    if (device) text += first_departure(layers, arguments.departs_below_db);
  }
  print_findings(findings);
  if (context.common.json_path != "-") std::fputs(text.c_str(), stdout);
  write_json_result(context.common, "evaluate", std::move(json));
  return kExitDone;
}

void add_data_options(CLI::App& command, EvaluateArguments& arguments) {
  EvaluationRecipe& evaluation = arguments.evaluation;
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group("Data");
  };
  add("--data", evaluation.data.sources,
      "Samples: image folder, labels.csv, QNN input_list.txt, .npy, .npz,\n"
      "or NAME:=FILE for each input")
      ->required();
  add("--labels", evaluation.labels,
      "Labels: .npy, labels.csv or text, one a line (scores for spearman-pairs, .npy);\n"
      "handed on as it is for exec and so");
  add("--samples", evaluation.data.samples, "Samples used at most; 0 = all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add("--sampling", evaluation.data.sampling, "Which samples: first, even or random")
      ->check(CLI::IsMember({"first", "even", "random"}))
      ->capture_default_str();
  add("--skip", evaluation.data.skip, "Leading samples left out")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  arguments.preprocess.add_to(command, "Data");
  add("--data-b", evaluation.data_b, "Second element of each pair (spearman-pairs)");
  add("--lengths", evaluation.lengths, "Valid length of each row (perplexity), .npy");
  command
      .add_flag("--use-native-input-files", evaluation.data.native_input_files,
                "Raw files hold the model's own types instead of float32")
      ->group("Data");
}

void add_device_options(CLI::App& command, EvaluateArguments& arguments) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group("Device")->capture_default_str();
  };
  add("--device", arguments.device,
      "cpu, or htp: the MODELs also on the vendor's HTP simulator (hexquant setup htp),\n"
      "compared with their runs on the CPU. About 0.5 s an image and core for MobileNetV2")
      ->check(CLI::IsMember({"cpu", "htp"}));
  command
      .add_option("--outputs", arguments.outputs,
                  "Folder with Result_i/TENSOR.raw that a device wrote for --data (qnn-net-run):\n"
                  "scored and compared with MODEL on the CPU; with --layers the debug dumps too")
      ->type_name("DIR")
      ->group("Device");
  add("--soc", arguments.htp.soc, "htp: the simulated chip");
  add("--vtcm-mb", arguments.htp.vtcm_mb, "htp: VTCM in MB; 0 = all that the chip has")
      ->check(CLI::NonNegativeNumber);
  add("--htp-time-limit", arguments.htp.limits.seconds,
      "htp: seconds for compiling, and for each inference")
      ->check(CLI::PositiveNumber);
  add("--departs-below", arguments.departs_below_db,
      "htp and --outputs with --layers: name the first tensor whose SQNR to the CPU is\n"
      "below this, dB");
}

void add_options(CLI::App& command, EvaluateArguments& arguments) {
  command.add_option("MODEL", arguments.models, "ONNX models, float or with Q/DQ pairs")
      ->required();
  command.add_option("--reference", arguments.reference,
                     "Model that the others are compared with (default: the first MODEL)");
  command.add_option("--metric", arguments.evaluation.metric,
                     "top1, top5, cosine, sqnr, spearman-pairs, perplexity, exec:PROGRAM\n"
                     "or so:FILE (a metric plug-in)\n"
                     "(default: top1 with labels, else sqnr)");
  command
      .add_option("--score-output", arguments.output,
                  "Output that is scored (default: the first one that fits the metric)")
      ->type_name("NAME");
  command.add_flag("--layers", arguments.layers,
                   "Compare the tensors of the first compared model one by one, too");
  command
      .add_option("--layer-samples", arguments.layer_samples,
                  "Samples used at most for --layers; 0 = all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--time-limit", arguments.time_limit_s,
                  "Seconds that exec:PROGRAM or so:FILE may take for each model")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_device_options(command, arguments);
  add_data_options(command, arguments);
}

}  // namespace

void add_evaluate_command(CLI::App& program, CommandContext& context) {
  CLI::App* command = program.add_subcommand(
      "evaluate", "Score models, and compare them output by output and layer by layer");
  const auto arguments = std::make_shared<EvaluateArguments>();
  arguments->evaluation.enabled = true;
  add_options(*command, *arguments);
  add_common_options(*command, context.common);
  command->footer(
      "Loss is how much worse a model is than the reference; change, 95 % is the interval of the\n"
      "difference model - reference in points, over the same samples. docs/methods/metrics.md\n"
      "defines every number and the protocol of exec:PROGRAM and so:FILE.\n\n"
      "Examples:\n"
      "  hexquant evaluate net.onnx --data test/ --preprocess prep.json --labels labels.csv\n"
      "  hexquant evaluate out/model.onnx --reference out/model_float.onnx --data test.npy "
      "--layers\n"
      "  hexquant evaluate out/model.onnx --device htp --soc SM8750 --data test.npy \\\n"
      "      --labels labels.npy --samples 200 --layers\n"
      "  hexquant evaluate out/model.onnx --data out/golden/input_list.txt --outputs output\n"
      "  hexquant evaluate lm.onnx --metric perplexity --data tokens.npy --lengths lengths.npy");
  command->callback([arguments, &context] {
    context.action = [arguments, &context] { return run_evaluate(*arguments, context); };
  });
}

}  // namespace hexquant::cli
