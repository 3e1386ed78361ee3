#include "graph/graph.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <unordered_set>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::graph {
namespace {

const std::string kAbsent;
const std::vector<Use> kNoUses;

template <typename T>
T typed_attribute(const Node& node, const std::string& name, const T& fallback,
                  const char* type_name) {
  const Attribute* attribute = node.find_attribute(name);
  if (attribute == nullptr) return fallback;
  if (const T* value = std::get_if<T>(attribute)) return *value;
  throw Error(ErrorCode::kInvalidModel, format("node '{}' ({}): attribute '{}' is not {}",
                                               node.name(), node.op_type(), name, type_name));
}

/// Calls `visit(name, index)` for every value the node reads, captured ones included.
template <typename Visit>
void for_each_read(const NodeSpec& spec, const Visit& visit) {
  for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
    if (!spec.inputs[i].empty()) visit(spec.inputs[i], static_cast<int>(i));
  }
  for (const auto& [name, attribute] : spec.attributes) {
    if (const auto* opaque = std::get_if<OpaqueAttribute>(&attribute)) {
      for (const std::string& captured : opaque->captured) visit(captured, Use::kCaptured);
    }
  }
}

}  // namespace

const std::string& Node::input(std::size_t index) const noexcept {
  return index < spec_.inputs.size() ? spec_.inputs[index] : kAbsent;
}

const std::string& Node::output(std::size_t index) const noexcept {
  return index < spec_.outputs.size() ? spec_.outputs[index] : kAbsent;
}

const Attribute* Node::find_attribute(const std::string& name) const noexcept {
  const auto found = spec_.attributes.find(name);
  return found == spec_.attributes.end() ? nullptr : &found->second;
}

std::int64_t Node::int_attribute(const std::string& name, std::int64_t fallback) const {
  return typed_attribute<std::int64_t>(*this, name, fallback, "an integer");
}

float Node::float_attribute(const std::string& name, float fallback) const {
  return typed_attribute<float>(*this, name, fallback, "a float");
}

std::string Node::string_attribute(const std::string& name, const std::string& fallback) const {
  return typed_attribute<std::string>(*this, name, fallback, "a string");
}

std::vector<std::int64_t> Node::ints_attribute(const std::string& name,
                                               const std::vector<std::int64_t>& fallback) const {
  return typed_attribute<std::vector<std::int64_t>>(*this, name, fallback, "a list of integers");
}

bool Node::has_subgraph() const noexcept {
  return std::any_of(spec_.attributes.begin(), spec_.attributes.end(), [](const auto& entry) {
    return std::holds_alternative<OpaqueAttribute>(entry.second);
  });
}

std::optional<Shape> ValueType::fixed_shape() const {
  if (!shape) return std::nullopt;
  Shape out;
  for (const Dim& dim : *shape) {
    if (!dim.is_fixed()) return std::nullopt;
    out.push_back(dim.value);
  }
  return out;
}

Graph::Graph(const Graph& other)
    : info(other.info),
      opsets(other.opsets),
      nodes_(other.nodes_),
      inputs_(other.inputs_),
      input_names_(other.input_names_),
      outputs_(other.outputs_),
      initializers_(other.initializers_),
      types_(other.types_),
      known_sorted_(other.known_sorted_) {
  rebuild_index();
}

Graph& Graph::operator=(const Graph& other) {
  if (this != &other) *this = Graph(other);
  return *this;
}

std::int64_t Graph::opset() const {
  const auto found = opsets.find("");
  return found == opsets.end() ? 0 : found->second;
}

std::vector<const Node*> Graph::node_list() const {
  std::vector<const Node*> list;
  list.reserve(nodes_.size());
  for (const Node& node : nodes_) list.push_back(&node);
  return list;
}

const Node* Graph::producer(const std::string& value) const noexcept {
  const auto found = producers_.find(value);
  return found == producers_.end() ? nullptr : found->second;
}

const std::vector<Use>& Graph::uses(const std::string& value) const noexcept {
  const auto found = uses_.find(value);
  return found == uses_.end() ? kNoUses : found->second;
}

const Tensor* Graph::find_initializer(const std::string& value) const noexcept {
  const auto found = initializers_.find(value);
  return found == initializers_.end() ? nullptr : &found->second;
}

bool Graph::is_input(const std::string& value) const noexcept {
  return input_names_.contains(value);
}

bool Graph::is_output(const std::string& value) const noexcept {
  return std::find(outputs_.begin(), outputs_.end(), value) != outputs_.end();
}

