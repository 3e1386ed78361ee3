#include "cli/recipe_options.h"

#include <charconv>
#include <filesystem>

#include "core/format.h"
#include "core/json.h"
#include "hexquant/error.h"
#include "pipeline/recipe_json.h"

namespace hexquant::cli {
namespace {

constexpr const char* kDataGroup = "Data";
constexpr const char* kPrecisionGroup = "Precision";
constexpr const char* kEvaluationGroup = "Accuracy";

std::int64_t parse_integer(const std::string& text, const std::string& what) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorCode::kInvalidArgument, format("{}: '{}' is not an integer", what, text));
  }
  return value;
}

}  // namespace

std::pair<std::string, Shape> parse_input_shape(const std::string& text) {
  const auto equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(ErrorCode::kInvalidArgument,
                format("--input-shape '{}': expected NAME=D0,D1,...", text));
  }
  Shape shape;
  for (const std::string& part : split_list({text.substr(equals + 1)})) {
    const std::int64_t dim = parse_integer(part, "--input-shape " + text);
    if (dim < 1) {
      throw Error(ErrorCode::kInvalidArgument,
                  format("--input-shape '{}': dimension {} is not positive", text, dim));
    }
    shape.push_back(dim);
  }
  return {text.substr(0, equals), shape};
}

std::vector<std::string> split_list(const std::vector<std::string>& items) {
  std::vector<std::string> parts;
  for (const std::string& item : items) {
    std::string part;
    for (const char c : item + ",") {
      if (c != ',' && c != ' ') {
        part += c;
      } else if (!part.empty()) {
        parts.push_back(std::move(part));
        part.clear();
      }
    }
  }
  return parts;
}

void RecipeOptions::add_to(CLI::App& command, Widths widths) {
  command_ = &command;
  command
      .add_option("--recipe", recipe_path_,
                  "All options as JSON (OUT/recipe.json of an earlier run); options given here win")
      ->check(CLI::ExistingFile);
  command.add_option("-o,--output", values_.output, "Folder for the results")->type_name("DIR");
  add_data_options(command);
  add_width_options(command, widths);
  add_precision_options(command);
  add_evaluation_options(command);
}

void RecipeOptions::add_data_options(CLI::App& command) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group(kDataGroup);
  };
  add("--data", values_.data.sources,
      "Calibration data: image folder, labels.csv, QNN input_list.txt, .npy, .npz,\n"
      "or NAME:=FILE for each input");
  add("--samples", values_.data.samples, "Samples used at most; 0 = all")->capture_default_str();
  add("--sampling", values_.data.sampling, "Which samples: first, even or random")
      ->check(CLI::IsMember({"first", "even", "random"}))
      ->capture_default_str();
  add("--skip", values_.data.skip, "Leading samples left out")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  preprocess_.add_to(command, kDataGroup);
  add("--input-shape", input_shapes_, "Fix an input's shape: NAME=1,3,224,224 (repeat for others)");
  command
      .add_flag("--use-native-input-files", values_.data.native_input_files,
                "Raw files hold the model's own types instead of float32")
      ->group(kDataGroup);
}

void RecipeOptions::add_width_options(CLI::App& command, Widths widths) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group(kPrecisionGroup)->capture_default_str();
  };
  add("--soc", values_.soc, "Target chip: decides what is legal");
  add("--encodings-version", values_.encodings_version,
      "Version of model.encodings: 0.6.1, 1.0.0 or 2.0.0")
      ->check(CLI::IsMember({"0.6.1", "1.0.0", "2.0.0"}));
  if (widths == Widths::kDevice) {
    add("--weight-bits", weight_bits_,
        "4, 8 or 16. 4 = where the HTP gains from it, 8 elsewhere; 4:all = everywhere")
        ->check(CLI::IsMember({"4", "8", "16", "4:all"}));
    add("--act-bits", values_.act_bits, "Activations: 8 or 16 bits")->check(CLI::IsMember({8, 16}));
    return;
  }
  add("--weight-bits", weight_bits_,
      "4, 8 or 16. 4 = where the HTP gains from it, 8 elsewhere; 4:all = everywhere;\n"
      "2 = everywhere, for research (stored as int4)")
      ->check(CLI::IsMember({"2", "4", "8", "16", "4:all"}));
  add("--act-bits", values_.act_bits,
      "Activations: 8 or 16 bits; 4 for research: no HTP runs the result")
      ->check(CLI::IsMember({4, 8, 16}));
}

