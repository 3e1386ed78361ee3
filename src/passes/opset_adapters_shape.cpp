#include <algorithm>
#include <optional>

#include "core/format.h"
#include "passes/graph_match.h"
#include "passes/graph_rewire.h"
#include "passes/opset_adapters.h"

// Adapters whose result depends on shapes or on constant inputs.
namespace hexquant::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::Node;

/// The axis over which Softmax-13 equals Softmax-1, which took all dimensions from `axis` on as
/// one: the only one of them that is not 1.
std::optional<std::int64_t> single_axis(const std::vector<Dim>& dims, std::int64_t axis) {
  std::int64_t found = static_cast<std::int64_t>(dims.size()) - 1;
  int larger = 0;
  for (std::size_t i = static_cast<std::size_t>(axis); i < dims.size(); ++i) {
    if (dims[i].value == 1) continue;
    found = static_cast<std::int64_t>(i);
    ++larger;
  }
  if (larger > 1) return std::nullopt;
  return found;
}

/// Shape operand that restores the shape of `value`: a constant where one free dimension at most
/// is left, else Shape(value).
std::string shape_operand(Graph& graph, const Node& node, const std::string& value) {
  const auto type = known_type(graph, value);
  if (type && type->shape) {
    std::vector<std::int64_t> dims;
    for (const Dim& dim : *type->shape) dims.push_back(dim.is_fixed() ? dim.value : -1);
    const bool is_clear = std::count(dims.begin(), dims.end(), -1) <= 1 &&
                          std::count(dims.begin(), dims.end(), 0) == 0;
    const Shape shape = {static_cast<std::int64_t>(dims.size())};
    if (is_clear) return add_constant(graph, node, "shape", Tensor::from(shape, dims));
  }
  const std::string shape = graph.unique_name(value + "_shape");
  graph.insert_before(node, {"Shape", {value}, {shape}});
  return shape;
}

/// Scales of a Resize or Upsample, when they are constant.
std::optional<std::vector<double>> constant_scales(const Graph& graph, const std::string& value) {
  const Tensor* tensor = graph.find_initializer(value);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32) return std::nullopt;
  return to_doubles(*tensor);
}

void set_old_resize_modes(Graph& graph, const Node& node, const std::string& nearest_mode) {
  graph.set_attribute(node, "coordinate_transformation_mode", std::string("asymmetric"));
  graph.set_attribute(node, "nearest_mode", nearest_mode);
}

/// Moves the scales from input 1 to input 2; there is no region of interest.
void move_scales(Graph& graph, const Node& node, const std::string& scales) {
  graph.set_input(node, 2, scales);
  graph.set_input(node, 1, "");
}

}  // namespace

// Softmax, LogSoftmax, Hardmax before 13: input flattened to 2-D at `axis` (default 1).
// Since 13: along `axis` only.
std::string adapt_softmax(Graph& graph, const Node& node) {
  const std::string input = node.input(0);
  const auto type = known_type(graph, input);
  std::int64_t axis = node.int_attribute("axis", 1);
  const bool has_shape = type && type->shape;
  if (axis < 0 && !has_shape) return "the rank of its input is not known";
  if (has_shape) {
    if (axis < 0) axis += static_cast<std::int64_t>(type->shape->size());
    if (const auto single = single_axis(*type->shape, axis)) {
      graph.set_attribute(node, "axis", *single);
      return "";
    }
  }
  const std::string output = node.output();
  const std::string shape = shape_operand(graph, node, input);
  const std::string flat = graph.unique_name(output + "_flat_input");
  const std::string flat_result = graph.unique_name(output + "_flat");
  graph.insert_before(node, {"Flatten", {input}, {flat}, {{"axis", axis}}});
  graph.set_input(node, 0, flat);
  graph.set_attribute(node, "axis", std::int64_t{-1});
  graph.set_output(node, 0, flat_result);
  graph.insert_after(node, {"Reshape", {flat_result, shape}, {output}});
  return "";
}

// Upsample, until 9: scales >= 1, source index = floor(index / scale).
std::string adapt_upsample(Graph& graph, const Node& node) {
  std::string scales = node.input(1);
  if (const auto* attribute = node.find_attribute("scales")) {
    const auto* values = std::get_if<std::vector<float>>(attribute);
    if (values == nullptr) return "its scales are no list of numbers";
    const Tensor tensor = Tensor::from({static_cast<std::int64_t>(values->size())}, *values);
    scales = add_constant(graph, node, "scales", tensor);
    graph.erase_attribute(node, "scales");
  }
  if (scales.empty()) return "it has no scales";
  graph.set_op_type(node, "Resize");
  move_scales(graph, node, scales);
  set_old_resize_modes(graph, node, "floor");
  return "";
}

// Resize-10: as Upsample, but also smaller; there ONNX Runtime takes ceil(index / scale).
std::string adapt_resize_10(Graph& graph, const Node& node) {
  // An Upsample that was adapted already.
  if (node.find_attribute("coordinate_transformation_mode") != nullptr) return "";
  std::string nearest_mode = "floor";
  if (node.string_attribute("mode", "nearest") == "nearest") {
    const auto scales = constant_scales(graph, node.input(1));
    if (!scales) return "its scales are not constant";
    const auto is_larger = [](double scale) { return scale > 1.0; };
    const auto is_smaller = [](double scale) { return scale < 1.0; };
    const bool enlarges = std::any_of(scales->begin(), scales->end(), is_larger);
    const bool shrinks = std::any_of(scales->begin(), scales->end(), is_smaller);
    if (enlarges && shrinks) return "it enlarges one dimension and shrinks another";
    if (shrinks) nearest_mode = "ceil";
  }
  const std::string scales = node.input(1);
  move_scales(graph, node, scales);
  set_old_resize_modes(graph, node, nearest_mode);
  return "";
}

// Resize-11: roi and scales were never absent, but empty. One coordinate mode was dropped in 13.
std::string adapt_resize_11(Graph& graph, const Node& node) {
  if (node.string_attribute("coordinate_transformation_mode", "") == "tf_half_pixel_for_nn") {
    return "tf_half_pixel_for_nn has no successor";
  }
  for (const std::size_t index : {std::size_t{1}, std::size_t{2}}) {
    const Tensor* tensor = graph.find_initializer(node.input(index));
    if (tensor != nullptr && tensor->empty()) graph.set_input(node, index, "");
  }
  return "";
}

// GroupNormalization-18: scale and bias for each group; since 21 for each channel.
std::string adapt_group_normalization(Graph& graph, const Node& node) {
  const auto type = known_type(graph, node.input(0));
  if (!type || !type->shape || type->shape->size() < 2 || !(*type->shape)[1].is_fixed()) {
    return "its number of channels is not known";
  }
  const std::int64_t channels = (*type->shape)[1].value;
  for (const std::size_t index : {std::size_t{1}, std::size_t{2}}) {
    const Tensor* tensor = graph.find_initializer(node.input(index));
    if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->empty()) {
      return "its scale or bias is no constant";
    }
    const auto groups = tensor->data<float>();
    std::vector<float> values(static_cast<std::size_t>(channels));
    const std::size_t each = values.size() / groups.size();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = groups[std::min(i / each, groups.size() - 1)];
    }
    const std::string name =
        add_constant(graph, node, index == 1 ? "scale" : "bias", Tensor::from({channels}, values));
    graph.set_input(node, index, name);
  }
  return "";
}

}  // namespace hexquant::passes
