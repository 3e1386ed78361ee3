#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "hexquant/finding.h"
#include "quant/quantsim_config.h"
#include "target/target.h"

namespace hexquant::plan {

/// What a quantsim configuration says of a node; without one, what the target's rules say.
///
/// An operation's own entry wins over `params`, which wins over the defaults; a flag that is
/// nowhere is off.
class ConfigRules {
 public:
  /// @param config  may be null; must outlive this object
  explicit ConfigRules(const quant::QuantsimConfig* config) : config_(config) {}

  [[nodiscard]] bool given() const noexcept { return config_ != nullptr; }
  [[nodiscard]] const quant::QuantsimConfig* config() const noexcept { return config_; }

  [[nodiscard]] bool quantizes_inputs(const graph::Node& node) const;
  [[nodiscard]] bool quantizes_outputs(const graph::Node& node) const;
  [[nodiscard]] bool quantizes_model_inputs() const;
  [[nodiscard]] bool quantizes_model_outputs() const;
  [[nodiscard]] bool symmetric_activations(const graph::Node& node) const;
  [[nodiscard]] bool unsigned_symmetric() const;
  [[nodiscard]] bool strict_symmetric() const;

  [[nodiscard]] bool quantizes_param(const graph::Node& node, const char* kind) const;
  /// nullopt without a configuration.
  [[nodiscard]] std::optional<bool> symmetric_param(const graph::Node& node,
                                                    const char* kind) const;
  [[nodiscard]] std::optional<bool> per_channel(const graph::Node& node) const;

  /// Range of the node's output that is known beforehand.
  [[nodiscard]] std::optional<Range> fixed_range(const graph::Node& node,
                                                 const target::OpRule& rule) const;
  /// Bounds of a range that is observed; open ends are infinite.
  [[nodiscard]] std::optional<Range> range_limits(const graph::Node& node) const;

  /// True if some kernel computes integers, of this width of activations where `act_bits` is set.
  [[nodiscard]] bool has_integer_kernel(const graph::Node& node, int act_bits = 0) const;
  /// True if some kernel takes weights of this width with such activations.
  [[nodiscard]] bool has_weight_kernel(const graph::Node& node, int act_bits,
                                       int weight_bits) const;

  /// True if a pattern that is found by code ("MatmulAdd") is to count as one operation.
  [[nodiscard]] bool runs_pass(const char* name) const;

 private:
  [[nodiscard]] const quant::QuantsimOp* find_op(const graph::Node& node) const;
  [[nodiscard]] std::optional<bool> param_flag(const graph::Node& node, const char* kind,
                                               std::optional<bool> quant::QuantsimParam::*) const;
  [[nodiscard]] const std::vector<quant::QuantsimKernel>* kernels(const graph::Node& node) const;

  const quant::QuantsimConfig* config_;
};

/// Findings about a configuration that no node shows: another hardware version, unknown passes.
void check_config(const quant::QuantsimConfig& config, const target::Target& target,
                  Findings& findings);

}  // namespace hexquant::plan
