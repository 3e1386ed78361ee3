#include <algorithm>
#include <optional>

#include "core/format.h"
#include "formats/encodings/encoding_table.h"
#include "pipeline/lint_scene.h"
#include "target/legality.h"

namespace hexquant::pipeline {
namespace {

using formats::EncodingEntry;
using formats::ScaleKind;
using graph::Node;

std::optional<target::TensorFormat> format_of(const EncodingEntry* entry) {
  if (entry == nullptr) return std::nullopt;
  const auto type = formats::code_type(*entry);
  if (!type) return std::nullopt;
  target::TensorFormat format;
  format.type = *type;
  format.symmetric = entry->symmetric.value_or(false);
  format.axis = entry->axis.value_or(0);
  format.block_size = entry->block_size;
  format.granularity = entry->kind == ScaleKind::kChannel ? Granularity::kChannel
                       : entry->block_size != 0           ? Granularity::kGroup
                                                          : Granularity::kTensor;
  return format;
}

std::string numbers_text(const EncodingEntry& entry) {
  if (entry.is_float) return format("float{}", entry.bits);
  if (entry.scale.empty()) return format("{} bits", entry.bits);
  return format("{} bits, scale {}, offset {}", entry.bits, entry.scale.front(),
                entry.offset.front());
}

bool same_numbers(const EncodingEntry& a, const EncodingEntry& b) {
  if (a.is_float || b.is_float) return a.is_float == b.is_float && a.bits == b.bits;
  return a.bits == b.bits && a.scale == b.scale && a.offset == b.offset;
}

class NodeCheck {
 public:
  NodeCheck(LintScene& scene, const Node& node)
      : scene_(scene), node_(node), choice_(scene.context.choice(node)) {}

  void run(bool check_htp) {
    if (choice_.handling == plan::Handling::kMover) check_mover();
    if (choice_.handling == plan::Handling::kFloat && check_htp) check_float_node();
    if (scene_.fusions.is_member(node_) || is_faulty()) return;
    if (choice_.handling == plan::Handling::kInteger && check_mix()) return;
    if (check_htp && choice_.handling != plan::Handling::kFloat &&
        choice_.handling != plan::Handling::kOutside) {
      check_formats();
    }
  }

 private:
  [[nodiscard]] bool is_faulty() const {
    const auto faulty = [&](const std::string& value) { return scene_.faulty.contains(value); };
    return std::any_of(node_.inputs().begin(), node_.inputs().end(), faulty) ||
           faulty(scene_.result_of(node_));
  }

  /// Codes are moved, not computed: both sides must mean the same by them.
  void check_mover() {
    const EncodingEntry* in = scene_.find(node_.input(0));
    if (in == nullptr) return;
    for (const std::string& output : node_.outputs()) {
      const EncodingEntry* out = scene_.find(output);
      if (out == nullptr || same_numbers(*in, *out) || scene_.faulty.contains(output)) continue;
      scene_.error(
          "mover-disagrees", output,
          format("{} '{}' moves codes, but its input '{}' has {} and its output {}",
                 node_.op_type(), node_.name(), in->name, numbers_text(*in), numbers_text(*out)),
          "give both the same encoding, or leave the output out");
    }
  }

  void check_float_node() {
    for (const std::string& output : node_.outputs()) {
      if (scene_.find_integer(output) == nullptr) continue;
      scene_.note("htp-illegal", Severity::kWarning, output,
                  format("{} '{}' does not run in integers: {}", node_.op_type(), node_.name(),
                         choice_.reason),
                  "replace the operation, or leave its tensors without encodings");
    }
  }

  /// Float activations with integer weights, or the reverse for a computed second operand.
  bool check_mix() {
    const std::string weight = scene_.weight_of(node_);
    const bool has_operand = choice_.rule->second_operand >= 0 && weight.empty();
    if (weight.empty() && !has_operand) return false;
    const std::string& first = node_.input(0);
    const std::string& second =
        weight.empty() ? node_.input(static_cast<std::size_t>(choice_.rule->second_operand))
                       : weight;
    const EncodingEntry* a = scene_.find(first);
    const EncodingEntry* b = scene_.find(second);
    if (a == nullptr || b == nullptr) return false;
    const bool mixed = a->is_float != b->is_float && (a->is_float || weight.empty());
    if (!mixed) return false;
    scene_.error("float-integer-mix", node_.name(),
                 format("{} multiplies '{}' ({}) with '{}' ({}): the HTP takes floats or integers, "
                        "not both",
                        node_.op_type(), first, numbers_text(*a), second, numbers_text(*b)),
                 "give both integer encodings, or make both float");
    return true;
  }

  [[nodiscard]] bool is_per_channel_activation(const std::string& value) const {
    const EncodingEntry* entry = scene_.find_integer(value);
    return entry != nullptr && scene_.graph.find_initializer(value) == nullptr &&
           entry->kind != ScaleKind::kTensor && entry->kind != ScaleKind::kNone;
  }

  void check_formats() {
    const std::string& result = scene_.result_of(node_);
    target::NodeFormats formats;
    formats.output = format_of(scene_.find_integer(result));
    if (!formats.output) return;
    if (is_per_channel_activation(result)) {
      report("an activation takes one scale for the whole tensor", result);
      return;
    }
    const bool integer = choice_.handling == plan::Handling::kInteger;
    const auto activations =
        integer ? plan::activation_inputs(scene_.context, node_) : std::vector<int>{0};
    for (int i = 0; i < std::ssize(node_.inputs()); ++i) {
      auto format = format_of(scene_.find_integer(node_.input(static_cast<std::size_t>(i))));
      if (!format) continue;
      const bool activation =
          std::find(activations.begin(), activations.end(), i) != activations.end();
      // The converter puts a Convert where an input has another type than the node works in.
      if (activation && i != choice_.rule->second_operand) format->type = formats.output->type;
      formats.inputs[i] = *format;
    }
    const auto obstacle = target::legality(scene_.target.rules, scene_.graph, node_, formats);
    if (obstacle) report(*obstacle, node_.name());
  }

  void report(const std::string& obstacle, const std::string& where) {
    scene_.error("htp-illegal", where,
                 format("{} '{}' on {} (HTP {}): {}", node_.op_type(), node_.name(),
                        scene_.target.soc.name, scene_.target.soc.htp_arch, obstacle),
                 "choose an encoding that this HTP takes, or another chip");
  }

  LintScene& scene_;
  const Node& node_;
  const plan::NodeChoice& choice_;
};

}  // namespace

void check_nodes(LintScene& scene, bool check_htp) {
  for (const Node& node : scene.graph.nodes()) NodeCheck(scene, node).run(check_htp);
}

}  // namespace hexquant::pipeline