bool Graph::is_captured(const std::string& value) const noexcept {
  const auto& readers = uses(value);
  return std::any_of(readers.begin(), readers.end(),
                     [](const Use& use) { return use.index == Use::kCaptured; });
}

bool Graph::has_value(const std::string& value) const noexcept {
  return producers_.contains(value) || initializers_.contains(value) || is_input(value);
}

const Node* Graph::single_consumer(const std::string& value) const noexcept {
  const auto& readers = uses(value);
  if (readers.size() != 1 || is_output(value)) return nullptr;
  return readers.front().index == Use::kCaptured ? nullptr : readers.front().node;
}

const ValueType* Graph::find_type(const std::string& value) const noexcept {
  const auto found = types_.find(value);
  return found == types_.end() ? nullptr : &found->second;
}

std::string Graph::unique_name(const std::string& base) const {
  const auto taken = [this](const std::string& name) {
    return has_value(name) || uses_.contains(name) || node_names_.contains(name);
  };
  if (!base.empty() && !taken(base)) return base;
  int& counter = name_counters_[base];
  std::string name;
  do {
    name = format("{}_{}", base, ++counter);
  } while (taken(name));
  return name;
}

void Graph::add_input(const std::string& name, ValueType type) {
  if (has_value(name)) {
    throw Error(ErrorCode::kInvalidModel, format("value '{}' is defined twice", name));
  }
  inputs_.push_back(name);
  input_names_.insert(name);
  types_[name] = std::move(type);
}

void Graph::add_output(const std::string& name) {
  outputs_.push_back(name);
}

const Node& Graph::add_node(NodeSpec spec) {
  return place(nodes_.cend(), std::move(spec));
}

const Node& Graph::insert_before(const Node& anchor, NodeSpec spec) {
  return place(position_of(anchor), std::move(spec));
}

const Node& Graph::insert_after(const Node& anchor, NodeSpec spec) {
  return place(std::next(position_of(anchor)), std::move(spec));
}

void Graph::erase_node(const Node& node) {
  const auto position = positions_.at(&node);
  unindex_uses(node);
  for (const std::string& output : node.outputs()) producers_.erase(output);
  if (--node_names_[node.name()] == 0) node_names_.erase(node.name());
  positions_.erase(&node);
  nodes_.erase(position);
  known_sorted_ = false;
}

void Graph::set_input(const Node& node, std::size_t index, const std::string& value) {
  unindex_uses(node);
  auto& inputs = writable(node).spec_.inputs;
  if (inputs.size() <= index) inputs.resize(index + 1);
  inputs[index] = value;
  index_uses(node);
}

void Graph::set_attribute(const Node& node, const std::string& name, Attribute value) {
  unindex_uses(node);
  writable(node).spec_.attributes[name] = std::move(value);
  index_uses(node);
}

void Graph::erase_attribute(const Node& node, const std::string& name) {
  unindex_uses(node);
  writable(node).spec_.attributes.erase(name);
  index_uses(node);
}

void Graph::set_op_type(const Node& node, const std::string& op_type, const std::string& domain) {
  writable(node).spec_.op_type = op_type;
  writable(node).spec_.domain = domain;
}

void Graph::set_output(const Node& node, std::size_t index, const std::string& value) {
  if (has_value(value)) {
    throw Error(ErrorCode::kInvalidModel, format("value '{}' is defined twice", value));
  }
  std::string& output = writable(node).spec_.outputs.at(index);
  producers_.erase(output);
  output = value;
  if (!value.empty()) producers_[value] = &writable(node);
  known_sorted_ = false;
}

void Graph::truncate_inputs(const Node& node, std::size_t count) {
  unindex_uses(node);
  auto& inputs = writable(node).spec_.inputs;
  if (inputs.size() > count) inputs.resize(count);
  index_uses(node);
}

void Graph::replace_uses(const std::string& from, const std::string& to) {
  HEXQUANT_CHECK(!is_captured(from), "value '" + from + "' is read by a subgraph");
  const std::vector<Use> readers = uses(from);
  for (const Use& use : readers) {
    writable(*use.node).spec_.inputs[static_cast<std::size_t>(use.index)] = to;
    uses_[to].push_back(use);
  }
  uses_.erase(from);
  known_sorted_ = false;
}

void Graph::add_initializer(const std::string& name, Tensor tensor) {
  if (has_value(name)) {
    throw Error(ErrorCode::kInvalidModel, format("value '{}' is defined twice", name));
  }
  initializers_[name] = std::move(tensor);
}

void Graph::set_initializer(const std::string& name, Tensor tensor) {
  HEXQUANT_CHECK(initializers_.contains(name), "no initializer '" + name + "'");
  initializers_[name] = std::move(tensor);
}

