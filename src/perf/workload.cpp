#include "perf/workload.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "core/format.h"
#include "perf/describe_operation.h"
#include "perf/work_kind.h"
#include "target/node_unit.h"

namespace hexquant::perf {
namespace {

using graph::Graph;
using graph::Node;
using target::Unit;

/// Fixed shape of a value or constant; values of Q/DQ nodes have that of what they are made from.
std::optional<Shape> shape_of(const Graph& graph, const std::string& value) {
  if (const Tensor* constant = graph.find_initializer(value)) return constant->shape();
  if (const graph::ValueType* type = graph.find_type(value)) {
    if (auto shape = type->fixed_shape()) return shape;
  }
  const Node* producer = graph.producer(value);
  if (producer == nullptr || !target::is_pair_part(*producer)) return std::nullopt;
  return shape_of(graph, producer->input(0));
}

class WorkloadBuilder {
 public:
  WorkloadBuilder(const Graph& graph, const target::PlacementReport& placement)
      : graph_(graph), units_(graph) {
    for (const target::Placement& node : placement.nodes) unit_of_[node.node] = node.unit;
  }

  Workload run() {
    for (const std::string& input : graph_.inputs()) add_graph_input(input);
    for (const Node& node : graph_.nodes()) {
      if (target::is_quantize(node)) {
        add_quantize(node);
      } else if (target::is_dequantize(node)) {
        add_dequantize(node);
      } else if (!joined_.contains(&node)) {
        add_operation(node);
      }
    }
    for (const std::string& output : graph_.outputs()) mark_output(output);
    return std::move(work_);
  }

 private:
  // ---- tensors
  int add_tensor(const std::string& name, Shape shape, int bits, bool is_float) {
    WorkTensor tensor;
    tensor.name = name;
    tensor.shape = std::move(shape);
    tensor.bits = bits;
    tensor.is_float = is_float;
    work_.tensors.push_back(std::move(tensor));
    return static_cast<int>(work_.tensors.size()) - 1;
  }

  WorkTensor& tensor(int index) { return work_.tensors[static_cast<std::size_t>(index)]; }

  void add_graph_input(const std::string& name) {
    const auto shape = shape_of(graph_, name);
    if (!shape) return;  // the operations that read it are findings
    const graph::ValueType* type = graph_.find_type(name);
    const DType dtype = type == nullptr ? DType::kFloat32 : type->dtype;
    const int index = add_tensor(name, *shape, dtype_bits(dtype), is_floating(dtype));
    tensor(index).is_graph_input = true;
    work_.inputs.push_back(index);
    values_[name] = index;
  }

  void mark_output(const std::string& name) {
    const auto found = values_.find(name);
    if (found == values_.end()) return;
    if (!tensor(found->second).is_graph_output) work_.outputs.push_back(found->second);
    tensor(found->second).is_graph_output = true;
  }

  /// The constant called `name`, made when first read.
  int constant(const std::string& name, const Tensor& data) {
    const auto found = values_.find(name);
    if (found != values_.end()) return found->second;
    const int index =
        add_tensor(name, data.shape(), dtype_bits(data.dtype()), is_floating(data.dtype()));
    tensor(index).is_constant = true;
    values_[name] = index;
    return index;
  }

  [[nodiscard]] std::optional<int> find(const std::string& value) {
    if (const Tensor* data = graph_.find_initializer(value)) return constant(value, *data);
    const auto found = values_.find(value);
    if (found == values_.end()) return std::nullopt;
    return found->second;
  }

  [[nodiscard]] Unit unit_of(const Node& node) const {
    const auto found = unit_of_.find(node.name());
    return found == unit_of_.end() ? Unit::kNpuInteger : found->second;
  }

  // ---- Q and DQ
  [[nodiscard]] static int bits_of(const std::optional<target::PairFormat>& format) {
    return format ? dtype_bits(format->type) : 8;
  }

  /// The operation that makes a tensor is integer: what is quantized behind it is what it writes.
  [[nodiscard]] bool is_written_quantized(int index) {
    const int producer = tensor(index).producer;
    if (producer < 0 || tensor(index).is_graph_output) return false;
    const Operation& operation = work_.operations[static_cast<std::size_t>(producer)];
    return operation.unit == Unit::kNpuInteger && operation.kind != WorkKind::kConversion;
  }

  void add_quantize(const Node& node) {
    const auto source = find(node.input(0));
    if (!source) return;
    const int bits = bits_of(target::pair_format(graph_, node));
    const WorkTensor& from = tensor(*source);
    if (from.is_constant || (!from.is_float && from.bits == bits)) {
      values_[node.output()] = *source;  // constants are converted before; equal codes are merged
      rewritten_[*source] = true;
    } else if (is_written_quantized(*source) && !rewritten_[*source]) {
      rewritten_[*source] = true;
      set_form(*source, bits);
      values_[node.output()] = *source;
    } else {
      values_[node.output()] = convert(node, *source, bits, false);
    }
  }

