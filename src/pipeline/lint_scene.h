#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "formats/encodings/encoding_file.h"
#include "graph/graph.h"
#include "plan/classify.h"
#include "plan/fusion.h"
#include "plan/plan.h"
#include "plan/sharing.h"
#include "target/target.h"

namespace hexquant::pipeline {

/// An encodings file laid over the model it is for: what the checks of `encodings lint` read.
class LintScene {
 public:
  /// @pre the types of the graph's values are known; graph and target outlive the scene
  LintScene(const formats::EncodingFile& file, const graph::Graph& graph,
            const target::Target& target);
  LintScene(const LintScene&) = delete;
  LintScene& operator=(const LintScene&) = delete;

  const graph::Graph& graph;
  const target::Target& target;
  /// Entries of the file whose tensors the model has, the last of each name, with their axes.
  std::vector<formats::EncodingEntry> entries;

 private:
  plan::PlanOptions options_;
  plan::ConfigRules config_{nullptr};  // the chip's own rules
  plan::TensorOverrides overrides_;    // none: the file is what is checked
  Findings unused_;                    // of the classification, for a plan that is not this file's
  std::unordered_map<std::string, std::size_t> index_;

 public:
  plan::Context context;
  plan::Fusions fusions;
  plan::Sharing sharing;
  Findings findings;
  /// Tensors with an error: further checks that would only repeat it are left out.
  std::unordered_set<std::string> faulty;

  [[nodiscard]] const formats::EncodingEntry* find(const std::string& tensor) const;
  /// The entry, if it gives the tensor integer codes (a width alone counts).
  [[nodiscard]] const formats::EncodingEntry* find_integer(const std::string& tensor) const;
  void error(const char* id, const std::string& where, const std::string& reason,
             const std::string& fix);
  void note(const char* id, Severity severity, const std::string& where, const std::string& reason,
            const std::string& fix);

  /// Constant that a layer multiplies with: its name, or "" when computed or absent.
  [[nodiscard]] std::string weight_of(const graph::Node& node) const;
  /// Activations that an integer node reads, without the interior of its chain.
  [[nodiscard]] std::vector<std::string> activations_of(const graph::Node& node) const;
  /// What a node computes, once the operations fused behind it are done.
  [[nodiscard]] const std::string& result_of(const graph::Node& node) const;
};

/// Checks of single entries: numbers, groups, counts of channels and blocks, ranges of weights.
void check_entries(LintScene& scene);
/// Checks of nodes with all their entries: float mixed with integers, movers whose sides differ
/// and, when `check_htp`, formats that the chip does not take.
void check_nodes(LintScene& scene, bool check_htp);

}  // namespace hexquant::pipeline
