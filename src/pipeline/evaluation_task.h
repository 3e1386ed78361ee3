#pragma once

#include <cstdint>
#include <memory>

#include "data/dataset.h"
#include "evaluate/task.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/recipe.h"

namespace hexquant::pipeline {

/// A task together with the data sets that it points to.
struct EvaluationTask {
  std::unique_ptr<data::Dataset> data;
  std::unique_ptr<data::Dataset> data_b;
  evaluate::Task task;
};

/// Samples of the calibration source behind the calibrated ones, as calibration on the scored
/// samples flatters the result.
[[nodiscard]] DataRecipe held_out(const DataRecipe& calibration, std::int64_t samples);

/// Opens what a recipe scores a model with.
///
/// Without data of its own, the samples of the calibration source that come after the calibrated
/// ones are used; if there are none, the calibrated ones, with a finding. A disabled evaluation
/// gives SQNR over a few calibrated samples.
/// @param graph  the float model: its inputs decide how data is read
/// @throws Error for what is missing or does not fit
[[nodiscard]] EvaluationTask open_evaluation(const EvaluationRecipe& evaluation,
                                             const DataRecipe& calibration, std::uint64_t seed,
                                             const graph::Graph& graph, Findings& findings);

}  // namespace hexquant::pipeline