  void set_form(int index, int bits) {
    tensor(index).bits = bits;
    tensor(index).is_float = false;
    Operation& producer = work_.operations[static_cast<std::size_t>(tensor(index).producer)];
    producer.act_bits = std::max(producer.act_bits, bits);
  }

  void add_dequantize(const Node& node) {
    const auto source = find(node.input(0));
    if (!source) return;
    const bool at_border = graph_.is_output(node.output()) && !tensor(*source).is_constant;
    values_[node.output()] = at_border ? convert(node, *source, 32, true) : *source;
    if (at_border) quantized_of_[values_[node.output()]] = *source;
  }

  int convert(const Node& node, int source, int bits, bool is_float) {
    Operation operation;
    operation.name = node.name();
    operation.op = node.op_type();
    operation.kind = WorkKind::kConversion;
    operation.unit = unit_of(node) == Unit::kFolded ? Unit::kNpuInteger : unit_of(node);
    operation.act_bits = std::max(bits, tensor(source).bits);
    const Shape shape = tensor(source).shape;
    const int result = add_tensor(node.output(), shape, bits, is_float);
    append(std::move(operation), {source}, {result});
    return result;
  }

  // ---- operations
  void append(Operation operation, std::vector<int> inputs, std::vector<int> outputs) {
    const auto index = static_cast<int>(work_.operations.size());
    for (const int input : inputs) {
      std::vector<int>& readers = tensor(input).readers;
      if (readers.empty() || readers.back() != index) readers.push_back(index);
    }
    for (const int output : outputs) tensor(output).producer = index;
    operation.inputs = std::move(inputs);
    operation.outputs = std::move(outputs);
    work_.operations.push_back(std::move(operation));
  }

  /// Float operations read float: a DequantizeLinear in front of them is a conversion.
  int as_read_by(const Node& node, Unit unit, const std::string& value, int index) {
    const bool wants_float = unit == Unit::kNpuFloat || unit == Unit::kCpu;
    if (tensor(index).is_constant) return index;
    const auto border = quantized_of_.find(index);
    if (!wants_float) return border == quantized_of_.end() ? index : border->second;
    const Node* producer = graph_.producer(value);
    if (tensor(index).is_float || producer == nullptr || !target::is_dequantize(*producer)) {
      return index;
    }
    const auto known = floats_.find(index);
    if (known != floats_.end()) return known->second;
    (void)node;
    return floats_[index] = convert(*producer, index, 16, true);
  }

  /// A Transpose between the border of the model and channels that are second inside is no work:
  /// the border is stored as the NPU wants it.
  bool is_border_transpose(const Node& node) {
    if (!node.is("Transpose")) return false;
    const std::vector<std::int64_t> order = node.ints_attribute("perm", {});
    const auto found = find(node.input(0));
    if (!found || order.size() < 3 || tensor(*found).shape.size() != order.size()) return false;
    const auto channels = static_cast<std::int64_t>(order.size()) - 1;
    const bool inwards = order[1] == channels && order[2] == 1;
    const bool outwards = order[1] == 2 && order.back() == 1;
    if (inwards && graph_.single_consumer(node.input(0)) == &node && is_border_input(*found)) {
      return take_channels_last_input(node, *found);
    }
    if (outwards && leads_to_output(node.output()) && tensor(*found).producer >= 0) {
      tensor(*found).channels_last = true;
      values_[node.output()] = *found;
      return true;
    }
    return false;
  }

  [[nodiscard]] bool is_border_input(int index) {
    if (tensor(index).is_graph_input) return true;
    const int source = converted_from(index);
    return source >= 0 && tensor(source).is_graph_input;
  }

  /// The tensor that a conversion made this one from; -1 when it is no result of a conversion.
  [[nodiscard]] int converted_from(int index) {
    const int producer = tensor(index).producer;
    if (producer < 0) return -1;
    const Operation& operation = work_.operations[static_cast<std::size_t>(producer)];
    return operation.kind == WorkKind::kConversion ? operation.inputs.at(0) : -1;
  }

  bool take_channels_last_input(const Node& node, int index) {
    for (const int part : {index, converted_from(index)}) {
      if (part < 0) continue;
      WorkTensor& border = tensor(part);
      border.shape.insert(border.shape.begin() + 1, border.shape.back());
      border.shape.pop_back();
      border.channels_last = true;
    }
    values_[node.output()] = index;
    return true;
  }

