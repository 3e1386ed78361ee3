#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "hexquant/tensor.h"

namespace hexquant::graph {

/// An attribute this library does not look into (a subgraph, a sparse tensor): the bytes of its
/// onnx.AttributeProto, and the names that its subgraphs take from the outer graph.
struct OpaqueAttribute {
  std::string serialized;
  std::vector<std::string> captured;
};

using Attribute = std::variant<std::int64_t, float, std::string, Tensor, std::vector<std::int64_t>,
                               std::vector<float>, std::vector<std::string>, OpaqueAttribute>;
using Attributes = std::map<std::string, Attribute>;

/// What a new node is made from. An empty name gets a unique one; an empty input is an absent
/// optional input. Domain "" is ai.onnx.
struct NodeSpec {
  std::string op_type;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  Attributes attributes = {};
  std::string name = {};
  std::string domain = {};
};

/// An operation. Values are referred to by name; only Graph changes a node.
class Node {
 public:
  [[nodiscard]] const std::string& name() const noexcept { return spec_.name; }
  [[nodiscard]] const std::string& op_type() const noexcept { return spec_.op_type; }
  [[nodiscard]] const std::string& domain() const noexcept { return spec_.domain; }
  [[nodiscard]] const std::vector<std::string>& inputs() const noexcept { return spec_.inputs; }
  [[nodiscard]] const std::vector<std::string>& outputs() const noexcept { return spec_.outputs; }
  [[nodiscard]] const Attributes& attributes() const noexcept { return spec_.attributes; }

  /// True for an ai.onnx operation of this type.
  [[nodiscard]] bool is(std::string_view op_type) const noexcept {
    return spec_.domain.empty() && spec_.op_type == op_type;
  }
  /// Name of input `index`, "" when absent.
  [[nodiscard]] const std::string& input(std::size_t index) const noexcept;
  /// Name of output `index`, "" when absent.
  [[nodiscard]] const std::string& output(std::size_t index = 0) const noexcept;

  [[nodiscard]] const Attribute* find_attribute(const std::string& name) const noexcept;
  /// Value of an attribute, or `fallback` when absent.
  /// @throws Error(kInvalidModel) naming the node when the attribute has another type.
  [[nodiscard]] std::int64_t int_attribute(const std::string& name, std::int64_t fallback) const;
  [[nodiscard]] float float_attribute(const std::string& name, float fallback) const;
  [[nodiscard]] std::string string_attribute(const std::string& name,
                                             const std::string& fallback) const;
  [[nodiscard]] std::vector<std::int64_t> ints_attribute(
      const std::string& name, const std::vector<std::int64_t>& fallback) const;
  /// True if some attribute holds a subgraph.
  [[nodiscard]] bool has_subgraph() const noexcept;

 private:
  friend class Graph;
  NodeSpec spec_;
};

/// A dimension: a number, or a symbol (possibly unnamed) that is only known at run time.
struct Dim {
  std::int64_t value = -1;  ///< -1 = symbolic
  std::string symbol;
  [[nodiscard]] bool is_fixed() const noexcept { return value >= 0; }
  friend bool operator==(const Dim&, const Dim&) = default;
};

/// Static type of a value; `shape` is absent when even the rank is unknown.
struct ValueType {
  DType dtype = DType::kUndefined;
  std::optional<std::vector<Dim>> shape;
  /// All dimensions, if every one is fixed.
  [[nodiscard]] std::optional<Shape> fixed_shape() const;
};

/// One place where a value is read.
struct Use {
  const Node* node;
  int index;  ///< input index, or kCaptured when a subgraph of the node reads it
  static constexpr int kCaptured = -1;
};

/// File-level facts that pass through untouched.
struct ModelInfo {
  std::int64_t ir_version = 8;
  std::string producer_name;
  std::string producer_version;
  std::string domain;
  std::int64_t model_version = 0;
  std::string doc_string;
  std::string graph_name;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> serialized_functions;  ///< onnx.FunctionProto bytes
};

/// A float (or quantized) ONNX graph whose indices are always up to date.
///
/// Values are names. Every value has at most one source: a graph input, an initializer, or a node
/// output. Only the members of this class change it; node addresses are stable until erased.
/// Initializers that the file also listed as inputs are initializers only.
class Graph {
 public:
  Graph() = default;
  Graph(const Graph& other);
  Graph& operator=(const Graph& other);
  Graph(Graph&&) noexcept = default;
  Graph& operator=(Graph&&) noexcept = default;

  ModelInfo info;
  /// Operator set version by domain ("" = ai.onnx).
  std::map<std::string, std::int64_t> opsets;
  [[nodiscard]] std::int64_t opset() const;

