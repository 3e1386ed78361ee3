#include "target/placement.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/format.h"
#include "target/acceptance.h"
#include "target/node_unit.h"

namespace hexquant::target {
namespace {

using graph::Graph;
using graph::Node;

class Predictor {
 public:
  Predictor(const Rules& rules, const Graph& model) : rules_(rules), model_(model), units_(model) {
    placed_.reserve(model.nodes().size());
  }

  PlacementReport run() {
    for (const Node& node : model_.nodes()) {
      if (is_pair_part(node)) continue;
      if (follows_.contains(&node)) continue;
      place(node);
    }
    for (const Node& node : model_.nodes()) {
      if (is_pair_part(node)) place_pair_part(node);
    }
    PlacementReport report;
    report_missing_float();
    report.rejections = std::move(rejections_);
    report.findings = std::move(findings_);
    for (const Node& node : model_.nodes()) {
      const auto found = placed_.find(&node);
      if (found != placed_.end()) report.nodes.push_back(std::move(found->second));
    }
    return report;
  }

 private:
  void place(const Node& node) {
    NodeUnit unit = units_.find(node);
    Placement placement{node.name(), node.op_type(), Unit::kNpuInteger, "", ""};
    const bool joined = decide(unit, placement);
    if (unit.addition != nullptr) follow(node, *unit.addition, placement);
    if (unit.clamp != nullptr && joined) {
      follow(node, *unit.clamp, placement);
    }
    placed_[&node] = std::move(placement);
  }

  void follow(const Node& head, const Node& tail, const Placement& placement) {
    Placement copy = placement;
    copy.node = tail.name();
    copy.op_type = tail.op_type();
    placed_[&tail] = copy;
    follows_[&tail] = &head;
  }

  /// Q and DQ nodes: at the model's border, between two types, beside a float operation, or part of
  /// an integer one.
  void place_pair_part(const Node& node) {
    Placement placement{node.name(), node.op_type(), Unit::kFolded, "", ""};
    const bool quantize = is_quantize(node);
    const Node* other = quantize ? model_.producer(node.input(0)) : single_reader(node);
    if (quantize ? model_.is_input(node.input(0)) : model_.is_output(node.output())) {
      placement.unit = Unit::kCpu;
      placement.reason = "Q/DQ at the border of the model run on the CPU";
      placement.fix = "give the model integer inputs and outputs, or compile with --io-on-device";
    } else if (other != nullptr && (quantize ? is_dequantize(*other) : is_quantize(*other))) {
      placement.unit = Unit::kNpuInteger;
      placement.reason = "a Convert between two encodings";
    } else if (other != nullptr && placed_.contains(other)) {
      const Placement& neighbour = placed_.at(other);
      const bool constant = !quantize && model_.find_initializer(node.input(0)) != nullptr;
      if (neighbour.unit == Unit::kNpuFloat && !constant) placement.unit = Unit::kNpuFloat;
      if (neighbour.unit == Unit::kCpu && !constant) placement.unit = Unit::kCpu;
      placement.reason = "part of " + neighbour.node;
    }
    placed_[&node] = std::move(placement);
  }

  [[nodiscard]] const Node* single_reader(const Node& dequantize) const {
    const auto& uses = model_.uses(dequantize.output());
    return uses.empty() ? nullptr : uses.front().node;
  }

  /// @return true when a Relu or Clip behind the operation is part of it
  bool decide(const NodeUnit& unit, Placement& placement) {
    const OpRule* rule = find_rule(rules_, *unit.node);
    if (rule == nullptr) {
      placement.unit = Unit::kCpu;
      placement.reason = format("{} is not known to run on the HTP", op_key(*unit.node));
      return false;
    }
    const Acceptance verdict = acceptance(rules_, model_, unit, *rule);
    placement.reason = verdict.reason;
    placement.fix = verdict.fix;
    if (verdict.verdict == Verdict::kFloat) placement.unit = Unit::kNpuFloat;
    if (verdict.verdict == Verdict::kRefused) placement.unit = Unit::kCpu;
    if (verdict.rejects_model) {
      rejections_.push_back({placement.node, placement.op_type, placement.reason, placement.fix});
    }
    if (verdict.verdict != Verdict::kRefused) find_traps(unit, *rule, verdict);
    return verdict.joined && verdict.verdict != Verdict::kFloat;
  }

  void warn(const NodeUnit& unit, const char* id, const std::string& reason,
            const std::string& fix) {
    findings_.push_back({id, Severity::kWarning, unit.node->name(), reason, fix});
  }

