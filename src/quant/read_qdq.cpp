#include "quant/read_qdq.h"

#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "core/format.h"
#include "graph/integer_input.h"
#include "hexquant/error.h"
#include "quant/fake_quant.h"

namespace hexquant::quant {
namespace {

using graph::Graph;
using graph::Node;

/// DequantizeLinear nodes between a value of the float graph and its reader: the value's own first,
/// then that of the edge.
using Pairs = std::vector<const Node*>;

bool is_dequantize(const Node& node) {
  return node.op_type() == "DequantizeLinear" &&
         (node.domain().empty() || node.domain() == "com.microsoft");
}

const TensorPolicy* policy_of(const QuantPlan& plan, const std::string& name) {
  const auto found = plan.tensors.find(name);
  return found == plan.tensors.end() ? nullptr : &found->second;
}

class QdqReader {
 public:
  QdqReader(const Graph& quantized, const Graph& graph, const QuantPlan& plan, std::string origin)
      : quantized_(quantized), graph_(graph), plan_(plan), origin_(std::move(origin)) {
    for (const Node& node : graph.nodes()) own_nodes_.insert(node.name());
    for (const Node& node : quantized.nodes()) by_name_[node.name()] = &node;
  }

  EncodingTable read() {
    for (const Node& node : graph_.nodes()) read_inputs(node);
    for (const std::string& output : graph_.outputs()) {
      take_value(output, pairs_before(output), false);
    }
    for (const auto& [name, policy] : plan_.tensors) {
      if (!table_.tensors.contains(name) && !is_elsewhere(policy)) fail_missing(name, policy.type);
    }
    for (const auto& [key, policy] : plan_.edges) {
      if (!table_.edges.contains(key)) {
        fail_missing(format("input {} of node '{}'", key.index, key.node), policy.type);
      }
    }
    return std::move(table_);
  }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& reason) const {
    throw Error(ErrorCode::kInvalidData, format("{}: '{}' {}", origin_, what, reason));
  }
  [[noreturn]] void fail_missing(const std::string& what, DType type) const {
    fail(what, format("is not quantized: expected {}", dtype_name(type)));
  }

  /// True for weights that the model need not show, see read_qdq().
  static bool is_elsewhere(const TensorPolicy& policy) {
    return policy.role == Role::kWeight && policy.granularity == Granularity::kGroup;
  }

  void read_inputs(const Node& node) {
    const auto found = by_name_.find(node.name());
    if (found == by_name_.end()) {
      fail(node.name(), format("({}) is missing: expected a node of this name", node.op_type()));
    }
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      const std::string& value = node.input(i);
      if (value.empty() || plan_.biases.contains(value)) continue;
      const Pairs pairs = pairs_before(found->second->input(i));
      const auto edge = plan_.edges.find({node.name(), static_cast<int>(i)});
      const bool has_edge = edge != plan_.edges.end();
      if (has_edge && pairs.size() < own_pairs(value) + 1) {
        fail_missing(format("{} (input {} of node {})", value, i, node.name()), edge->second.type);
      }
      take_value(value, pairs, has_edge);
      if (!has_edge) continue;
      table_.edges[edge->first] = encoding_of(value, *pairs.back(), edge->second, {});
    }
  }

  /// Pairs of the value itself that the plan asks for.
  [[nodiscard]] std::size_t own_pairs(const std::string& value) const {
    return policy_of(plan_, value) == nullptr || graph::integer_input(graph_, value) ? 0 : 1;
  }

  /// The pairs that `value` of the quantized graph comes through.
  [[nodiscard]] Pairs pairs_before(const std::string& value) const {
    Pairs pairs;
    const Node* node = quantized_.producer(value);
    while (node != nullptr && is_dequantize(*node) && !own_nodes_.contains(node->name())) {
      pairs.insert(pairs.begin(), node);
      const Node* quantize = quantized_.producer(node->input(0));
      if (quantize == nullptr) break;  // codes of a constant
      node = quantized_.producer(quantize->input(0));
    }
    return pairs;
  }