void RecipeOptions::add_precision_options(CLI::App& command) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group(kPrecisionGroup);
  };
  add("--bias-bits", values_.bias_bits, "Biases: 32 or 8 bits (8 costs accuracy)")
      ->check(CLI::IsMember({8, 32}))
      ->capture_default_str();
  add("--granularity", values_.granularity,
      "Scales of weights: tensor, channel, or group:N for MatMul, Gemm and 1x1 Conv")
      ->capture_default_str();
  add("--block-scale", values_.block_scale,
      "Scales of 4-bit groups: float, or lpbq = integers 1..16 times one float a channel")
      ->check(CLI::IsMember({"float", "lpbq"}))
      ->capture_default_str();
  add("--group-format", values_.group_format,
      "Groups in model.onnx: qdq = DequantizeLinear with block_size, or matmulnbits")
      ->check(CLI::IsMember({"qdq", "matmulnbits"}))
      ->capture_default_str();
  add("--weight-schema", values_.weight_schema,
      "Weight grid: symmetric (-128..127), strict (-127..127) or asymmetric")
      ->check(CLI::IsMember({"symmetric", "strict", "asymmetric"}))
      ->capture_default_str();
  add("--observer", values_.observer,
      "Activation ranges from: min-max, percentile, mse, entropy or sqnr")
      ->check(CLI::IsMember({"min-max", "percentile", "mse", "entropy", "sqnr"}))
      ->capture_default_str();
  add("--percentile", values_.percentile, "Share of elements kept by the percentile observer")
      ->capture_default_str();
  add("--algorithms", algorithms_,
      "Weight methods, comma or blank separated, in any combination:\n"
      "  cle                cross-layer equalization: scales channels between layers, most with\n"
      "                     --granularity tensor; kept only where the measured error falls\n"
      "  clip-search        scales with the least output error instead of the largest weight\n"
      "  bias-correction    takes the mean error of each output channel into its bias\n"
      "  gptq               rounds column by column, later columns make good earlier errors\n"
      "  adaptive-rounding  (adaround) best: clip-search + gptq + coordinate descent +\n"
      "                     bias-correction, behind Relu and residual Add; for 4 bits");
  add("--rounding-mode", values_.rounding_mode,
      "Inputs that weights are rounded for: one-pass (the float model's), sequential (those of\n"
      "the quantized layers before), block (and for the Add or Relu behind), auto")
      ->check(CLI::IsMember({"auto", "one-pass", "sequential", "block"}))
      ->capture_default_str();
  add("--keep-float", values_.keep_float,
      "Layers that stay float: name pattern with *, or op:TYPE (repeat for others)");
  add("--layer-bits", values_.layer_bits,
      "Other widths for some layers: PATTERN=8, PATTERN=a16 or PATTERN=w8a16 (repeat for others;\n"
      "later ones win); PATTERN as in --keep-float");
  add("--overrides", values_.overrides,
      "JSON file with widths or encodings of single tensors: QNN overrides, AIMET encodings,\n"
      "or the short form with wildcards and supergroups; wins over everything else")
      ->check(CLI::ExistingFile);
  command
      .add_flag("--allow-unmatched-overrides", values_.allow_unmatched_overrides,
                "Go on when names in --overrides match no tensor")
      ->group(kPrecisionGroup);
  add("--config", values_.config,
      "AIMET quantsim configuration, JSON file: decides by operation type what is quantized\n"
      "(default: the rules of --soc; 'hexquant info --quantsim-config FILE' writes them)")
      ->check(CLI::ExistingFile);
}

