#pragma once

#include <string>

#include "plan/classify.h"
#include "plan/fusion.h"
#include "plan/sharing.h"
#include "quant/quant_plan.h"

namespace hexquant::plan {

/// Fills plan.tensors with the activations and plan.edges with the re-encodings.
///
/// A group's type is that of the node that computes it (unsigned, asymmetric). Groups that no
/// integer node computes (inputs, constants, results of float nodes) take the type that all their
/// readers want, or the widest. Every reader that wants another type gets an edge.
void plan_activations(const Context& context, const Fusions& fusions, const Sharing& sharing,
                      quant::QuantPlan& plan);

}  // namespace hexquant::plan
