#include "pipeline/recipe_json.h"

#include <set>
#include <string>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::pipeline {
namespace {

Json data_to_json(const DataRecipe& data) {
  return {{"sources", data.sources},   {"preprocess", data.preprocess},
          {"samples", data.samples},   {"skip", data.skip},
          {"sampling", data.sampling}, {"native_input_files", data.native_input_files}};
}

/// Reads the members of one JSON object; at the end every key must have been asked for.
class ObjectReader {
 public:
  ObjectReader(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
    if (!json.is_object()) fail(path_, "an object");
  }

  template <typename T>
  void read(const std::string& key, T& value, const char* expected) {
    known_.insert(key);
    if (!json_.contains(key)) return;
    try {
      value = json_.at(key).get<T>();
    } catch (const Json::exception&) {
      fail(path_ + "." + key, expected);
    }
  }

  [[nodiscard]] const Json* member(const std::string& key) {
    known_.insert(key);
    return json_.contains(key) ? &json_.at(key) : nullptr;
  }

  void finish() const {
    for (const auto& [key, value] : json_.items()) {
      if (known_.contains(key)) continue;
      throw Error(ErrorCode::kInvalidData, format("{}: unknown key '{}': expected one of {}", path_,
                                                  key, join(known_, ", ")));
    }
  }

  [[nodiscard]] std::string path_of(const std::string& key) const { return path_ + "." + key; }

 private:
  [[noreturn]] static void fail(const std::string& where, const std::string& expected) {
    throw Error(ErrorCode::kInvalidData, format("{}: expected {}", where, expected));
  }

  const Json& json_;
  std::string path_;
  std::set<std::string> known_;
};

void data_from_json(const Json& json, const std::string& path, DataRecipe& data) {
  ObjectReader reader(json, path);
  reader.read("sources", data.sources, "a list of strings");
  reader.read("preprocess", data.preprocess, "a string");
  reader.read("samples", data.samples, "an integer");
  reader.read("skip", data.skip, "an integer");
  reader.read("sampling", data.sampling, "a string");
  reader.read("native_input_files", data.native_input_files, "true or false");
  reader.finish();
}

void evaluation_from_json(const Json& json, const std::string& path, EvaluationRecipe& recipe) {
  ObjectReader reader(json, path);
  reader.read("enabled", recipe.enabled, "true or false");
  if (const Json* data = reader.member("data")) {
    data_from_json(*data, reader.path_of("data"), recipe.data);
  }
  reader.read("labels", recipe.labels, "a string");
  reader.read("metric", recipe.metric, "a string");
  reader.read("data_b", recipe.data_b, "a string");
  reader.read("lengths", recipe.lengths, "a string");
  reader.finish();
}

/// Member by member, so that reading and writing agree.
template <typename Training, typename Visit>
void visit_training(Training& training, const Visit& visit) {
  visit("start", training.start, "a string");
  visit("labels", training.labels, "a string");
  visit("loss", training.loss, "a string");
  visit("distance", training.distance, "a string");
  visit("distillation_weight", training.distillation_weight, "a number");
  visit("block_loss", training.block_loss, "a number");
  visit("batch_norm", training.batch_norm, "a string");
  visit("optimizer", training.optimizer, "a string");
  visit("learning_rate", training.learning_rate, "a number");
  visit("range_rate", training.range_rate, "a number");
  visit("momentum", training.momentum, "a number");
  visit("weight_decay", training.weight_decay, "a number");
  visit("trust", training.trust, "a number");
  visit("clip_gradient", training.clip_gradient, "a number");
  visit("schedule", training.schedule, "a string");
  visit("epochs", training.epochs, "an integer");
  visit("batch_size", training.batch_size, "an integer");
  visit("max_steps", training.max_steps, "an integer");
  visit("patience", training.patience, "an integer");
  visit("max_seconds", training.max_seconds, "a number");
  visit("calibration_batches", training.calibration_batches, "an integer");
  visit("augmentation", training.augmentation, "a list of strings");
}

Json training_to_json(const TrainingRecipe& training) {
  Json json = {{"data", data_to_json(training.data)}};
  visit_training(training, [&](const char* key, const auto& value, const char* /*expected*/) {
    json[key] = value;
  });
  return json;
}

void training_from_json(const Json& json, const std::string& path, TrainingRecipe& training) {
  ObjectReader reader(json, path);
  training.enabled = true;
  if (const Json* data = reader.member("data")) {
    data_from_json(*data, reader.path_of("data"), training.data);
  }
  visit_training(training, [&](const char* key, auto& value, const char* expected) {
    reader.read(key, value, expected);
  });
  reader.finish();
}

}  // namespace

