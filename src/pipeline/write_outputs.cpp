#include "pipeline/write_outputs.h"

#include <array>
#include <cstdint>
#include <set>
#include <utility>

#include "core/file_io.h"
#include "core/json.h"
#include "core/parallel.h"
#include "formats/encodings/write_encodings.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "pipeline/recipe_json.h"
#include "pipeline/result_files.h"

namespace hexquant::pipeline {

std::vector<std::string> float_tensors(const graph::Graph& graph, const quant::QuantPlan& plan) {
  constexpr int kFloatBits = 32;
  std::set<std::string> float_nodes;
  for (const quant::LayerDecision& layer : plan.layers) {
    if (layer.act_bits == kFloatBits) float_nodes.insert(layer.node);
  }
  std::vector<std::string> tensors;
  std::set<std::string> seen;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && seen.insert(name).second) tensors.push_back(name);
  };
  for (const graph::Node& node : graph.nodes()) {
    if (!float_nodes.contains(node.name())) continue;
    for (const std::string& input : node.inputs()) {
      const Tensor* constant = graph.find_initializer(input);
      const bool is_float = constant != nullptr && constant->dtype() == DType::kFloat32;
      if (is_float && !plan.tensors.contains(input) && !plan.biases.contains(input)) add(input);
    }
    for (const std::string& output : node.outputs()) {
      const graph::ValueType* type = graph.find_type(output);
      if (type != nullptr && type->dtype == DType::kFloat32) add(output);
    }
  }
  return tensors;
}

Findings write_outputs(const std::filesystem::path& folder, const QuantizedModel& model,
                       const Recipe& recipe, int threads) {
  const std::array<std::pair<const graph::Graph*, std::string>, 2> models = {
      {{&model.quantized, quantized_file(recipe)}, {&model.weights_on_grid, float_file(recipe)}}};
  parallel_for(2, threads, [&](std::int64_t i) {
    const auto& [graph, name] = models[static_cast<std::size_t>(i)];
    formats::write_onnx(*graph, folder / name);
  });
  Findings findings;
  const auto version = formats::find_version(recipe.encodings_version);
  HEXQUANT_CHECK(version.has_value(), "the recipe's encodings version is checked");
  write_file(
      folder / (recipe.prefix + ".encodings"),
      to_text(formats::encodings_json(model.weights_on_grid, model.encodings, *version, findings)));
  write_file(folder / "overrides.json", to_text(formats::quantization_overrides(
                                            model.weights_on_grid, model.encodings,
                                            float_tensors(model.weights_on_grid, model.plan))));
  write_file(folder / "recipe.json", to_text(recipe_to_json(recipe)));
  return findings;
}

}  // namespace hexquant::pipeline