  /// Nothing but Q/DQ nodes stands between the value and a graph output.
  [[nodiscard]] bool leads_to_output(const std::string& value) const {
    if (graph_.is_output(value)) return true;
    const Node* reader = graph_.single_consumer(value);
    return reader != nullptr && target::is_pair_part(*reader) && leads_to_output(reader->output());
  }

  void add_operation(const Node& node) {
    if (is_border_transpose(node)) return;
    const target::NodeUnit unit = units_.find(node);
    Operation operation;
    operation.name = node.name();
    operation.op = node.op_type();
    operation.nodes = {node.name()};
    operation.unit = unit_of(node);
    operation.kind = work_kind(node);
    const Node* last = join(unit, operation);

    std::vector<int> inputs;
    std::vector<Shape> shapes;
    bool known = collect_inputs(node, operation.unit, inputs, shapes);
    if (unit.addition != nullptr) known = collect_bias(node, *unit.addition, inputs) && known;
    std::vector<int> outputs;
    known = known && make_outputs(node, *last, unit, operation, outputs);
    if (!known) return report_unknown_shape(node);
    describe_operation(graph_, node, {inputs, shapes, outputs}, work_, operation);
    append(std::move(operation), std::move(inputs), std::move(outputs));
  }

  /// What the target computes together with the operation. @return the last node of the chain
  const Node* join(const target::NodeUnit& unit, Operation& operation) {
    const Node* last = unit.node;
    for (const Node* member : {unit.addition, unit.clamp}) {
      if (member == nullptr || unit_of(*member) != operation.unit) continue;
      joined_[member] = true;
      operation.nodes.push_back(member->name());
      last = member;
    }
    return last;
  }

  bool collect_inputs(const Node& node, Unit unit, std::vector<int>& inputs,
                      std::vector<Shape>& shapes) {
    for (const std::string& value : node.inputs()) {
      shapes.emplace_back();
      if (value.empty()) continue;
      if (is_index_constant(graph_, value)) continue;
      const auto found = find(value);
      if (!found) return false;
      const int index = as_read_by(node, unit, value, *found);
      shapes.back() = tensor(index).shape;
      inputs.push_back(index);
    }
    return true;
  }

  bool collect_bias(const Node& node, const Node& addition, std::vector<int>& inputs) {
    const std::size_t other = addition.input(0) == node.output() ? 1 : 0;
    const auto bias = find(addition.input(other));
    if (bias) inputs.push_back(*bias);
    return bias.has_value();
  }

  bool make_outputs(const Node& node, const Node& last, const target::NodeUnit& unit,
                    const Operation& operation, std::vector<int>& outputs) {
    const std::vector<std::string>& names = &last == &node ? node.outputs() : last.outputs();
    for (const std::string& name : names) {
      if (name.empty()) continue;
      const auto shape = shape_of(graph_, name);
      if (!shape) return false;
      const graph::ValueType* type = graph_.find_type(name);
      const bool is_float = type == nullptr || is_floating(type->dtype);
      int bits = is_float ? 16 : dtype_bits(type->dtype);
      const bool quantized = is_float && operation.unit == Unit::kNpuInteger && unit.output;
      if (quantized) bits = bits_of(unit.output);
      values_[name] = add_tensor(name, *shape, bits, is_float && !quantized);
      outputs.push_back(values_[name]);
    }
    return true;
  }

  void report_unknown_shape(const Node& node) {
    work_.findings.push_back({"shapes-unknown", Severity::kWarning, node.name(),
                              format("{} has a shape that is not known before it runs: it is left "
                                     "out of all figures",
                                     node.op_type()),
                              "fix free dimensions with --input-shape NAME=1,3,224,224"});
    // What reads it has a shape of its own, if it is known.
    for (const std::string& name : node.outputs()) {
      const auto shape = name.empty() ? std::nullopt : shape_of(graph_, name);
      if (shape) values_[name] = add_tensor(name, *shape, 8, false);
    }
  }

  const Graph& graph_;
  target::UnitFinder units_;
  Workload work_;
  std::unordered_map<std::string, Unit> unit_of_;
  std::unordered_map<std::string, int> values_;  ///< value -> the tensor it is stored as
  std::unordered_map<int, bool> rewritten_;      ///< its stored form is that of a QuantizeLinear
  std::unordered_map<int, int> floats_;          ///< quantized tensor -> its float form
  std::unordered_map<int, int> quantized_of_;    ///< float graph output -> what it is made from
  std::unordered_map<const Node*, bool> joined_;
};

}  // namespace

std::int64_t WorkTensor::elements() const {
  return element_count(shape);
}

std::int64_t WorkTensor::bytes() const {
  return (elements() * bits + 7) / 8;
}

Workload make_workload(const Graph& graph, const target::PlacementReport& placement) {
  return WorkloadBuilder(graph, placement).run();
}

}  // namespace hexquant::perf
