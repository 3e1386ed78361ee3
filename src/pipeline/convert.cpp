#include "pipeline/convert.h"

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "core/file_io.h"
#include "core/finding_list.h"
#include "core/format.h"
#include "core/json.h"
#include "core/scratch_directory.h"
#include "evaluate/evaluate_models.h"
#include "formats/encodings/write_encodings.h"
#include "formats/net_json/net_json.h"
#include "formats/onnx/onnx_io.h"
#include "formats/quantsim_config/quantsim_config.h"
#include "hexquant/error.h"
#include "passes/fix_input_shapes.h"
#include "passes/prepare.h"
#include "pipeline/convert_source.h"
#include "pipeline/dry_run.h"
#include "pipeline/evaluation_task.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"
#include "pipeline/recipe_json.h"
#include "pipeline/write_outputs.h"
#include "target/legality.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;

/// A declared element type must be the model's: nothing is cast here.
void check_input_types(const ConvertSource& source, const ConvertArguments& arguments,
                       Findings& findings) {
  for (const auto& pair : arguments.occurrences("--input_dtype")) {
    const graph::ValueType* type = source.graph.find_type(pair[0]);
    const std::string own = type == nullptr ? "unknown" : dtype_name(type->dtype);
    if (own == pair[1]) continue;
    findings.push_back(
        {"option-without-effect", Severity::kWarning, "--input_dtype",
         format("{} {}: the input stays {}, the model's type", pair[0], pair[1], own), ""});
  }
}

ConvertSource read_source(const ConvertArguments& arguments) {
  if (!arguments.given("--input_network")) {
    throw Error(ErrorCode::kInvalidArgument, "no model given (--input_network FILE)");
  }
  ConvertSource source =
      convert_source(formats::read_onnx(arguments.value("--input_network")), arguments);
  check_input_types(source, arguments, source.findings);
  return source;
}

/// Results on their way: written into a folder beside their place, then moved there.
class Results {
 public:
  /// @param model  the file that is converted, which no result may replace
  Results(const fs::path& stem, fs::path model)
      : folder_(fs::absolute(stem).parent_path()),
        shown_folder_(stem.parent_path()),
        name_(stem.filename().string()),
        model_(std::move(model)),
        staged_(folder_ / (name_ + ".results")) {}

  [[nodiscard]] bool is_model(const std::string& ending) const {
    std::error_code none;  // a place without file is no model
    return fs::equivalent(folder_ / (name_ + ending), model_, none);
  }
  /// Where the file with this ending is written for now.
  /// @throws Error(kInvalidArgument) when its place is that of the model
  [[nodiscard]] fs::path path(const std::string& ending) {
    if (is_model(ending)) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("--output_path: the result '{}' would replace the model: choose another "
                         "name",
                         place(ending).string()));
    }
    endings_.push_back(ending);
    return staged_.path() / (name_ + ending);
  }
  /// Where it will lie, as the user wrote the folder.
  [[nodiscard]] fs::path place(const std::string& ending) const {
    return shown_folder_ / (name_ + ending);
  }
  void write_json(const std::string& ending, const Json& json) {
    write_file(path(ending), to_text(json));
  }

  /// @return the files in the order in which they were asked for
  std::vector<fs::path> commit() {
    for (const auto& entry : fs::directory_iterator(staged_.path())) {
      fs::rename(entry.path(), folder_ / entry.path().filename());
    }
    std::vector<fs::path> files;
    for (const std::string& ending : endings_) files.push_back(place(ending));
    return files;
  }

 private:
  fs::path folder_;
  fs::path shown_folder_;
  std::string name_;
  fs::path model_;
  StagedDirectory staged_;
  std::vector<std::string> endings_;
};

formats::NetJsonInfo net_info(const ConvertSource& source, const ConvertArguments& arguments,
                              const std::string& command) {
  formats::NetJsonInfo info;
  info.command = command;
  info.layouts = source.layouts;
  if (arguments.given("--copyright_file")) {
    info.copyright = read_file(arguments.value("--copyright_file"));
  }
  return info;
}

/// The source model and the configuration as files, where the recipe needs them.
void write_recipe_inputs(const ConvertSource& source, const ConvertRecipe& asked, Results& results,
                         Recipe& now, Recipe& later) {
  if (source.is_edited) {
    const fs::path path = results.path("_source.onnx");
    formats::write_onnx(source.graph, path);
    now.model = path.string();
    later.model = results.place("_source.onnx").string();
  }
  if (asked.config) {
    const fs::path path = results.path("_quantsim_config.json");
    write_file(path, to_text(formats::quantsim_config_json(*asked.config)));
    now.config = path.string();
    later.config = results.place("_quantsim_config.json").string();
  }
}

void measure(const Recipe& recipe, QuantizedModel& model, int threads, ProgressSink& progress,
             ConvertResult& result) {
  const EvaluationTask evaluation =
      open_evaluation(recipe.evaluation, recipe.data, recipe.seed, model.original, model.findings);
  const evaluate::EvaluationResult scores = evaluate::evaluate_models(
      {"float", &model.original, {}}, {{"quantized", &model.quantized, {}}}, evaluation.task,
      threads, progress);
  result.sqnr_db = scores.candidates.front().outputs.sqnr_db();
  result.cosine = scores.candidates.front().outputs.cosine();
  result.calibration_samples = model.statistics.samples;
}

