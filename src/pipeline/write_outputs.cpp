#include "pipeline/write_outputs.h"

#include <array>
#include <cstdint>
#include <utility>

#include "core/file_io.h"
#include "core/json.h"
#include "core/parallel.h"
#include "formats/encodings/write_encodings.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "pipeline/recipe_json.h"

namespace hexquant::pipeline {

Findings write_outputs(const std::filesystem::path& folder, const QuantizedModel& model,
                       const Recipe& recipe, int threads) {
  const std::array<std::pair<const graph::Graph*, const char*>, 2> models = {
      {{&model.quantized, "model.onnx"}, {&model.weights_on_grid, "model_float.onnx"}}};
  parallel_for(2, threads, [&](std::int64_t i) {
    const auto& [graph, name] = models[static_cast<std::size_t>(i)];
    formats::write_onnx(*graph, folder / name);
  });
  Findings findings;
  const auto version = formats::find_version(recipe.encodings_version);
  HEXQUANT_CHECK(version.has_value(), "the recipe's encodings version is checked");
  write_file(
      folder / "model.encodings",
      to_text(formats::encodings_json(model.weights_on_grid, model.encodings, *version, findings)));
  write_file(folder / "overrides.json",
             to_text(formats::quantization_overrides(model.weights_on_grid, model.encodings)));
  write_file(folder / "recipe.json", to_text(recipe_to_json(recipe)));
  return findings;
}

}  // namespace hexquant::pipeline
