#include "pipeline/quantized_start.h"

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "core/format.h"
#include "core/json.h"
#include "formats/encodings/encoding_table.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "pipeline/recipe_json.h"
#include "pipeline/result_files.h"
#include "pipeline/training_options.h"
#include "quant/read_qdq.h"

namespace hexquant::pipeline {
namespace {

namespace fs = std::filesystem;

/// Files of a result folder that training starts from.
struct StartFiles {
  fs::path quantized;
  fs::path weights;
  fs::path encodings;
};

StartFiles start_files(const fs::path& folder, const Recipe& made_with) {
  return {folder / quantized_file(made_with), folder / float_file(made_with),
          folder / (made_with.prefix + ".encodings")};
}

/// What of a recipe decides about widths, weights and encodings.
Json quantization_of(const Recipe& recipe) {
  Json json = recipe_to_json(recipe);
  for (const char* key :
       {"model", "data", "encodings_version", "evaluation", "training", "prefix", "seed"}) {
    json.erase(key);
  }
  return json;
}

void check_same_quantization(const Recipe& recipe, const fs::path& folder,
                             const Recipe& made_with) {
  const Json wanted = quantization_of(recipe);
  const Json given = quantization_of(made_with);
  for (const auto& [key, value] : wanted.items()) {
    if (value == given.at(key)) continue;
    throw Error(ErrorCode::kInvalidArgument,
                format("{}: {} is {} there, not {}: training goes on from its weights and "
                       "encodings; to quantize anew give the float model",
                       folder.string(), key, given.at(key).dump(), value.dump()));
  }
}

/// `graph` is `expected` with other numbers.
void check_same_nodes(const graph::Graph& graph, const graph::Graph& expected,
                      const std::string& file, const std::string& model) {
  std::map<std::string, const graph::Node*> nodes;
  for (const graph::Node& node : graph.nodes()) nodes[node.name()] = &node;
  for (const graph::Node& node : expected.nodes()) {
    const auto found = nodes.find(node.name());
    const bool fits = found != nodes.end() && found->second->op_type() == node.op_type() &&
                      found->second->inputs() == node.inputs() &&
                      found->second->outputs() == node.outputs();
    if (fits) continue;
    throw Error(ErrorCode::kInvalidData,
                format("{}: node '{}' ({}) of {} {}: expected the float model that it was made "
                       "from (--float)",
                       file, node.name(), node.op_type(), model,
                       found == nodes.end() ? "is missing" : "is another one"));
  }
}

/// `prepared` with the constants of the file.
graph::Graph read_weights(const graph::Graph& prepared, const fs::path& file,
                          const std::string& model) {
  const graph::Graph stored = formats::read_onnx(file);
  check_same_nodes(stored, prepared, file.string(), model);
  graph::Graph graph = prepared;
  for (const auto& [name, tensor] : prepared.initializers()) {
    const Tensor* found = stored.find_initializer(name);
    if (found == nullptr && prepared.uses(name).empty()) continue;
    if (found == nullptr || found->shape() != tensor.shape() || found->dtype() != tensor.dtype()) {
      throw Error(ErrorCode::kInvalidData,
                  format("{}: constant '{}' is {}: expected {} {} as in {}", file.string(), name,
                         found == nullptr ? "missing" : shape_text(found->shape()),
                         dtype_name(tensor.dtype()), shape_text(tensor.shape()), model));
    }
    graph.set_initializer(name, *found);
  }
  return graph;
}

/// Encodings of the weights in blocks that the model does not show, see quant::read_qdq().
void add_block_encodings(const graph::Graph& graph, const quant::QuantPlan& plan,
                         const target::Target& target, const fs::path& file,
                         quant::EncodingTable& table) {
  std::set<std::string> missing;
  for (const auto& [name, policy] : plan.tensors) {
    if (!table.tensors.contains(name)) missing.insert(name);
  }
  if (missing.empty()) return;
  formats::EncodingFile encodings = formats::read_encodings(file);
  std::erase_if(encodings.entries,
                [&](const formats::EncodingEntry& entry) { return !missing.contains(entry.name); });
  Findings unplaced;
  quant::EncodingTable found = formats::encoding_table(encodings, {graph, target.rules}, unplaced);
  for (const std::string& name : missing) {
    const quant::TensorPolicy& policy = plan.tensors.at(name);
    const auto encoding = found.tensors.find(name);
    const bool fits = encoding != found.tensors.end() && encoding->second.type == policy.type &&
                      encoding->second.granularity == policy.granularity &&
                      encoding->second.block_size == policy.block_size &&
                      encoding->second.has_two_level_scales() == (policy.block_scale_bits > 0);
    if (!fits) {
      throw Error(ErrorCode::kInvalidData,
                  format("{}: '{}' has no {} encoding in blocks of {}", file.string(), name,
                         dtype_name(policy.type), policy.block_size));
    }
    table.tensors[name] = std::move(encoding->second);
  }
}

/// Float weights where nearest rounding gives the stored ones: the same codes.
void keep_float_weights(const graph::Graph& prepared, QuantizedModel& model) {
  for (const auto& [name, policy] : model.plan.tensors) {
    if (policy.role != quant::Role::kWeight) continue;
    const Tensor& exact = *prepared.find_initializer(name);
    const Encoding& encoding = model.encodings.tensors.at(name);
    const Tensor& stored = *model.weights_on_grid.find_initializer(name);
    if (quantize_tensor(exact, encoding) == quantize_tensor(stored, encoding)) {
      model.weights_on_grid.set_initializer(name, exact);
    }
    const double unknown = std::numeric_limits<double>::quiet_NaN();
    model.weights.push_back({name, unknown, unknown});  // known when training has ended
  }
}

}  // namespace

Recipe folder_recipe(const fs::path& folder) {
  const fs::path file = folder / "recipe.json";
  if (!fs::is_regular_file(file)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("{}: no recipe.json in it: expected a float model, or a folder that "
                       "quantize, mixed-precision, auto or qat wrote",
                       folder.string()));
  }
  Recipe recipe;
  recipe_from_json(read_json(file.string()), file.string(), recipe);
  return recipe;
}