void Graph::erase_initializer(const std::string& name) {
  initializers_.erase(name);
  known_sorted_ = false;
}

void Graph::set_type(const std::string& value, ValueType type) {
  types_[value] = std::move(type);
}

void Graph::erase_type(const std::string& value) {
  types_.erase(value);
}

void Graph::erase_input(const std::string& name) {
  HEXQUANT_CHECK(uses(name).empty(), "input '" + name + "' is still read");
  std::erase(inputs_, name);
  input_names_.erase(name);
  types_.erase(name);
}

bool Graph::is_sorted() const {
  std::unordered_set<const Node*> seen;
  seen.reserve(nodes_.size());
  bool sorted = true;
  for (const Node& node : nodes_) {
    for_each_read(node.spec_, [&](const std::string& name, int) {
      const Node* source = producer(name);
      if (source != nullptr) {
        sorted = sorted && seen.contains(source);
      } else if (!has_value(name)) {
        throw Error(ErrorCode::kInvalidModel,
                    format("node '{}' ({}) reads value '{}', which nothing defines", node.name(),
                           node.op_type(), name));
      }
    });
    seen.insert(&node);
  }
  return sorted;
}

void Graph::sort() {
  if (known_sorted_) return;  // passes sort often and seldom disturb the order
  if (!is_sorted()) put_in_order();
  known_sorted_ = true;
}

void Graph::put_in_order() {
  const std::vector<const Node*> nodes = node_list();
  std::unordered_map<const Node*, std::size_t> rank;
  rank.reserve(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) rank[nodes[i]] = i;
  std::vector<int> waiting(nodes.size(), 0);  // by rank: values that are not computed yet
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for_each_read(nodes[i]->spec_, [&](const std::string& name, int) {
      if (producers_.contains(name)) ++waiting[i];
    });
    if (waiting[i] == 0) ready.push(i);
  }
  std::vector<std::size_t> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (const std::string& output : nodes[order.back()]->outputs()) {
      for (const Use& use : uses(output)) {
        const std::size_t reader = rank.at(use.node);
        if (--waiting[reader] == 0) ready.push(reader);
      }
    }
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (waiting[i] > 0) {
      throw Error(ErrorCode::kInvalidModel, format("node '{}' ({}) is part of a cycle",
                                                   nodes[i]->name(), nodes[i]->op_type()));
    }
  }
  for (const std::size_t i : order) nodes_.splice(nodes_.end(), nodes_, positions_.at(nodes[i]));
}

void Graph::index_node(Node& node) {
  for (const std::string& output : node.outputs()) {
    if (!output.empty()) producers_[output] = &node;
  }
  index_uses(node);
  ++node_names_[node.name()];
}

void Graph::index_uses(const Node& node) {
  for_each_read(node.spec_, [&](const std::string& name, int at) {
    uses_[name].push_back({&node, at});
  });
  known_sorted_ = false;
}

void Graph::unindex_uses(const Node& node) {
  for_each_read(node.spec_, [&](const std::string& name, int) {
    const auto found = uses_.find(name);
    if (found == uses_.end()) return;
    std::erase_if(found->second, [&](const Use& use) { return use.node == &node; });
    if (found->second.empty()) uses_.erase(found);
  });
}

void Graph::rebuild_index() {
  const bool sorted = known_sorted_;
  producers_.reserve(nodes_.size());
  uses_.reserve(nodes_.size() + initializers_.size());
  positions_.reserve(nodes_.size());
  node_names_.reserve(nodes_.size());
  for (auto it = nodes_.begin(); it != nodes_.end(); ++it) {
    positions_[&*it] = it;
    index_node(*it);
  }
  known_sorted_ = sorted;
}

const Node& Graph::place(std::list<Node>::const_iterator position, NodeSpec spec) {
  for (const std::string& output : spec.outputs) {
    if (!output.empty() && has_value(output)) {
      throw Error(ErrorCode::kInvalidModel, format("node '{}' ({}): value '{}' is defined twice",
                                                   spec.name, spec.op_type, output));
    }
  }
  if (spec.domain == "ai.onnx") spec.domain.clear();
  if (spec.name.empty()) {
    spec.name = unique_name(spec.outputs.empty() ? spec.op_type : spec.outputs.front() + "_node");
  }
  const auto it = nodes_.emplace(position);
  it->spec_ = std::move(spec);
  positions_[&*it] = it;
  index_node(*it);
  return *it;
}

std::list<Node>::const_iterator Graph::position_of(const Node& node) const {
  return positions_.at(&node);
}

}  // namespace hexquant::graph
