#include "passes/cancel_transposes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "passes/fold_identity.h"
#include "passes/graph_match.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;
using Perm = std::vector<std::int64_t>;

const std::set<std::string>& pointwise_types() {
  static const std::set<std::string> types = {"Abs",
                                              "Add",
                                              "Cast",
                                              "Ceil",
                                              "Clip",
                                              "Cos",
                                              "Div",
                                              "Elu",
                                              "Erf",
                                              "Exp",
                                              "Floor",
                                              "Gelu",
                                              "HardSigmoid",
                                              "HardSwish",
                                              "LeakyRelu",
                                              "Log",
                                              "Max",
                                              "Min",
                                              "Mul",
                                              "Neg",
                                              "PRelu",
                                              "Pow",
                                              "Reciprocal",
                                              "Relu",
                                              "Round",
                                              "Sigmoid",
                                              "Sign",
                                              "Sin",
                                              "Softplus",
                                              "Sqrt",
                                              "Sub",
                                              "Tanh",
                                              "Where",
                                              "QuantizeLinear",
                                              "DequantizeLinear"};
  return types;
}

/// Inputs that hold data along the axes; the others are scalars that the node is set up with.
std::size_t data_inputs(const Node& node) {
  static const std::set<std::string> first_only = {
      "Clip",       "QuantizeLinear", "DequantizeLinear", "Pad",      "Split",
      "ReduceMean", "ReduceMax",      "ReduceMin",        "ReduceSum"};
  return first_only.contains(node.op_type()) ? 1 : node.inputs().size();
}

bool is_per_tensor(const Graph& graph, const Node& node) {
  const Tensor* scale = graph.find_initializer(node.input(1));
  return scale != nullptr && scale->size() == 1;
}

bool keeps_dims(const Node& node) {
  return node.int_attribute("keepdims", 1) == 1;
}

/// True for an operation that computes the same whatever the order of its axes.
bool is_transparent(const Graph& graph, const Node& node) {
  if (!node.domain().empty() || node.has_subgraph()) return false;
  const std::string& op = node.op_type();
  if (op == "QuantizeLinear" || op == "DequantizeLinear") return is_per_tensor(graph, node);
  if (pointwise_types().contains(op) || op == "Concat") return true;
  if (op == "Softmax" || op == "LogSoftmax") return graph.opset() >= 13;
  if (op == "Pad") {
    return node.input(3).empty() && ints_parameter(graph, node, "pads", 1).values.has_value();
  }
  if (op == "Split") return true;
  const bool reduces =
      op == "ReduceMean" || op == "ReduceMax" || op == "ReduceMin" || op == "ReduceSum";
  if (!reduces || !keeps_dims(node)) return false;
  const auto axes = ints_parameter(graph, node, "axes", 1);
  return axes.values && !axes.values->empty();
}

std::optional<Perm> perm_of(const Graph& graph, const Node& node) {
  if (!node.is("Transpose")) return std::nullopt;
  const auto rank = known_rank(graph, node.input(0));
  if (!rank) return std::nullopt;
  Perm reversed;
  for (std::int64_t axis = *rank - 1; axis >= 0; --axis) reversed.push_back(axis);
  Perm perm = node.ints_attribute("perm", reversed);
  return std::ssize(perm) == *rank ? std::optional(perm) : std::nullopt;
}

