#pragma once

#include <map>
#include <string>

#include "calibrate/calibrator.h"
#include "calibrate/observer.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "quant/quant_plan.h"
#include "quant/statistics.h"

namespace hexquant::calibrate {

/// The values whose statistics decide the encodings of a plan: one for each group of tensors that
/// share an encoding, none for fixed ranges and constants. Min-max needs no histogram.
[[nodiscard]] std::map<std::string, Tap> taps_for_plan(const graph::Graph& graph,
                                                       const quant::QuantPlan& plan);

/// Turns statistics into encodings for every activation, static operand and re-encoded edge.
/// @param findings  gains one entry for each tensor with non-finite elements
/// @throws Error(kInvalidModel) naming a constant with NaN or infinite values
[[nodiscard]] quant::EncodingTable encode_activations(const graph::Graph& graph,
                                                      const quant::QuantPlan& plan,
                                                      const quant::Statistics& statistics,
                                                      const ObserverOptions& observer,
                                                      Findings& findings);

}  // namespace hexquant::calibrate
