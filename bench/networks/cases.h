#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/plan.h"

namespace hexquant::networks {

/// A model whose vendor estimate the latency model is fitted to, or checked against.
struct Case {
  std::string name;  ///< unique; stands in the results
  std::string kind;  ///< layer type, or the family of a whole network
  bool is_network = false;
  bool kept_out = false;        ///< not fitted: tells how far the model can be trusted
  bool io_on_device = true;     ///< float inputs and outputs, quantized on the NPU; else uint8
  int vtcm_mb = 0;              ///< 0 = the chip's largest
  plan::PlanOptions plan = {};  ///< bits of weights and activations
  std::function<graph::Graph()> make;
};

/// Chains and small graphs of one type of layer, from those that only cost their floor to those
/// bound by weights. A third is kept out.
[[nodiscard]] std::vector<Case> micro_cases();

/// Whole networks: families and sizes of which some are kept out altogether.
[[nodiscard]] std::vector<Case> network_cases();

/// 50 sizes of one family, for the order in which the model puts them. All kept out.
[[nodiscard]] std::vector<Case> variant_cases();

/// Networks with less VTCM than the chip has. All kept out.
[[nodiscard]] std::vector<Case> vtcm_cases();

/// All of them.
[[nodiscard]] std::vector<Case> all_cases();

/// The quantized model of a case: planned for `soc` as `hexquant quantize` does, with made-up
/// ranges: 0..6 behind Relu and the like, -2.2..2.7 elsewhere. Costs depend on no more than that.
[[nodiscard]] graph::Graph quantize_case(const Case& item, const std::string& soc);

/// The same with codes and scales that are made up: all that a prediction looks at.
[[nodiscard]] graph::Graph structure_of_case(const Case& item, const std::string& soc);

}  // namespace hexquant::networks