  /// What the vendor's compiler takes without a word and computes wrongly, or is not known to
  /// compute rightly. Source of each: notes of data/targets/hexagon.json.
  void find_traps(const NodeUnit& unit, const OpRule& rule, const Acceptance& verdict) {
    const bool blocks = verdict.verdict == Verdict::kFloat && verdict.joined;
    if (blocks && unit.inputs.size() > 2 && unit.inputs.back().kind != OperandKind::kAbsent) {
      warn(unit, "computed-wrong",
           "block-quantized weights with a bias: taken, but computed wrongly",
           "move the bias into an Add behind the layer");
    }
    if (verdict.verdict != Verdict::kInteger || rule.role == OpRole::kIgnored) return;
    for (const Operand& operand : unit.inputs) {
      const bool is_activation = operand.kind == OperandKind::kQuantized;
      if (!is_activation || contains_type(rule.types, operand.format.type)) continue;
      warn(unit, "not-measured-right",
           format("{} with {} activations is taken, but not known to give the right numbers",
                  unit.node->op_type(), dtype_name(operand.format.type)),
           "use " + dtype_name(rule.types.empty() ? DType::kUInt8 : rule.types.front()));
      return;
    }
    if (const auto obstacle = legality(rules_, model_, *unit.node, unit.formats())) {
      warn(unit, "computed-wrong",
           format("{} is taken, but not computed rightly: {}", unit.node->op_type(), *obstacle),
           wrong_fix(unit, rule));
    }
    if (exceeds_code_limit(unit, rule)) {
      warn(unit, "int16-codes-saturate",
           format("int16 weights with codes above {} saturate on the HTP", rules_.int16_max_code),
           "use a symmetric scale of max / " + std::to_string(rules_.int16_max_code));
    }
  }

  static bool contains_type(const std::vector<DType>& types, DType type) {
    return std::find(types.begin(), types.end(), type) != types.end();
  }

  [[nodiscard]] std::string wrong_fix(const NodeUnit& unit, const OpRule& rule) const {
    if (rule.second_operand >= 0 && find_constant(model_, unit.node->input(1)) == nullptr) {
      return "give the second operand int16, symmetric (HTP v73 on), or int8";
    }
    return "put one symmetric scale on each output channel of the weights (--granularity channel)";
  }

  [[nodiscard]] bool exceeds_code_limit(const NodeUnit& unit, const OpRule& rule) const {
    if (!rule.weight) return false;
    const Tensor* codes =
        find_constant(model_, unit.node->input(static_cast<std::size_t>(rule.weight->input)));
    if (codes == nullptr || codes->dtype() != DType::kInt16) return false;
    const auto values = codes->data<std::int16_t>();
    return std::any_of(values.begin(), values.end(),
                       [&](std::int16_t code) { return code > rules_.int16_max_code; });
  }

  /// Chips without float16 cannot run what the vendor's x86 simulator computes in float32.
  void report_missing_float() {
    if (rules_.has_float()) return;
    std::vector<std::string> nodes;
    for (const auto& [node, placement] : placed_) {
      if (placement.unit == Unit::kNpuFloat) nodes.push_back(placement.node);
    }
    if (nodes.empty()) return;
    std::sort(nodes.begin(), nodes.end());
    findings_.push_back(
        {"no-float-on-this-chip", Severity::kError, nodes.front(),
         format("{} nodes would run in float, which this HTP does not have, although the vendor's "
                "simulator computes it: {}",
                nodes.size(), join(nodes, ", ")),
         "quantize them, or leave them to the CPU in a model of its own"});
  }

  const Rules& rules_;
  const Graph& model_;
  UnitFinder units_;
  std::unordered_map<const Node*, Placement> placed_;
  std::unordered_map<const Node*, const Node*> follows_;
  std::vector<Rejection> rejections_;
  Findings findings_;
};

}  // namespace

const char* unit_name(Unit unit) noexcept {
  switch (unit) {
    case Unit::kNpuInteger:
      return "npu-integer";
    case Unit::kNpuFloat:
      return "npu-float";
    case Unit::kCpu:
      return "cpu";
    case Unit::kFolded:
      return "folded";
  }
  return "?";
}

const Placement* PlacementReport::find(const std::string& node) const noexcept {
  const auto found = std::find_if(nodes.begin(), nodes.end(),
                                  [&](const Placement& entry) { return entry.node == node; });
  return found == nodes.end() ? nullptr : &*found;
}

PlacementReport predict_placement(const Rules& rules, const Graph& model) {
  return Predictor(rules, model).run();
}

}  // namespace hexquant::target