  void take_value(const std::string& name, const Pairs& pairs, bool has_edge) {
    const TensorPolicy* policy = policy_of(plan_, name);
    const std::size_t own = pairs.size() - (has_edge ? 1 : 0);
    if (policy == nullptr) {
      if (own > 0) fail(name, "is quantized: expected it to stay float");
      return;
    }
    if (own > 1) fail(name, "is quantized twice");
    if (own == 1) {
      const Tensor* constant = graph_.find_initializer(name);
      if (is_elsewhere(*policy) && policy->block_scale_bits > 0) return;
      table_.tensors[name] = encoding_of(name, *pairs.front(), *policy,
                                         constant == nullptr ? Shape{} : constant->shape());
    } else if (const auto fed = graph::integer_input(graph_, name)) {
      Encoding encoding = empty_encoding(*policy);
      encoding.scale = {fed->scale};
      encoding.zero_point = {static_cast<std::int32_t>(fed->zero_point)};
      table_.tensors[name] = std::move(encoding);
    }
  }

  /// @param shape  of a constant; {} for a value, whose encoding has one scale
  [[nodiscard]] Encoding encoding_of(const std::string& name, const Node& dequantize,
                                     const TensorPolicy& policy, const Shape& shape) const {
    Encoding encoding = policy.fixed_encoding ? *policy.fixed_encoding : empty_encoding(policy);
    const Tensor* scale = quantized_.find_initializer(dequantize.input(1));
    const Tensor* zero_point = quantized_.find_initializer(dequantize.input(2));
    if (scale == nullptr || scale->dtype() != DType::kFloat32 || zero_point == nullptr ||
        zero_point->size() != scale->size()) {
      fail(name, "has no constant scale and zero point");
    }
    if (zero_point->dtype() != encoding.type) {
      fail(name, format("is {}: expected {}", dtype_name(zero_point->dtype()),
                        dtype_name(encoding.type)));
    }
    check_layout(name, dequantize, encoding, *scale, shape);
    const auto scales = scale->data<float>();
    encoding.scale.assign(scales.begin(), scales.end());
    for (const float value : encoding.scale) {
      if (!std::isfinite(value) || value <= 0.0F) {
        fail(name, format("has the scale {}: expected a positive number", value));
      }
    }
    encoding.zero_point.clear();
    for (const double code : to_doubles(*zero_point)) {
      encoding.zero_point.push_back(static_cast<std::int32_t>(code));
    }
    return encoding;
  }

  void check_layout(const std::string& name, const Node& dequantize, const Encoding& encoding,
                    const Tensor& scale, const Shape& shape) const {
    const std::int64_t expected = element_count(scale_shape(shape, encoding));
    if (scale.size() != expected) {
      fail(name, format("has {} scales: expected {}", scale.size(), expected));
    }
    if (encoding.granularity == Granularity::kTensor) return;
    const std::int64_t axis = dequantize.int_attribute("axis", 1);
    const std::int64_t block_size = dequantize.int_attribute("block_size", 0);
    if (axis != encoding.axis || block_size != encoding.block_size) {
      fail(name, format("has scales along axis {} in blocks of {}: expected axis {}, blocks of {}",
                        axis, block_size, encoding.axis, encoding.block_size));
    }
  }

  const Graph& quantized_;
  const Graph& graph_;
  const QuantPlan& plan_;
  std::string origin_;
  std::set<std::string> own_nodes_;
  std::map<std::string, const Node*> by_name_;
  EncodingTable table_;
};

}  // namespace

EncodingTable read_qdq(const Graph& quantized, const Graph& graph, const QuantPlan& plan,
                       const std::string& origin) {
  return QdqReader(quantized, graph, plan, origin).read();
}

}  // namespace hexquant::quant
