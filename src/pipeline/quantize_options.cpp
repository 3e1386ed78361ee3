#include "pipeline/quantize_options.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/format.h"
#include "formats/encodings/encoding_file.h"
#include "formats/overrides/overrides.h"
#include "formats/quantsim_config/quantsim_config.h"
#include "hexquant/error.h"
#include "pipeline/group_options.h"

namespace hexquant::pipeline {
namespace {

[[noreturn]] void bad_option(const std::string& option, const std::string& value,
                             const std::string& expected) {
  throw Error(ErrorCode::kInvalidArgument, format("{} '{}': expected {}", option, value, expected));
}

void check_bits(const char* option, int bits, const std::vector<int>& allowed) {
  for (const int candidate : allowed) {
    if (bits == candidate) return;
  }
  bad_option(option, std::to_string(bits), format("{}", join(allowed, " or ")));
}

void resolve_granularity(const std::string& text, plan::PlanOptions& options) {
  const std::string group = "group:";
  if (text == "tensor") {
    options.granularity = Granularity::kTensor;
  } else if (text == "channel") {
    options.granularity = Granularity::kChannel;
  } else if (text.rfind(group, 0) == 0) {
    options.granularity = Granularity::kGroup;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + group.size(), end, options.group_size);
    if (error != std::errc() || stop != end || options.group_size < 1) {
      bad_option("granularity", text, "group:N with N >= 1");
    }
  } else {
    bad_option("granularity", text, "tensor, channel or group:N");
  }
}

void resolve_schema(const std::string& text, plan::PlanOptions& options) {
  if (text != "symmetric" && text != "strict" && text != "asymmetric") {
    bad_option("weight schema", text, "symmetric, strict or asymmetric");
  }
  options.weight_symmetric = text != "asymmetric";
  options.weight_strict = text == "strict";
}

/// Widths of weights and activations. Training takes widths that no HTP has, too.
void resolve_bits(const Recipe& recipe, QuantizeOptions& options) {
  const bool trains = recipe.training.enabled;
  check_bits("weight bits", recipe.weight_bits,
             trains ? std::vector<int>{2, 4, 8, 16} : std::vector<int>{4, 8, 16});
  check_bits("activation bits", recipe.act_bits,
             trains ? std::vector<int>{4, 8, 16} : std::vector<int>{8, 16});
  check_bits("bias bits", recipe.bias_bits, {8, 32});
  options.narrow.weight_bits = std::min(recipe.weight_bits, 4);
  options.narrow.act_bits = std::min(recipe.act_bits, 8);
  options.plan.weight_bits = std::max(recipe.weight_bits, 4);
  options.plan.weight_bits_everywhere = recipe.weight_bits_everywhere || recipe.weight_bits < 4;
  options.plan.act_bits = std::max(recipe.act_bits, 8);
  options.plan.bias_bits = recipe.bias_bits;
}

data::Sampling resolve_sampling(const std::string& text) {
  if (text == "first") return data::Sampling::kFirst;
  if (text == "even") return data::Sampling::kEven;
  if (text == "random") return data::Sampling::kRandom;
  bad_option("sampling", text, "first, even or random");
}

std::set<std::string> checked_algorithms(const std::vector<std::string>& names) {
  const std::vector<std::string> known = {"cle",  "clip-search",       "bias-correction",
                                          "gptq", "adaptive-rounding", "adaround"};
  std::set<std::string> algorithms;
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      bad_option("algorithm", name, format("{}", join(known, ", ")));
    }
    algorithms.insert(name == "adaround" ? "adaptive-rounding" : name);
  }
  return algorithms;
}

RoundingMode resolve_rounding_mode(const std::string& text, bool adaptive, bool gptq) {
  if (text == "one-pass") return RoundingMode::kOnePass;
  if (text == "sequential") return RoundingMode::kSequential;
  if (text == "block") return RoundingMode::kBlock;
  if (text != "auto") bad_option("rounding mode", text, "auto, one-pass, sequential or block");
  if (adaptive) return RoundingMode::kBlock;
  return gptq ? RoundingMode::kSequential : RoundingMode::kOnePass;
}

void resolve_algorithms(const Recipe& recipe, QuantizeOptions& options) {
  const std::set<std::string> algorithms = checked_algorithms(recipe.algorithms);
  const auto has = [&](const char* name) { return algorithms.contains(name); };
  const bool adaptive = has("adaptive-rounding");
  options.weights.clip_search = has("clip-search") || adaptive;
  DataRounding rounding;
  rounding.mode = resolve_rounding_mode(recipe.rounding_mode, adaptive, has("gptq"));
  rounding.solver.clip_search = options.weights.clip_search;
  rounding.solver.gptq = adaptive || has("gptq");
  rounding.solver.coordinate_descent = adaptive;
  rounding.solver.rescale = adaptive;
  rounding.correct_bias = adaptive || has("bias-correction");
  options.equalize = has("cle");
  if (rounding.solver.clip_search || rounding.solver.gptq || rounding.correct_bias) {
    options.rounding = rounding;
  }
}

void read_wishes(const Recipe& recipe, plan::PlanOptions& options) {
  if (!recipe.overrides.empty()) {
    formats::Overrides overrides = formats::read_overrides(recipe.overrides);
    overrides.allow_unmatched = recipe.allow_unmatched_overrides;
    options.overrides = std::make_shared<const formats::Overrides>(std::move(overrides));
  }
  if (!recipe.config.empty()) {
    options.config =
        std::make_shared<const quant::QuantsimConfig>(formats::read_quantsim_config(recipe.config));
  }
}

}  // namespace

data::DataOptions resolve_data(const DataRecipe& data, std::uint64_t seed) {
  if (data.samples < 0) bad_option("samples", std::to_string(data.samples), "0 (all) or more");
  data::DataOptions options;
  options.sources = data.sources;
  options.preprocess = data.preprocess;
  options.samples = data.samples;
  options.skip = data.skip;
  options.sampling = resolve_sampling(data.sampling);
  options.seed = seed;
  options.native_input_files = data.native_input_files;
  return options;
}

QuantizeOptions resolve_recipe(const Recipe& recipe, int threads) {
  if (recipe.model.empty()) throw Error(ErrorCode::kInvalidArgument, "no model given");
  if (recipe.output.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "no output folder given (-o DIR)");
  }
  if (recipe.data.sources.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "no calibration data given (--data: folder, .npy, .npz or input list)");
  }
  if (!formats::find_version(recipe.encodings_version)) {
    bad_option("encodings version", recipe.encodings_version, "0.6.1, 1.0.0 or 2.0.0");
  }
  QuantizeOptions options;
  resolve_bits(recipe, options);
  options.data = resolve_data(recipe.data, recipe.seed);
  options.plan.keep_float = recipe.keep_float;
  resolve_granularity(recipe.granularity, options.plan);
  resolve_groups(recipe, options);
  resolve_schema(recipe.weight_schema, options.plan);
  read_wishes(recipe, options.plan);
  options.observer.kind = calibrate::parse_observer(recipe.observer);
  options.observer.percentile = recipe.percentile;
  options.weights.threads = threads;
  resolve_algorithms(recipe, options);
  return options;
}

}  // namespace hexquant::pipeline
