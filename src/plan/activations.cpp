#include "plan/activations.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "core/format.h"
#include "graph/integer_input.h"
#include "plan/override_numbers.h"

namespace hexquant::plan {
namespace {

using graph::Node;
using quant::EdgeKey;
using quant::TensorPolicy;
using target::OperandFormat;

bool same(const OperandFormat& a, const OperandFormat& b) {
  return a.type == b.type && a.symmetric == b.symmetric;
}

OperandFormat unsigned_format(int bits) {
  return {bits == 8 ? DType::kUInt8 : DType::kUInt16, false};
}

/// The range whose encoding has a power of two as scale: [0, 1] in 8 bits is scale 1/256, zero
/// point 0, as the HTP computes Softmax and Sigmoid; [-1, 1] in 16 bits is scale 1/32768.
Range fixed_grid_range(const Range& range, const OperandFormat& format) {
  const int bits = dtype_bits(format.type);
  if (format.symmetric) {
    const float step = std::ldexp(std::max(-range.min, range.max), 1 - bits);
    return {std::max(range.min, step - range.max), range.max - step};
  }
  return {range.min, range.max - std::ldexp(range.max - range.min, -bits)};
}

/// The encoding that the application feeds.
Encoding encoding_of(const graph::IntegerInput& given) {
  Encoding encoding;
  encoding.type = given.type;
  encoding.scale = {given.scale};
  encoding.zero_point = {static_cast<std::int32_t>(given.zero_point)};
  return encoding;
}

/// One place where an integer node reads a value, and the types it takes there; the first is best.
struct Reader {
  const Node* node;
  int index;
  std::vector<OperandFormat> accepted;
};

class ActivationPlanner {
 public:
  ActivationPlanner(const Context& context, const Fusions& fusions, const Sharing& sharing,
                    quant::QuantPlan& plan)
      : context_(context), fusions_(fusions), sharing_(sharing), plan_(plan) {}

  void run() {
    collect_readers();
    for (const SharingGroup& group : sharing_.groups()) {
      if (group.carries && !is_read_on_edges(group)) add_group(group);
    }
    for (const SharingGroup& group : sharing_.groups()) {
      if (group.carries) add_edges(group);
    }
    add_concat_edges();
  }

 private:
  void collect_readers() {
    for (const Node& node : context_.graph.nodes()) {
      if (!context_.is_integer(node)) continue;
      for (const int index : activation_inputs(context_, node)) {
        const std::string& value = node.input(static_cast<std::size_t>(index));
        if (fusions_.interior.contains(value)) continue;
        readers_[sharing_.find(value)].push_back({&node, index, accepted(node, index)});
      }
    }
  }

  [[nodiscard]] std::vector<OperandFormat> accepted(const Node& node, int index) const {
    const NodeChoice& choice = context_.choice(node);
    const auto& operands = context_.target.rules.second_operand;
    const auto found = operands.find(choice.act_bits);
    if (index == choice.rule->second_operand && found != operands.end()) return found->second;
    return {unsigned_format(choice.act_bits)};
  }

  /// A value that no integer node computes and that float nodes read too keeps its float form for
  /// them: only the integer readers get it quantized.
  [[nodiscard]] bool is_read_on_edges(const SharingGroup& group) const {
    const std::string& value = group.representative;
    if (group.producer_bits != 0 || group.members.size() > 1 || !group.movers.empty()) return false;
    if (context_.graph.find_initializer(value) != nullptr) return false;
    const auto& uses = context_.graph.uses(value);
    const bool joined = std::any_of(uses.begin(), uses.end(), [&](const graph::Use& use) {
      return context_.choice(*use.node).handling == Handling::kConcat;
    });
    return !joined && std::any_of(uses.begin(), uses.end(), [&](const graph::Use& use) {
      return reads_as_float(context_, *use.node);
    });
  }

  void add_group(const SharingGroup& group) {
    const OperandFormat format = own_format(group);
    formats_[&group] = format;
    TensorPolicy policy = policy_for(format, group);
    if (const TensorOverride* one = override_of(context_, group)) {
      use_tensor_numbers(*one, group.representative, policy);
      report_conflicts(group, *one);
    }
    if (group.members.size() > 1) policy.shares_encoding_of = group.representative;
    const int bits = dtype_bits(format.type);
    if (bits != context_.options.act_bits) {
      policy.reason = format_reason(group, bits);
    }
    for (const std::string& member : group.members) plan_.tensors[member] = policy;
  }

