#include "pipeline/write_outputs.h"

#include "core/file_io.h"
#include "core/json.h"
#include "formats/encodings/write_encodings.h"
#include "formats/onnx/onnx_io.h"
#include "pipeline/recipe_json.h"

namespace hexquant::pipeline {

void write_outputs(const std::filesystem::path& folder, const QuantizedModel& model,
                   const Recipe& recipe) {
  formats::write_onnx(model.quantized, folder / "model.onnx");
  formats::write_onnx(model.weights_on_grid, folder / "model_float.onnx");
  write_file(folder / "model.encodings",
             to_text(formats::encodings_1_0_0(model.weights_on_grid, model.encodings)));
  write_file(folder / "overrides.json",
             to_text(formats::quantization_overrides(model.weights_on_grid, model.encodings)));
  write_file(folder / "recipe.json", to_text(recipe_to_json(recipe)));
}

}  // namespace hexquant::pipeline