void RecipeOptions::add_evaluation_options(CLI::App& command) {
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group(kEvaluationGroup);
  };
  add("--evaluate", evaluate_,
      "Score float and quantized model, on N samples (default: all); without it only the\n"
      "SQNR of at most 8 calibrated samples is measured")
      ->expected(0, 1)
      ->type_name("[N]");
  add("--eval-data", values_.evaluation.data.sources,
      "Data for scoring (default: the samples of --data not used for calibration)");
  add("--labels", values_.evaluation.labels, "Labels: .npy, labels.csv or text, one a line");
  add("--metric", values_.evaluation.metric,
      "top1, top5, cosine, sqnr, spearman-pairs, perplexity, exec:PROGRAM or\n"
      "so:FILE (a metric plug-in)");
  add("--data-b", values_.evaluation.data_b, "Second element of each pair (spearman-pairs)");
  add("--lengths", values_.evaluation.lengths, "Valid length of each row (perplexity), .npy");
}

bool RecipeOptions::given(const char* option) const {
  return command_->count(option) > 0;
}

Recipe RecipeOptions::resolve(Recipe recipe) const {
  if (!recipe_path_.empty()) {
    recipe = {};
    pipeline::recipe_from_json(read_json(recipe_path_), recipe_path_, recipe);
  }
  overlay(recipe);
  overlay_evaluation(recipe.evaluation);
  return recipe;
}

void RecipeOptions::overlay(Recipe& recipe) const {
  const auto take = [this](const char* option, auto& target, const auto& value) {
    if (given(option)) target = value;
  };
  take("--output", recipe.output, values_.output);
  take("--data", recipe.data.sources, values_.data.sources);
  take("--samples", recipe.data.samples, values_.data.samples);
  take("--sampling", recipe.data.sampling, values_.data.sampling);
  take("--skip", recipe.data.skip, values_.data.skip);
  if (preprocess_.given()) recipe.data.preprocess = preprocess_.resolve();
  take("--use-native-input-files", recipe.data.native_input_files, values_.data.native_input_files);
  take("--soc", recipe.soc, values_.soc);
  take("--encodings-version", recipe.encodings_version, values_.encodings_version);
  take("--act-bits", recipe.act_bits, values_.act_bits);
  take("--bias-bits", recipe.bias_bits, values_.bias_bits);
  take("--granularity", recipe.granularity, values_.granularity);
  take("--block-scale", recipe.block_scale, values_.block_scale);
  take("--group-format", recipe.group_format, values_.group_format);
  take("--weight-schema", recipe.weight_schema, values_.weight_schema);
  take("--observer", recipe.observer, values_.observer);
  take("--percentile", recipe.percentile, values_.percentile);
  take("--algorithms", recipe.algorithms, split_list(algorithms_));
  take("--rounding-mode", recipe.rounding_mode, values_.rounding_mode);
  take("--keep-float", recipe.keep_float, values_.keep_float);
  take("--layer-bits", recipe.layer_bits, values_.layer_bits);
  take("--overrides", recipe.overrides, values_.overrides);
  take("--allow-unmatched-overrides", recipe.allow_unmatched_overrides,
       values_.allow_unmatched_overrides);
  take("--config", recipe.config, values_.config);
  if (given("--weight-bits")) {
    recipe.weight_bits = weight_bits_ == "4:all" ? 4 : std::stoi(weight_bits_);
    recipe.weight_bits_everywhere = weight_bits_ == "4:all";
  }
  for (const std::string& text : input_shapes_) {
    auto [name, shape] = parse_input_shape(text);
    recipe.input_shapes[name] = std::move(shape);
  }
}

void RecipeOptions::overlay_evaluation(EvaluationRecipe& evaluation) const {
  const EvaluationRecipe& values = values_.evaluation;
  if (given("--eval-data")) evaluation.data.sources = values.data.sources;
  if (given("--labels")) evaluation.labels = values.labels;
  if (given("--metric")) evaluation.metric = values.metric;
  if (given("--data-b")) evaluation.data_b = values.data_b;
  if (given("--lengths")) evaluation.lengths = values.lengths;
  if (given("--evaluate")) {
    evaluation.enabled = true;
    for (const std::string& count : split_list(evaluate_)) {
      evaluation.data.samples = parse_integer(count, "--evaluate");
    }
  }
}

}  // namespace hexquant::cli