Perm inverse(const Perm& perm) {
  Perm result(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) {
    result[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
  }
  return result;
}

/// Elements of a value; a free dimension counts as one.
double element_count_of(const Graph& graph, const std::string& value) {
  const graph::ValueType* type = graph.find_type(value);
  double count = 1.0;
  if (type == nullptr || !type->shape) return count;
  for (const graph::Dim& dim : *type->shape) {
    if (dim.is_fixed()) count *= static_cast<double>(dim.value);
  }
  return count;
}

Tensor transposed(const Tensor& tensor, const Perm& perm) {
  const std::size_t rank = perm.size();
  Shape shape(rank);
  std::vector<std::int64_t> stride(rank, 1);
  for (std::size_t i = rank - 1; i > 0; --i) stride[i - 1] = stride[i] * tensor.shape()[i];
  for (std::size_t i = 0; i < rank; ++i) {
    shape[i] = tensor.shape()[static_cast<std::size_t>(perm[i])];
  }
  Tensor result(tensor.dtype(), shape);
  const auto width = static_cast<std::size_t>(dtype_bits(tensor.dtype()) / 8);
  std::byte* to = result.mutable_raw();
  std::vector<std::int64_t> at(rank, 0);
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    std::int64_t from = 0;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      from += at[axis] * stride[static_cast<std::size_t>(perm[axis])];
    }
    std::copy_n(tensor.raw() + static_cast<std::size_t>(from) * width, width, to);
    to += width;
    for (std::size_t axis = rank; axis-- > 0;) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
  return result;
}

/// A connected part of transparent operations whose values are all in one order of axes.
class Region {
 public:
  Region(Graph& graph, const Node& first, Perm perm) : graph_(graph), perm_(std::move(perm)) {
    back_ = inverse(perm_);
    add_value(first.output());
    while (!open_.empty()) {
      const std::string value = open_.back();
      open_.pop_back();
      add_readers(value);
    }
  }

  /// Elements that no longer have to be moved.
  [[nodiscard]] double gain() const {
    if (nodes_.empty() && exits_.empty()) return -1.0;
    // A Transpose that undoes itself may lead out of the region and into it again.
    const bool loops = std::any_of(entries_.begin(), entries_.end(), [&](const Node* entry) {
      return values_.contains(entry->input(0));
    });
    if (loops) return -1.0;
    double gain = 0.0;
    for (const Node* node : entries_) {
      if (!keeps_other_readers(*node)) gain += element_count_of(graph_, node->output());
    }
    for (const Node* node : exits_) gain += element_count_of(graph_, node->output());
    for (const std::string& value : fed_) gain -= element_count_of(graph_, value);
    for (const std::string& value : leaving_) gain -= element_count_of(graph_, value);
    return gain;
  }

  /// Names of the Transposes that go.
  std::vector<std::string> apply() {
    std::vector<std::string> gone;
    for (const Node* node : entries_) gone.push_back(node->name());
    for (const Node* node : exits_) gone.push_back(node->name());
    std::map<std::string, std::string> untransposed = feed();
    for (const Node* node : nodes_) rename_outputs(*node, untransposed);
    for (const Node* node : nodes_) rewire(*node, untransposed);
    for (const Node* exit : exits_) {
      const std::string source = untransposed.at(exit->input(0));
      replace_by_identity(*exit, source);
    }
    for (const std::string& value : leaving_) give_back(value, untransposed.at(value));
    for (const Node* entry : entries_) {
      if (!is_needed(graph_, entry->output())) {
        graph_.erase_type(entry->output());
        graph_.erase_node(*entry);
      }
    }
    return gone;
  }

 private:
  void add_value(const std::string& value) {
    if (!values_.insert(value).second) return;
    open_.push_back(value);
    const Node* producer = graph_.producer(value);
    if (producer != nullptr && perm_of(graph_, *producer) == perm_ &&
        !nodes_set_.contains(producer)) {
      if (std::find(entries_.begin(), entries_.end(), producer) == entries_.end()) {
        entries_.push_back(producer);
      }
    }
  }

  void add_readers(const std::string& value) {
    bool leaves = graph_.is_output(value) || graph_.is_captured(value);
    for (const graph::Use& use : graph_.uses(value)) {
      const Node& node = *use.node;
      if (use.index == graph::Use::kCaptured || nodes_set_.contains(&node)) continue;
      if (perm_of(graph_, node) == back_) {
        if (std::find(exits_.begin(), exits_.end(), &node) == exits_.end()) exits_.push_back(&node);
      } else if (can_take(node)) {
        take(node);
      } else {
        leaves = true;
      }
    }
    if (leaves && !is_entry_output(value)) leaving_.insert(value);
  }

