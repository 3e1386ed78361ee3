#include "calibrate/encode_activations.h"

#include <algorithm>
#include <cmath>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::calibrate {
namespace {

using quant::QuantPlan;
using quant::Role;
using quant::TensorPolicy;

/// The tensor whose statistics decide the encoding of `name`.
const std::string& representative(const QuantPlan& plan, const std::string& name) {
  const auto found = plan.tensors.find(name);
  if (found == plan.tensors.end() || found->second.shares_encoding_of.empty()) return name;
  return found->second.shares_encoding_of;
}

/// True if every reader of the value is a Softmax over its last axis.
bool feeds_softmax_only(const graph::Graph& graph, const std::string& value) {
  const auto& readers = graph.uses(value);
  return !readers.empty() && !graph.is_output(value) &&
         std::all_of(readers.begin(), readers.end(), [](const graph::Use& use) {
           return use.index == 0 && use.node->is("Softmax") &&
                  use.node->int_attribute("axis", -1) == -1;
         });
}

/// Range of a Softmax input: everything that can still change a code of the output.
///
/// Entries more than ln(2^(bits+1) n) below their row's maximum add less than half an output step
/// together, for rows of n entries, so the range starts that far below the smallest row maximum.
/// An attention mask of -10000 or -3e38 therefore saturates instead of eating the whole grid.
Range softmax_range(const quant::ValueStatistics& values, int bits) {
  const double margin = std::log(std::ldexp(static_cast<double>(values.row_length), bits + 1));
  const auto floor = static_cast<float>(*values.smallest_row_max - margin);
  return {std::max(values.min, floor), values.max};
}

bool needs_statistics(const TensorPolicy& policy) {
  return !policy.fixed_range && !policy.fixed_encoding;
}

Range constant_range(const std::string& name, const Tensor& tensor) {
  Range range;
  for (const float value : tensor.data<float>()) {
    if (!std::isfinite(value)) {
      throw Error(ErrorCode::kInvalidModel,
                  format("constant '{}' holds {}: expected finite values", name, value));
    }
    range.min = std::min(range.min, value);
    range.max = std::max(range.max, value);
  }
  return range;
}

/// Reads the numbers of a plan from statistics, one encoding at a time.
class ActivationEncoder {
 public:
  ActivationEncoder(const graph::Graph& graph, const QuantPlan& plan,
                    const quant::Statistics& statistics, const ObserverOptions& observer)
      : graph_(graph), plan_(plan), statistics_(statistics), observer_(observer) {}

  [[nodiscard]] Encoding encode(const std::string& name, const TensorPolicy& policy) const {
    if (policy.fixed_encoding) return *policy.fixed_encoding;
    const Range chosen = limited(range(name, policy), policy);
    const bool uses_all_codes = policy.unsigned_if_positive && chosen.min >= 0.0F;
    Encoding encoding = encoding_from_range(chosen, policy.type,
                                            policy.symmetric && !uses_all_codes, policy.strict);
    encoding.symmetric = policy.symmetric;
    return encoding;
  }

 private:
  static Range limited(const Range& range, const TensorPolicy& policy) {
    if (!policy.range_limits) return range;
    return {std::max(range.min, policy.range_limits->min),
            std::min(range.max, policy.range_limits->max)};
  }

  [[nodiscard]] Range range(const std::string& name, const TensorPolicy& policy) const {
    if (policy.fixed_range) return *policy.fixed_range;
    const std::string& source = representative(plan_, name);
    if (const Tensor* constant = graph_.find_initializer(source)) {
      return constant_range(source, *constant);
    }
    const auto found = statistics_.values.find(source);
    HEXQUANT_CHECK(found != statistics_.values.end(), "no statistics of '" + source + "'");
    const int bits = dtype_bits(policy.type);
    if (found->second.smallest_row_max) return softmax_range(found->second, bits);
    return choose_range(found->second, observer_, bits, policy.symmetric);
  }

  const graph::Graph& graph_;
  const QuantPlan& plan_;
  const quant::Statistics& statistics_;
  const ObserverOptions& observer_;
};

void report_non_finite(const quant::Statistics& statistics, Findings& findings) {
  for (const auto& [name, values] : statistics.values) {
    if (values.non_finite_count == 0) continue;
    findings.push_back({"non-finite-activation", Severity::kWarning, name,
                        format("{} of {} calibration values are NaN or infinite",
                               values.non_finite_count, values.non_finite_count + values.count),
                        "check the preprocessing and the model on these samples"});
  }
}

const std::string& edge_value(const graph::Graph& graph, const quant::EdgeKey& edge) {
  for (const graph::Node& node : graph.nodes()) {
    if (node.name() == edge.node) return node.input(static_cast<std::size_t>(edge.index));
  }
  throw Error(ErrorCode::kInternal, "no node '" + edge.node + "'");
}

/// Values whose encoding is given need no statistics, but the runtime fuses what is not tapped and
/// rounds it otherwise: the others would get other last digits than without the overrides.
void add_given_values(const graph::Graph& graph, const QuantPlan& plan,
                      std::map<std::string, Tap>& taps) {
  for (const auto& [name, policy] : plan.tensors) {
    const std::string& source = representative(plan, name);
    if (policy.role != Role::kActivation || !policy.fixed_encoding || policy.fixed_range) continue;
    if (graph.find_initializer(source) == nullptr)
      taps.try_emplace(source, Tap{.histogram = false});
  }
}

}  // namespace

std::map<std::string, Tap> taps_for_plan(const graph::Graph& graph, const QuantPlan& plan) {
  std::map<std::string, Tap> taps;
  const auto add = [&](const std::string& value, const TensorPolicy& policy) {
    const std::string& source = representative(plan, value);
    if (!needs_statistics(policy) || graph.find_initializer(source) != nullptr) return;
    taps[source].row_maxima = feeds_softmax_only(graph, source);
  };
  for (const auto& [name, policy] : plan.tensors) {
    if (policy.role == Role::kActivation) add(name, policy);
  }
  for (const auto& [edge, policy] : plan.edges) add(edge_value(graph, edge), policy);
  if (!taps.empty()) add_given_values(graph, plan, taps);
  return taps;
}

quant::EncodingTable encode_activations(const graph::Graph& graph, const QuantPlan& plan,
                                        const quant::Statistics& statistics,
                                        const ObserverOptions& observer, Findings& findings) {
  const ActivationEncoder encoder(graph, plan, statistics, observer);
  quant::EncodingTable encodings;
  for (const auto& [name, policy] : plan.tensors) {
    if (policy.role == Role::kActivation) encodings.tensors[name] = encoder.encode(name, policy);
  }
  for (const auto& [edge, policy] : plan.edges) {
    encodings.edges[edge] = encoder.encode(edge_value(graph, edge), policy);
  }
  report_non_finite(statistics, findings);
  return encodings;
}

}  // namespace hexquant::calibrate