Json recipe_to_json(const Recipe& recipe) {
  const EvaluationRecipe& evaluation = recipe.evaluation;
  Json json;
  json["model"] = recipe.model;
  json["data"] = data_to_json(recipe.data);
  json["input_shapes"] = recipe.input_shapes;
  json["weight_bits"] = recipe.weight_bits;
  json["weight_bits_everywhere"] = recipe.weight_bits_everywhere;
  json["act_bits"] = recipe.act_bits;
  json["bias_bits"] = recipe.bias_bits;
  json["granularity"] = recipe.granularity;
  json["block_scale"] = recipe.block_scale;
  json["group_format"] = recipe.group_format;
  json["weight_schema"] = recipe.weight_schema;
  json["observer"] = recipe.observer;
  json["percentile"] = recipe.percentile;
  json["algorithms"] = recipe.algorithms;
  json["rounding_mode"] = recipe.rounding_mode;
  json["keep_float"] = recipe.keep_float;
  json["layer_bits"] = recipe.layer_bits;
  json["overrides"] = recipe.overrides;
  json["allow_unmatched_overrides"] = recipe.allow_unmatched_overrides;
  json["config"] = recipe.config;
  json["soc"] = recipe.soc;
  json["encodings_version"] = recipe.encodings_version;
  json["evaluation"] = {{"enabled", evaluation.enabled}, {"data", data_to_json(evaluation.data)},
                        {"labels", evaluation.labels},   {"metric", evaluation.metric},
                        {"data_b", evaluation.data_b},   {"lengths", evaluation.lengths}};
  if (recipe.training.enabled) json["training"] = training_to_json(recipe.training);
  if (recipe.prefix != Recipe{}.prefix) json["prefix"] = recipe.prefix;
  json["seed"] = recipe.seed;
  return json;
}

void recipe_from_json(const Json& json, const std::string& origin, Recipe& recipe) {
  ObjectReader reader(json, origin);
  reader.read("model", recipe.model, "a string");
  if (const Json* data = reader.member("data")) {
    data_from_json(*data, reader.path_of("data"), recipe.data);
  }
  reader.read("input_shapes", recipe.input_shapes, "an object of integer lists");
  reader.read("weight_bits", recipe.weight_bits, "an integer");
  reader.read("weight_bits_everywhere", recipe.weight_bits_everywhere, "true or false");
  reader.read("act_bits", recipe.act_bits, "an integer");
  reader.read("bias_bits", recipe.bias_bits, "an integer");
  reader.read("granularity", recipe.granularity, "a string");
  reader.read("block_scale", recipe.block_scale, "a string");
  reader.read("group_format", recipe.group_format, "a string");
  reader.read("weight_schema", recipe.weight_schema, "a string");
  reader.read("observer", recipe.observer, "a string");
  reader.read("percentile", recipe.percentile, "a number");
  reader.read("algorithms", recipe.algorithms, "a list of strings");
  reader.read("rounding_mode", recipe.rounding_mode, "a string");
  reader.read("keep_float", recipe.keep_float, "a list of strings");
  reader.read("layer_bits", recipe.layer_bits, "a list of strings");
  reader.read("overrides", recipe.overrides, "a string");
  reader.read("allow_unmatched_overrides", recipe.allow_unmatched_overrides, "true or false");
  reader.read("config", recipe.config, "a string");
  reader.read("soc", recipe.soc, "a string");
  reader.read("encodings_version", recipe.encodings_version, "a string");
  if (const Json* evaluation = reader.member("evaluation")) {
    evaluation_from_json(*evaluation, reader.path_of("evaluation"), recipe.evaluation);
  }
  if (const Json* training = reader.member("training")) {
    training_from_json(*training, reader.path_of("training"), recipe.training);
  }
  reader.read("prefix", recipe.prefix, "a string");
  reader.read("seed", recipe.seed, "an integer");
  reader.finish();
}

}  // namespace hexquant::pipeline