  [[nodiscard]] std::string format_reason(const SharingGroup& group, int bits) const {
    const char* why = group.producer_bits != 0 ? "the layer that computes it has them"
                      : table_bits(group) != 0 ? "asked for the table that it is gathered from"
                                               : "its readers want them";
    return hexquant::format("{} bits instead of {}: {}", bits, context_.options.act_bits, why);
  }

  [[nodiscard]] TensorPolicy policy_for(const OperandFormat& format,
                                        const SharingGroup& group) const {
    TensorPolicy policy;
    policy.type = format.type;
    policy.symmetric = format.symmetric;
    policy.strict = format.symmetric && context_.config.strict_symmetric();
    policy.unsigned_if_positive = format.symmetric && context_.config.unsigned_symmetric();
    policy.range_limits = group.limits;
    if (const auto given = graph::integer_input(context_.graph, group.representative);
        given && same(format, {given->type, false})) {
      policy.fixed_encoding = encoding_of(*given);
    }
    if (group.fixed_range) {
      OperandFormat grid = format;
      if (policy.unsigned_if_positive && group.fixed_range->min >= 0.0F) grid.symmetric = false;
      policy.fixed_range = fixed_grid_range(*group.fixed_range, grid);
    }
    return policy;
  }

  void report_conflicts(const SharingGroup& group, const TensorOverride& used) {
    for (const std::string& member : group.members) {
      const TensorOverride* one = context_.overrides.find(member);
      if (one == nullptr || one->is_float ||
          (one->bits == used.bits && one->encoding == used.encoding)) {
        continue;
      }
      plan_.findings.push_back(
          {"override-conflict", Severity::kWarning, member,
           hexquant::format("it moves the codes of '{}' and has its encoding, not the one of its "
                            "own override",
                            group.representative),
           "give both the same encoding"});
    }
  }

  /// Overrides choose width and symmetry, a configuration symmetry.
  /// @pre readers are collected
  [[nodiscard]] OperandFormat own_format(const SharingGroup& group) const {
    OperandFormat format = unforced_format(group);
    const TensorOverride* one = override_of(context_, group);
    if (one != nullptr && group.producer_bits == 0) {
      const bool is_other_grid = one->encoding && !one->encoding->symmetric && format.symmetric;
      const bool is_known_width = one->bits == 8 || one->bits == 16;
      if (is_known_width && (one->bits != dtype_bits(format.type) || is_other_grid)) {
        format = unsigned_format(one->bits);
      }
    }
    if (one != nullptr && one->symmetric) {
      format.symmetric = format.symmetric || *one->symmetric;
    } else if (wants_symmetric(group)) {
      format.symmetric = true;
    }
    return format;
  }

  /// What the configuration says of the operation that computes the values, else of a reader.
  [[nodiscard]] bool wants_symmetric(const SharingGroup& group) const {
    if (const Node* producer = context_.graph.producer(group.representative)) {
      return context_.config.symmetric_activations(*producer);
    }
    const auto found = readers_.find(&group);
    return found != readers_.end() &&
           context_.config.symmetric_activations(*found->second.front().node);
  }

  [[nodiscard]] OperandFormat unforced_format(const SharingGroup& group) const {
    const auto given = graph::integer_input(context_.graph, group.representative);
    if (given) return {given->type, false};
    if (group.producer_bits != 0) return unsigned_format(group.producer_bits);
    if (const int bits = table_bits(group); bits != 0) return unsigned_format(bits);
    const auto found = readers_.find(&group);
    if (found == readers_.end()) return unsigned_format(context_.options.act_bits);
    const std::vector<Reader>& readers = found->second;
    const OperandFormat& wanted = readers.front().accepted.front();
    const bool agreed = std::all_of(readers.begin(), readers.end(), [&](const Reader& reader) {
      return same(reader.accepted.front(), wanted);
    });
    if (agreed && movers_take(group, wanted.type)) return wanted;
    int bits = 8;
    for (const Reader& reader : readers) {
      bits = std::max(bits, context_.choice(*reader.node).act_bits);
    }
    return unsigned_format(bits);
  }

