#include "passes/shape_values.h"

#include <algorithm>
#include <set>
#include <utility>

#include "passes/graph_rewire.h"
#include "passes/shape_arithmetic.h"

namespace hexquant::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::Node;
using Values = std::map<std::string, ShapeTensor>;
using Result = std::optional<ShapeTensor>;

bool is_followed(DType dtype) {
  return dtype == DType::kInt64 || dtype == DType::kInt32 || dtype == DType::kBool;
}

/// Evaluates one node at a time from what is known of its inputs.
class Evaluator {
 public:
  explicit Evaluator(const Graph& graph) : graph_(graph) {}

  Values run() {
    for (const Node& node : graph_.nodes()) {
      if (!node.domain().empty() || node.output().empty()) continue;
      Result result = evaluate(node);
      if (!result) continue;
      if (element_count(result->shape) > kLargestShapeTensor) continue;
      values_.emplace(node.output(), *std::move(result));
    }
    return std::move(values_);
  }

 private:
  Result evaluate(const Node& node) const {
    const std::string& op = node.op_type();
    if (op == "Shape") return shape(node);
    if (op == "Size") return size(node);
    if (op == "Gather") return gather(node);
    if (op == "Slice") return slice(node);
    if (op == "Concat") return concat(node);
    if (op == "Cast") return cast(node);
    if (op == "Where") return where(node);
    if (op == "Range") return range(node);
    if (op == "ConstantOfShape") return filled(node);
    if (op == "Squeeze" || op == "Unsqueeze" || op == "Reshape" || op == "Flatten" ||
        op == "Identity") {
      return same_elements(node);
    }
    if (is_shape_operation(op)) return binary(node);
    return std::nullopt;
  }

  /// Value of an input: followed, or a small constant.
  Result input(const Node& node, std::size_t index) const {
    const std::string& name = node.input(index);
    const auto found = values_.find(name);
    if (found != values_.end()) return found->second;
    const Tensor* tensor = graph_.find_initializer(name);
    if (tensor == nullptr || !is_followed(tensor->dtype())) return std::nullopt;
    if (tensor->size() > kLargestShapeTensor) return std::nullopt;
    ShapeTensor result{tensor->dtype(), tensor->shape(), {}};
    for (const std::int64_t value : integers(*tensor)) result.elements.push_back({value, ""});
    return result;
  }

  static std::vector<std::int64_t> integers(const Tensor& tensor) {
    if (tensor.dtype() != DType::kBool) return to_int64s(tensor.reshaped({tensor.size()}));
    const auto data = tensor.data<bool>();
    return {data.begin(), data.end()};
  }

  std::optional<std::vector<std::int64_t>> known_input(const Node& node, std::size_t index) const {
    const Result tensor = input(node, index);
    if (!tensor || !tensor->is_known()) return std::nullopt;
    std::vector<std::int64_t> values;
    for (const ShapeElement& element : tensor->elements) values.push_back(*element.value);
    return values;
  }

  std::optional<Shape> output_shape(const Node& node) const {
    const auto type = known_type(graph_, node.output());
    if (!type || !type->shape) return std::nullopt;
    return type->fixed_shape();
  }

  static ShapeElement element_of(const Dim& dim) {
    if (dim.is_fixed()) return {dim.value, ""};
    return {std::nullopt, dim.symbol};
  }

  Result shape(const Node& node) const {
    const auto type = known_type(graph_, node.input(0));
    if (!type || !type->shape) return std::nullopt;
    const auto rank = static_cast<std::int64_t>(type->shape->size());
    const auto bound = [&](std::int64_t position) {
      return std::clamp<std::int64_t>(position < 0 ? position + rank : position, 0, rank);
    };
    const std::int64_t begin = bound(node.int_attribute("start", 0));
    const std::int64_t end = bound(node.int_attribute("end", rank));
    ShapeTensor result{DType::kInt64, {std::max<std::int64_t>(end - begin, 0)}, {}};
    for (std::int64_t i = begin; i < end; ++i) {
      result.elements.push_back(element_of((*type->shape)[static_cast<std::size_t>(i)]));
    }
    return result;
  }

  Result size(const Node& node) const {
    const auto type = known_type(graph_, node.input(0));
    const auto fixed = type ? type->fixed_shape() : std::nullopt;
    if (!fixed) return std::nullopt;
    return ShapeTensor{DType::kInt64, {}, {{element_count(*fixed), ""}}};
  }

  /// Of a list only.
  Result gather(const Node& node) const {
    const Result data = input(node, 0);
    const Result where = input(node, 1);
    const auto indices = known_input(node, 1);
    if (!data || !indices || data->shape.size() != 1) return std::nullopt;
    ShapeTensor result{data->dtype, where->shape, {}};
    for (std::int64_t index : *indices) {
      if (index < 0) index += data->shape[0];
      if (index < 0 || index >= data->shape[0]) return std::nullopt;
      result.elements.push_back(data->elements[static_cast<std::size_t>(index)]);
    }
    return result;
  }

