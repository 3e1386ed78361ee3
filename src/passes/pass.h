#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"

namespace hexquant::passes {

/// A BatchNormalization that a layer took over: with z the layer's output before it,
/// y = gamma (z - mean) / deviation + beta.
struct FoldedNorm {
  std::string layer;                ///< node that it was folded into
  std::vector<double> gamma, beta;  ///< with the Mul and Add behind it, per output channel
  std::vector<double> deviation;    ///< sqrt(variance + epsilon)
  double epsilon = 0.0;
};

/// What a pass did. Passes change the graph's form, never its float function.
struct PassReport {
  std::string pass;                           ///< name, e.g. "fold_batch_norm"
  std::vector<std::string> applied_to;        ///< nodes or values, in graph order
  Findings findings;                          ///< places where it could not act, and why
  std::vector<FoldedNorm> folded_norms = {};  ///< fold_batch_norm only
};

}  // namespace hexquant::passes
