#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/scratch_directory.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "hexquant/tensor.h"
#include "runtime/htp/htp_worker_client.h"
#include "runtime/inference_session.h"
#include "target/soc.h"

namespace hexquant::pipeline {

/// What a user can say about the simulated chip.
struct HtpRequest {
  std::string soc = "SM8650";
  int vtcm_mb = 0;       ///< 0 = all that the chip has
  int optimization = 3;  ///< 1..3: how long the vendor's compiler looks for a better program
  runtime::HtpLimits limits = {};
};

/// The vendor's options for a chip: VTCM always explicit and never more than the chip has, which
/// the vendor's compiler would accept without a word.
/// Finding: "vtcm-clamped".
[[nodiscard]] runtime::HtpOptions htp_options(const HtpRequest& request, const target::Soc& soc,
                                              Findings& findings);

/// Fixes every free dimension of the inputs, as the HTP needs it: the shapes given, else 1 for a
/// free first dimension and for every other one of the same symbol.
/// @throws Error(kInvalidArgument) naming the input and the option when another dimension is free
void fix_dimensions(graph::Graph& graph, const std::map<std::string, Shape>& shapes);

/// Batch 1 in the types of all values, for graphs whose types are certain (of passes::prepare):
/// what fix_dimensions and another inference would give, at no cost.
/// @return false, with the graph as it was, when that does not fix every shape: another dimension
/// is
///         free, or a value that is no part of a Q/DQ pair has no type
[[nodiscard]] bool fix_known_batch(graph::Graph& graph);

/// Shapes of one sample's tensors, for fix_dimensions.
[[nodiscard]] std::map<std::string, Shape> shapes_of(const runtime::Feeds& sample);

/// Models on the simulator: keeps the files that its processes read.
class HtpModels {
 public:
  /// @throws Error(kMissingComponent) when the vendor's package is not installed;
  ///         Error(kInvalidArgument) for an unknown chip
  HtpModels(const HtpRequest& request, int workers, Findings& findings,
            ProgressSink& progress = silent_progress());

  /// A session on the values `outputs` (empty: the graph's own outputs).
  /// @throws Error(kInvalidModel) with the provider's reason
  [[nodiscard]] std::unique_ptr<runtime::InferenceSession> open(
      const graph::Graph& graph, const std::map<std::string, Shape>& shapes,
      const std::vector<std::string>& outputs = {});
  [[nodiscard]] const target::Soc& soc() const noexcept { return soc_; }

 private:
  target::Soc soc_;
  runtime::HtpInstallation installation_;
  runtime::HtpOptions options_;
  runtime::HtpLimits limits_;
  int workers_;
  ProgressSink& progress_;
  ScratchDirectory scratch_;
  int files_ = 0;
};

}  // namespace hexquant::pipeline
