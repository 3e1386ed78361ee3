#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "pipeline/compile_model.h"
#include "runtime/session.h"
#include "target/target.h"

namespace hexquant::pipeline {

/// What a form of a model costs on the NPU, with 8-bit weights and activations.
struct ModelCost {
  std::optional<double> predicted_us;  ///< by the latency model
  std::optional<double> vendor_us;     ///< by the vendor's simulation
  std::optional<std::int64_t> predicted_ddr_bytes;
  std::optional<std::int64_t> vendor_ddr_bytes;
  /// Bytes that operations read and write when each one is computed on its own: activations and
  /// weights of 8 bits. What fusion saves is seen here; DDR traffic is less, thanks to VTCM.
  std::int64_t traffic_bytes = 0;
  /// The same with nothing moved inside operations that the NPU runs as one.
  std::int64_t fused_traffic_bytes = 0;
};

/// Latency model: microseconds and DDR bytes of a QDQ graph with fixed shapes; absent = unknown.
using PredictCost =
    std::function<std::optional<std::pair<double, std::int64_t>>(const graph::Graph&)>;

/// Bytes of traffic, operation by operation. @param fusions  what the NPU runs as one writes
/// nothing in between (FusionRule::heads and tails); null = nothing is fused
[[nodiscard]] std::int64_t traffic_bytes(const graph::Graph& graph, const target::Rules* fusions);

/// Pairs of operations that the NPU runs as one.
[[nodiscard]] std::vector<std::string> fused_values(const graph::Graph& graph,
                                                    const target::Rules& rules);

/// The graph with Q/DQ pairs (W8A8, min-max over `samples`), no pass being run: what the NPU is
/// given when a model is quantized as it stands.
[[nodiscard]] graph::Graph quantize_as_it_stands(const graph::Graph& graph,
                                                 const target::Target& target,
                                                 const std::vector<runtime::Feeds>& samples,
                                                 int threads);

/// Measures forms of one model.
class CostMeter {
 public:
  /// @param estimate  ask the vendor's simulation too
  CostMeter(target::Target target, bool estimate, PredictCost predict, int threads,
            ProgressSink& progress);

  /// @param graph    float or QDQ; its shapes are found out
  /// @param samples  feeds of this form
  [[nodiscard]] ModelCost measure(const graph::Graph& graph,
                                  const std::vector<runtime::Feeds>& samples);
  /// Why figures are missing, each reason once.
  [[nodiscard]] const Findings& findings() const noexcept { return findings_; }

 private:
  void estimate(const graph::Graph& quantized, ModelCost& cost);
  void note(Finding finding);

  target::Target target_;
  bool estimate_;
  PredictCost predict_;
  int threads_;
  ProgressSink& progress_;
  Findings findings_;
};

}  // namespace hexquant::pipeline
