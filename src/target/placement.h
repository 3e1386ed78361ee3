#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/finding.h"
#include "target/rules.h"

namespace hexquant::target {

/// Where a node is computed.
enum class Unit {
  kNpuInteger,  ///< on the NPU, in integers
  kNpuFloat,    ///< on the NPU, in float16
  kCpu,         ///< on the CPU, with a transfer on either side
  kFolded       ///< nothing of its own is computed: part of another operation, or a constant
};

/// "npu-integer", "npu-float", "cpu", "folded".
[[nodiscard]] const char* unit_name(Unit unit) noexcept;

struct Placement {
  std::string node;
  std::string op_type;
  Unit unit = Unit::kCpu;
  std::string reason;  ///< why not in integers on the NPU, or what it became part of
  std::string fix;     ///< what mends it; empty when nothing is wrong
};

/// A node because of which the vendor's compiler refuses the whole model.
struct Rejection {
  std::string node;
  std::string op_type;
  std::string reason;
  std::string fix;
};

/// Where every node of a QDQ model runs.
struct PlacementReport {
  std::vector<Placement> nodes;  ///< in the graph's order
  std::vector<Rejection> rejections;
  Findings findings;  ///< accepted, but computed wrongly or in another way than the model says

  [[nodiscard]] const Placement* find(const std::string& node) const noexcept;
};

/// Where the nodes of a QDQ model will run, from the rules alone.
///
/// Any QDQ model: written here, by ONNX Runtime's quantizer or by hand. The Q/DQ pairs around each
/// operation become target::NodeFormats; target::legality and the rules of the target decide.
/// Shapes are used where `model` has them; run passes::infer_shapes first. What is known about the
/// steps between file and NPU, and how often the answer agrees with the vendor's compiler:
/// docs/methods/placement.md.
[[nodiscard]] PlacementReport predict_placement(const Rules& rules, const graph::Graph& model);

}  // namespace hexquant::target