void write_quantized(const QuantizedModel& model, const formats::NetJsonInfo& info,
                     Results& results, Findings& findings) {
  // "-i model.onnx -o model.cpp" is common: the model stays what it is.
  const bool is_taken = results.is_model(".onnx");
  if (is_taken) {
    findings.push_back({"model-kept", Severity::kWarning, results.place(".onnx").string(),
                        "it is the model itself, so the quantized model is written to " +
                            results.place("_quantized.onnx").string(),
                        ""});
  }
  formats::write_onnx(model.quantized, results.path(is_taken ? "_quantized.onnx" : ".onnx"));
  formats::write_onnx(model.weights_on_grid, results.path("_float.onnx"));
  results.write_json(".encodings",
                     formats::encodings_json(model.weights_on_grid, model.encodings,
                                             formats::EncodingsVersion::k1_0_0, findings));
  results.write_json("_overrides.json", formats::quantization_overrides(
                                            model.weights_on_grid, model.encodings,
                                            float_tensors(model.weights_on_grid, model.plan)));
  results.write_json("_net.json", formats::net_json(model.weights_on_grid, model.encodings, info));
}

void convert_quantized(const ConvertSource& source, const ConvertRecipe& asked,
                       const formats::NetJsonInfo& info, int threads, ProgressSink& progress,
                       Results& results, ConvertResult& result) {
  Recipe now = asked.recipe;
  now.output = results.place("").string();
  now.input_shapes = source.input_shapes;
  Recipe later = now;
  write_recipe_inputs(source, asked, results, now, later);
  QuantizedModel model = run_stages(now, resolve_recipe(now, threads), target::load_target(now.soc),
                                    threads, progress);
  write_quantized(model, info, results, model.findings);
  results.write_json("_recipe.json", recipe_to_json(later));
  measure(now, model, threads, progress, result);
  append(result.findings, model.findings);
}

void convert_float(const ConvertSource& source, const formats::NetJsonInfo& info, Results& results,
                   ConvertResult& result) {
  graph::Graph graph = source.graph;
  static_cast<void>(passes::fix_input_shapes(graph, source.input_shapes));
  passes::PrepareOptions options;
  options.input_shapes = source.input_shapes;
  for (const passes::PassReport& report : passes::prepare(graph, options)) {
    append(result.findings, report.findings);
  }
  formats::write_onnx(graph, results.path("_float.onnx"));
  results.write_json("_net.json", formats::net_json(graph, {}, info));
}

/// Which operations of a float model the chip computes, and how.
std::string operations_text(const ConvertSource& source, const std::string& soc) {
  const target::Target target = target::load_target(soc);
  std::map<std::string, std::pair<int, std::string>> types;
  for (const graph::Node& node : source.graph.nodes()) {
    auto& [count, obstacle] = types[node.op_type()];
    ++count;
    if (!obstacle.empty()) continue;
    obstacle = target::integer_obstacle(target.rules, source.graph, node).value_or("");
  }
  std::string text = format("{:<28} {:>6}  on {}\n", "operation", "nodes", target.soc.name);
  for (const auto& [type, row] : types) {
    text += format("{:<28} {:>6}  {}\n", type, row.first,
                   row.second.empty() ? "can run in integers" : row.second);
  }
  return text + "dry run: nothing was converted or written\n";
}

}  // namespace

fs::path result_stem(const ConvertArguments& arguments) {
  const bool is_given = arguments.given("--output_path");
  fs::path path = arguments.value(is_given ? "--output_path" : "--input_network");
  return path.replace_extension();
}

ConvertResult convert(const ConvertArguments& arguments, const ConvertExtras& extras,
                      const std::string& command, int threads, ProgressSink& progress) {
  const ConvertSource source = read_source(arguments);
  const ConvertRecipe asked = convert_recipe(arguments, extras);
  const fs::path stem = result_stem(arguments);
  const formats::NetJsonInfo info = net_info(source, arguments, command);
  ConvertResult result;
  result.quantized = asked.quantize;
  result.findings = asked.findings;
  append(result.findings, source.findings);
  result.commands = qairt_commands(arguments, stem.string());
  Results results(stem, arguments.value("--input_network"));
  if (asked.quantize) {
    convert_quantized(source, asked, info, threads, progress, results, result);
  } else {
    convert_float(source, info, results, result);
  }
  result.files = results.commit();
  if (arguments.given("--dump_qairt_quantizer_command") && asked.quantize) {
    const fs::path file = arguments.value("--dump_qairt_quantizer_command");
    write_file(file, result.commands.quantizer + "\n");
    result.files.push_back(file);
  }
  return result;
}

std::string convert_dry_run(const ConvertArguments& arguments, const ConvertExtras& extras) {
  const ConvertSource source = read_source(arguments);
  const ConvertRecipe asked = convert_recipe(arguments, extras);
  if (!asked.quantize) return operations_text(source, extras.soc);
  const ScratchDirectory scratch;
  Recipe recipe = asked.recipe;
  recipe.output = result_stem(arguments).string();
  recipe.input_shapes = source.input_shapes;
  if (source.is_edited) {
    recipe.model = (scratch.path() / "source.onnx").string();
    formats::write_onnx(source.graph, recipe.model);
  }
  if (asked.config) {
    recipe.config = (scratch.path() / "config.json").string();
    write_file(recipe.config, to_text(formats::quantsim_config_json(*asked.config)));
  }
  return dry_run_text(recipe);
}

}  // namespace hexquant::pipeline
