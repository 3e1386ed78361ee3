#pragma once

#include "core/json.h"
#include "hexquant/recipe.h"

namespace hexquant::pipeline {

[[nodiscard]] Json recipe_to_json(const Recipe& recipe);

/// Members that are absent keep their value in `recipe`.
/// @throws Error(kInvalidData) naming an unknown key or a value of the wrong type
void recipe_from_json(const Json& json, const std::string& origin, Recipe& recipe);

}  // namespace hexquant::pipeline