  std::optional<std::int64_t> slice_number(const Node& node, const std::string& attribute,
                                           std::size_t index, std::int64_t fallback) const {
    if (!node.input(index).empty()) {
      const auto values = known_input(node, index);
      if (!values || values->size() != 1) return std::nullopt;
      return values->front();
    }
    const auto values = node.ints_attribute(attribute, {fallback});
    if (values.size() != 1) return std::nullopt;
    return values.front();
  }

  /// Of a list only.
  Result slice(const Node& node) const {
    const Result data = input(node, 0);
    if (!data || data->shape.size() != 1) return std::nullopt;
    const auto begin = slice_number(node, "starts", 1, 0);
    const auto end = slice_number(node, "ends", 2, data->shape[0]);
    const auto step = slice_number(node, "steps", 4, 1);
    if (!begin || !end || !step || *step == 0) return std::nullopt;
    return sliced(*data, *begin, *end, *step);
  }

  Result concat(const Node& node) const {
    ShapeTensor result;
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      const Result part = input(node, i);
      if (!part || part->shape.size() != 1) return std::nullopt;
      result.dtype = part->dtype;
      result.elements.insert(result.elements.end(), part->elements.begin(), part->elements.end());
    }
    result.shape = {static_cast<std::int64_t>(result.elements.size())};
    return result;
  }

  Result cast(const Node& node) const {
    Result result = input(node, 0);
    const auto dtype = static_cast<DType>(node.int_attribute("to", 0));
    if (!result || !is_followed(dtype)) return std::nullopt;
    // Narrowing is left to ONNX Runtime, once everything is known.
    const bool keeps = dtype == DType::kInt64 || dtype == result->dtype ||
                       (dtype == DType::kInt32 && result->dtype == DType::kBool);
    if (!keeps) {
      for (ShapeElement& element : result->elements) element = {};
    }
    result->dtype = dtype;
    return result;
  }

  Result same_elements(const Node& node) const {
    Result result = input(node, 0);
    const auto shape = output_shape(node);
    if (!result || !shape) return std::nullopt;
    if (element_count(*shape) != static_cast<std::int64_t>(result->elements.size())) {
      return std::nullopt;
    }
    result->shape = *shape;
    return result;
  }

  Result filled(const Node& node) const {
    const auto dims = known_input(node, 0);
    if (!dims || std::any_of(dims->begin(), dims->end(), [](auto dim) { return dim < 0; })) {
      return std::nullopt;
    }
    const auto* attribute = node.find_attribute("value");
    const Tensor* value = attribute == nullptr ? nullptr : std::get_if<Tensor>(attribute);
    // Without a value it holds float zeros, which are not followed.
    if (value == nullptr || !is_followed(value->dtype()) || value->size() != 1) return std::nullopt;
    ShapeTensor result{value->dtype(), *dims, {}};
    if (element_count(*dims) > kLargestShapeTensor) return std::nullopt;
    result.elements.assign(static_cast<std::size_t>(element_count(*dims)),
                           {integers(*value).front(), ""});
    return result;
  }

  Result range(const Node& node) const {
    const auto start = known_input(node, 0);
    const auto limit = known_input(node, 1);
    const auto delta = known_input(node, 2);
    if (!start || !limit || !delta || start->size() != 1 || limit->size() != 1 ||
        delta->size() != 1) {
      return std::nullopt;
    }
    return counted(input(node, 0)->dtype, start->front(), limit->front(), delta->front());
  }

  Result binary(const Node& node) const {
    const Result a = input(node, 0);
    const Result b = input(node, 1);
    if (!a || !b || node.inputs().size() != 2) return std::nullopt;
    return combine(node, *a, *b);
  }

  Result where(const Node& node) const {
    const Result condition = input(node, 0);
    const Result yes = input(node, 1);
    const Result no = input(node, 2);
    if (!condition || !yes || !no) return std::nullopt;
    return select(*condition, *yes, *no);
  }

  const Graph& graph_;
  Values values_;
};

}  // namespace

bool ShapeTensor::is_known() const {
  return std::all_of(elements.begin(), elements.end(),
                     [](const ShapeElement& element) { return element.value.has_value(); });
}

Tensor ShapeTensor::to_tensor() const {
  Tensor tensor(dtype, shape);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const std::int64_t value = elements[i].value.value();
    if (dtype == DType::kInt64) tensor.mutable_data<std::int64_t>()[i] = value;
    if (dtype == DType::kInt32) {
      tensor.mutable_data<std::int32_t>()[i] = static_cast<std::int32_t>(value);
    }
    if (dtype == DType::kBool) tensor.mutable_data<bool>()[i] = value != 0;
  }
  return tensor;
}

std::map<std::string, ShapeTensor> evaluate_shapes(const Graph& graph) {
  return Evaluator(graph).run();
}

}  // namespace hexquant::passes
