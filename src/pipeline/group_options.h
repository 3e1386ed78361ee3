#pragma once

#include "hexquant/recipe.h"
#include "pipeline/quantize_options.h"
#include "pipeline/quantize_pipeline.h"

namespace hexquant::pipeline {

/// Layer widths, block scales and the file's form of groups. @pre options.plan.granularity is set
/// @throws Error(kInvalidArgument) naming the option, the bad value and the allowed ones
void resolve_groups(const Recipe& recipe, QuantizeOptions& options);

/// Findings about what the written files cannot say of group-quantized weights, or the HTP cannot
/// take. @pre plan, encodings and quantized graph are final
void add_group_findings(QuantizedModel& model);

}  // namespace hexquant::pipeline