  // ---- reading
  [[nodiscard]] const std::list<Node>& nodes() const noexcept { return nodes_; }
  /// Pointers to all nodes in order: for loops that edit the graph while they walk.
  [[nodiscard]] std::vector<const Node*> node_list() const;
  [[nodiscard]] const std::vector<std::string>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<std::string>& outputs() const noexcept { return outputs_; }
  [[nodiscard]] const std::map<std::string, Tensor>& initializers() const noexcept {
    return initializers_;
  }
  /// Node that computes the value; nullptr for inputs, initializers and unknown names.
  [[nodiscard]] const Node* producer(const std::string& value) const noexcept;
  /// All readers, in the order in which they were added.
  [[nodiscard]] const std::vector<Use>& uses(const std::string& value) const noexcept;
  [[nodiscard]] const Tensor* find_initializer(const std::string& value) const noexcept;
  [[nodiscard]] bool is_input(const std::string& value) const noexcept;
  [[nodiscard]] bool is_output(const std::string& value) const noexcept;
  /// True if a subgraph reads the value: its name cannot change.
  [[nodiscard]] bool is_captured(const std::string& value) const noexcept;
  /// True if some source defines the value.
  [[nodiscard]] bool has_value(const std::string& value) const noexcept;
  /// The only reader of a value that is no graph output; nullptr otherwise.
  [[nodiscard]] const Node* single_consumer(const std::string& value) const noexcept;
  /// Known static type, or nullptr.
  [[nodiscard]] const ValueType* find_type(const std::string& value) const noexcept;
  /// `base`, or `base_1`, `base_2` ... : a name that no value or node has.
  [[nodiscard]] std::string unique_name(const std::string& base) const;

  // ---- editing
  void add_input(const std::string& name, ValueType type);
  void add_output(const std::string& name);
  /// @throws Error(kInvalidModel) when an output name is already defined.
  const Node& add_node(NodeSpec spec);
  /// Like add_node, placed just before `anchor` in the node order.
  const Node& insert_before(const Node& anchor, NodeSpec spec);
  const Node& insert_after(const Node& anchor, NodeSpec spec);
  /// Removes the node; its outputs lose their source, their readers stay.
  void erase_node(const Node& node);
  void set_input(const Node& node, std::size_t index, const std::string& value);
  void set_attribute(const Node& node, const std::string& name, Attribute value);
  void erase_attribute(const Node& node, const std::string& name);
  void set_op_type(const Node& node, const std::string& op_type, const std::string& domain = "");
  /// Renames output `index` of the node; readers keep the old name.
  void set_output(const Node& node, std::size_t index, const std::string& value);
  /// Drops trailing inputs so that `count` remain.
  void truncate_inputs(const Node& node, std::size_t count);
  /// Makes all readers of `from` (nodes, not graph outputs) read `to`.
  /// @pre !is_captured(from)
  void replace_uses(const std::string& from, const std::string& to);
  void add_initializer(const std::string& name, Tensor tensor);
  void set_initializer(const std::string& name, Tensor tensor);
  void erase_initializer(const std::string& name);
  void set_type(const std::string& value, ValueType type);
  void erase_type(const std::string& value);
  /// Fixes or changes the declared type of a graph input.
  void set_input_type(const std::string& name, ValueType type) { set_type(name, std::move(type)); }
  /// Forgets an input nobody reads. @pre no uses
  void erase_input(const std::string& name);
  /// Stable topological order. @throws Error(kInvalidModel) naming a node on a cycle, or naming the
  /// value and its reader when an input has no source. Costs nothing while no edit could have
  /// disturbed the order.
  void sort();

 private:
  /// True when every node stands behind those it reads from. @throws as sort() for a missing source
  [[nodiscard]] bool is_sorted() const;
  void put_in_order();
  void index_uses(const Node& node);
  void index_node(Node& node);
  void unindex_uses(const Node& node);
  void rebuild_index();
  static Node& writable(const Node& node) { return const_cast<Node&>(node); }
  const Node& place(std::list<Node>::const_iterator position, NodeSpec spec);
  std::list<Node>::const_iterator position_of(const Node& node) const;

  std::list<Node> nodes_;
  std::vector<std::string> inputs_;
  std::unordered_set<std::string> input_names_;  ///< the same: models may have thousands
  std::vector<std::string> outputs_;
  std::map<std::string, Tensor> initializers_;
  std::unordered_map<std::string, ValueType> types_;
  std::unordered_map<std::string, Node*> producers_;
  std::unordered_map<std::string, std::vector<Use>> uses_;
  std::unordered_map<const Node*, std::list<Node>::iterator> positions_;
  std::unordered_map<std::string, int> node_names_;
  bool known_sorted_ = false;  ///< sort() has nothing to do
  mutable std::unordered_map<std::string, int> name_counters_;
};

}  // namespace hexquant::graph