void check_start(const Recipe& recipe) {
  const fs::path folder = recipe.training.start;
  const Recipe made_with = folder_recipe(folder);
  check_same_quantization(recipe, folder, made_with);
  if (!fs::is_regular_file(recipe.model)) {
    throw Error(ErrorCode::kInvalidArgument,
                format("{}: the float model '{}' that it was made from is not there: give it with "
                       "--float",
                       folder.string(), recipe.model));
  }
  const StartFiles files = start_files(folder, made_with);
  for (const fs::path& file : {files.quantized, files.weights, files.encodings}) {
    if (fs::is_regular_file(file)) continue;
    throw Error(ErrorCode::kInvalidArgument,
                format("{}: no file {} in it: expected the results of quantize, mixed-precision, "
                       "auto or qat",
                       folder.string(), file.filename().string()));
  }
}

QuantizedModel load_stages(const Recipe& recipe, const QuantizeOptions& given,
                           const target::Target& target, int threads, ProgressSink& progress) {
  const StartFiles files = start_files(recipe.training.start, folder_recipe(recipe.training.start));
  QuantizeOptions options = given;
  // Shapes are measured on one sample; only equalization repeats what was calibrated.
  if (!options.equalize) options.data = training_data_options(recipe);
  QuantizedModel model;
  (void)prepare_and_plan(recipe, options, target, threads, model, progress);
  Stopwatch watch;
  model.weights_on_grid = read_weights(model.prepared, files.weights, recipe.model);
  model.encodings = quant::read_qdq(formats::read_onnx(files.quantized), model.prepared, model.plan,
                                    files.quantized.string());
  add_block_encodings(model.prepared, model.plan, target, files.encodings, model.encodings);
  keep_float_weights(model.prepared, model);
  model.seconds.emplace_back("load", watch.lap_seconds());
  return model;
}

}  // namespace hexquant::pipeline