  [[nodiscard]] bool is_entry_output(const std::string& value) const {
    const Node* producer = graph_.producer(value);
    return producer != nullptr && perm_of(graph_, *producer) == perm_ &&
           !nodes_set_.contains(producer);
  }

  /// An entry stays for readers outside of the region.
  [[nodiscard]] bool keeps_other_readers(const Node& entry) const {
    if (graph_.is_output(entry.output()) || graph_.is_captured(entry.output())) return true;
    const auto& uses = graph_.uses(entry.output());
    return std::any_of(uses.begin(), uses.end(), [&](const graph::Use& use) {
      return !nodes_set_.contains(use.node) && perm_of(graph_, *use.node) != back_;
    });
  }

  /// Every data input is a constant that can be transposed, or has the region's rank.
  [[nodiscard]] bool can_take(const Node& node) const {
    if (!is_transparent(graph_, node)) return false;
    const auto rank = std::ssize(perm_);
    for (std::size_t i = 0; i < data_inputs(node); ++i) {
      const std::string& input = node.input(i);
      if (input.empty()) continue;
      const auto known = known_rank(graph_, input);
      if (!known || *known > rank) return false;
      const Tensor* constant = graph_.find_initializer(input);
      if (constant != nullptr && dtype_bits(constant->dtype()) % 8 != 0) return false;
      if (constant == nullptr && *known != rank && *known != 0) return false;
    }
    return std::all_of(node.outputs().begin(), node.outputs().end(), [&](const std::string& out) {
      return out.empty() || known_rank(graph_, out) == rank;
    });
  }

  void take(const Node& node) {
    nodes_.push_back(&node);
    nodes_set_.insert(&node);
    for (std::size_t i = 0; i < data_inputs(node); ++i) {
      const std::string& input = node.input(i);
      if (input.empty() || graph_.find_initializer(input) != nullptr) continue;
      if (known_rank(graph_, input) == 0) continue;
      const Node* producer = graph_.producer(input);
      const bool inside =
          values_.contains(input) || (producer != nullptr && perm_of(graph_, *producer) == perm_);
      if (inside) {
        add_value(input);
      } else {
        fed_.insert(input);
      }
    }
    for (const std::string& output : node.outputs()) {
      if (output.empty()) continue;
      fed_.erase(output);
      add_value(output);
    }
  }

  /// Value of the region -> the same in the order of axes before the Transposes.
  std::map<std::string, std::string> feed() {
    std::map<std::string, std::string> names;
    for (const Node* entry : entries_) names[entry->output()] = entry->input(0);
    for (const std::string& value : fed_) {
      if (values_.contains(value)) continue;
      names[value] = add_transpose(value, back_, graph_.unique_name(value + "_transposed"));
    }
    return names;
  }

  std::string add_transpose(const std::string& from, const Perm& perm, const std::string& to) {
    graph_.add_node({"Transpose", {from}, {to}, {{"perm", perm}}, graph_.unique_name(to)});
    if (const graph::ValueType* type = graph_.find_type(from)) {
      graph_.set_type(to, permuted(*type, perm));
    }
    return to;
  }

  static graph::ValueType permuted(graph::ValueType type, const Perm& perm) {
    if (!type.shape || type.shape->size() != perm.size()) return type;
    const std::vector<graph::Dim> dims = *type.shape;
    for (std::size_t i = 0; i < perm.size(); ++i) {
      (*type.shape)[i] = dims[static_cast<std::size_t>(perm[i])];
    }
    return type;
  }

