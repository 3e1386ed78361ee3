#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "qat/quantizer.h"
#include "quant/quant_plan.h"

namespace hexquant::qat {

/// Which tensor of a graph is rounded by which quantizer.
class QuantizerMap {
 public:
  /// Tensors that share an encoding in the plan, and edges that re-encode one value alike, share a
  /// quantizer. int32 encodings (biases) get none.
  QuantizerMap(const graph::Graph& graph, const quant::QuantPlan& plan,
               const quant::EncodingTable& encodings, const NetworkOptions& options);

  /// Of a value or constant; nullptr = it stays float.
  [[nodiscard]] const Quantizer* of_value(const std::string& name) const;
  /// Of one input of a node, on top of the value's own; nullptr = none.
  [[nodiscard]] const Quantizer* of_edge(const std::string& node, std::size_t index) const;
  /// Each once, in a fixed order.
  [[nodiscard]] const std::vector<std::unique_ptr<Quantizer>>& all() const noexcept {
    return quantizers_;
  }
  /// Names of the constants with fewer codes than their type has.
  [[nodiscard]] const std::vector<std::string>& narrowed() const noexcept { return narrowed_; }
  /// Replaces every encoding that has a quantizer.
  void write(quant::EncodingTable& encodings) const;

 private:
  struct Scene;
  std::size_t add_value(const Scene& scene, const std::string& name, const Encoding& encoding);
  void add_edges(const Scene& scene);
  void apply_limits(const graph::Graph& graph);
  std::size_t add(std::unique_ptr<Quantizer> quantizer);

  std::vector<std::unique_ptr<Quantizer>> quantizers_;
  std::map<std::string, std::size_t> values_;
  std::map<quant::EdgeKey, std::size_t> edges_;
  std::map<std::string, std::size_t> groups_;
  std::vector<std::string> narrowed_;
};

}  // namespace hexquant::qat