  /// Bits that a pattern asks for an embedding table, which its rows then have too; 0 = none.
  [[nodiscard]] int table_bits(const SharingGroup& group) const {
    int bits = 0;
    for (const Node* mover : group.movers) {
      const bool is_table = context_.graph.find_initializer(mover->input(0)) != nullptr;
      const int asked = context_.choice(*mover).pattern_weight_bits;
      // Tables are kept in the types of activations, which have 8 bits at least.
      if (is_table && asked != 0) bits = std::max({bits, asked, 8});
    }
    return bits;
  }

  [[nodiscard]] bool movers_take(const SharingGroup& group, DType type) const {
    return std::all_of(group.movers.begin(), group.movers.end(), [&](const Node* mover) {
      const auto& types = context_.choice(*mover).rule->types;
      return std::find(types.begin(), types.end(), type) != types.end();
    });
  }

  void add_edges(const SharingGroup& group) {
    const auto found = readers_.find(&group);
    if (found == readers_.end()) return;
    const auto own = formats_.find(&group);
    for (const Reader& reader : found->second) {
      if (own != formats_.end() && fits(reader, own->second)) continue;
      const OperandFormat& wanted = reader.accepted.front();
      TensorPolicy policy = policy_for(wanted, group);
      if (group.members.size() > 1) policy.shares_encoding_of = group.representative;
      if (own != formats_.end()) keep_numbers(group, wanted, policy);
      policy.reason = hexquant::format(
          "{} reads {} here", reader.node->op_type(),
          dtype_name(wanted.type) + std::string(wanted.symmetric ? " symmetric" : ""));
      plan_.edges[EdgeKey{reader.node->name(), reader.index}] = std::move(policy);
    }
  }

  /// Symmetric numbers of an override are the same values in another type of that width.
  void keep_numbers(const SharingGroup& group, const OperandFormat& wanted,
                    TensorPolicy& policy) const {
    const TensorPolicy& own = plan_.tensors.at(group.representative);
    if (!own.fixed_encoding || !own.symmetric || !wanted.symmetric) return;
    if (dtype_bits(own.type) != dtype_bits(wanted.type)) return;
    policy.fixed_encoding = with_type(*own.fixed_encoding, wanted.type);
  }

  static bool fits(const Reader& reader, const OperandFormat& own) {
    return std::any_of(reader.accepted.begin(), reader.accepted.end(),
                       [&](const OperandFormat& format) {
                         return format.type == own.type && (own.symmetric || !format.symmetric);
                       });
  }

  /// Inputs of a Concat that kept an encoding of their own must still have the output's type.
  void add_concat_edges() {
    for (const Node& node : context_.graph.nodes()) {
      if (context_.choice(node).handling != Handling::kConcat) continue;
      const SharingGroup* out = sharing_.find(node.output());
      if (out == nullptr || !out->carries) continue;
      const OperandFormat& wanted = formats_.at(out);
      for (int i = 0; i < std::ssize(node.inputs()); ++i) {
        const SharingGroup* in = sharing_.find(node.input(static_cast<std::size_t>(i)));
        if (in == nullptr) continue;  // not quantized
        if (formats_.at(in).type == wanted.type) continue;
        TensorPolicy policy = policy_for(wanted, *in);
        if (in->members.size() > 1) policy.shares_encoding_of = in->representative;
        policy.reason = "Concat joins tensors of one type";
        plan_.edges[EdgeKey{node.name(), i}] = std::move(policy);
      }
    }
  }

  const Context& context_;
  const Fusions& fusions_;
  const Sharing& sharing_;
  quant::QuantPlan& plan_;
  std::map<const SharingGroup*, std::vector<Reader>> readers_;
  std::map<const SharingGroup*, OperandFormat> formats_;
};

}  // namespace

void plan_activations(const Context& context, const Fusions& fusions, const Sharing& sharing,
                      quant::QuantPlan& plan) {
  ActivationPlanner(context, fusions, sharing, plan).run();
}

}  // namespace hexquant::plan