  void rename_outputs(const Node& node, std::map<std::string, std::string>& names) {
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      const std::string output = node.output(i);
      if (output.empty()) continue;
      const std::string renamed = graph_.unique_name(output + "_moved");
      if (const graph::ValueType* type = graph_.find_type(output)) {
        graph_.set_type(renamed, permuted(*type, back_));
      }
      graph_.set_output(node, i, renamed);
      names[output] = renamed;
    }
  }

  void rewire(const Node& node, const std::map<std::string, std::string>& names) {
    for (std::size_t i = 0; i < data_inputs(node); ++i) {
      const std::string input = node.input(i);
      if (const auto found = names.find(input); found != names.end()) {
        graph_.set_input(node, i, found->second);
      } else if (const Tensor* constant = graph_.find_initializer(input);
                 constant != nullptr && constant->size() > 1) {
        graph_.set_input(node, i, transpose_constant(input, *constant));
      }
    }
    renumber(node);
  }

  std::string transpose_constant(const std::string& name, const Tensor& constant) {
    Shape full(perm_.size() - constant.shape().size(), 1);
    full.insert(full.end(), constant.shape().begin(), constant.shape().end());
    std::string renamed = graph_.unique_name(name + "_transposed");
    graph_.add_initializer(renamed, transposed(constant.reshaped(full), back_));
    return renamed;
  }

  [[nodiscard]] std::int64_t moved_axis(std::int64_t axis) const {
    const auto rank = std::ssize(perm_);
    return perm_[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)];
  }

  /// Axes and pads in the new order.
  void renumber(const Node& node) {
    const std::string& op = node.op_type();
    if (op == "Concat" || op == "Softmax" || op == "LogSoftmax" || op == "Split") {
      const std::int64_t fallback = op == "Split" ? 0 : -1;
      graph_.set_attribute(node, "axis", moved_axis(node.int_attribute("axis", fallback)));
    } else if (op == "Pad") {
      const auto pads = *ints_parameter(graph_, node, "pads", 1).values;
      Perm moved(pads.size());
      const std::size_t rank = perm_.size();
      for (std::size_t axis = 0; axis < rank; ++axis) {
        const auto to = static_cast<std::size_t>(perm_[axis]);
        moved[to] = pads[axis];
        moved[to + rank] = pads[axis + rank];
      }
      set_ints(node, "pads", moved);
    } else if (op.starts_with("Reduce")) {
      Perm moved;
      const IntsParameter axes = ints_parameter(graph_, node, "axes", 1);
      for (const std::int64_t axis : *axes.values) moved.push_back(moved_axis(axis));
      set_ints(node, "axes", moved);
    }
  }

  void set_ints(const Node& node, const char* attribute, const Perm& values) {
    if (node.input(1).empty()) {
      graph_.set_attribute(node, attribute, values);
      return;
    }
    const std::string name = graph_.unique_name(node.input(1) + "_moved");
    graph_.add_initializer(name, Tensor::from<std::int64_t>({std::ssize(values)}, values));
    graph_.set_input(node, 1, name);
  }

  /// Identity keeps names of graph outputs; fold_identity takes the others away.
  void replace_by_identity(const Node& exit, const std::string& source) {
    graph_.set_input(exit, 0, source);
    graph_.erase_attribute(exit, "perm");
    graph_.set_op_type(exit, "Identity");
  }

  void give_back(const std::string& value, const std::string& source) {
    add_transpose(source, perm_, value);
  }

  Graph& graph_;
  Perm perm_;  ///< of the entries
  Perm back_;  ///< its inverse: of the exits
  std::vector<const Node*> entries_;
  std::vector<const Node*> exits_;
  std::vector<const Node*> nodes_;
  std::set<const Node*> nodes_set_;
  std::set<std::string> values_;
  std::vector<std::string> open_;
  std::set<std::string> fed_;      ///< read from outside, in the transposed order
  std::set<std::string> leaving_;  ///< read outside
};

/// Changes the first part that gains; nothing when none does.
std::vector<std::string> cancel_once(Graph& graph) {
  for (const Node* node : graph.node_list()) {
    auto perm = perm_of(graph, *node);
    if (!perm) continue;
    Region region(graph, *node, *std::move(perm));
    if (region.gain() <= 0.0) continue;
    return region.apply();
  }
  return {};
}

}  // namespace

PassReport cancel_transposes(Graph& graph) {
  PassReport report{"cancel_transposes", {}, {}};
  for (auto gone = cancel_once(graph); !gone.empty(); gone = cancel_once(graph)) {
    report.applied_to.insert(report.applied_to.end(), gone.begin(), gone.end());
    graph.sort();
    (void)fold_identity(graph);
  }
  return report;
}

}  // namespace hexquant::passes
