#include "passes/space_to_depth_stem.h"

#include <optional>
#include <string>
#include <vector>

#include "core/format.h"
#include "graph/linear_layer.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;
using Ints = std::vector<std::int64_t>;

/// One spatial axis of a strided convolution, and of the one that replaces it.
struct Axis {
  std::int64_t stride = 1;
  std::int64_t kernel = 1;
  std::int64_t pad_begin = 0;
  std::int64_t first_block = 0;  ///< a_min
  std::int64_t new_kernel = 1;
  std::int64_t new_pad_end = 0;
};

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

std::optional<Axis> make_axis(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                              std::int64_t pad_begin, std::int64_t pad_end) {
  if (size % stride != 0) return std::nullopt;
  Axis axis{stride, kernel, pad_begin, floor_div(-pad_begin, stride), 0, 0};
  axis.new_kernel = floor_div(kernel - 1 - pad_begin, stride) - axis.first_block + 1;
  const std::int64_t outputs = (size + pad_begin + pad_end - kernel) / stride + 1;
  // As many outputs as before, from size / stride blocks.
  axis.new_pad_end = outputs - 1 + axis.new_kernel - size / stride + axis.first_block;
  return axis.new_pad_end < 0 ? std::nullopt : std::optional(axis);
}

struct Stem {
  Axis rows;
  Axis columns;
  Shape input;  ///< [N, C, H, W]; N may be -1
  std::string batch_symbol;
};

std::optional<Stem> find_stem(const Graph& graph, const Node& node) {
  if (!node.is("Conv") || !graph::LinearLayer::find(graph, node)) return std::nullopt;
  const Shape& weight = graph.find_initializer(node.input(1))->shape();
  const graph::ValueType* type = graph.find_type(node.input(0));
  if (weight.size() != 4 || type == nullptr || !type->shape || type->shape->size() != 4) {
    return std::nullopt;
  }
  Shape input;
  for (const graph::Dim& dim : *type->shape) input.push_back(dim.value);
  if (input[1] < 1 || input[2] < 1 || input[3] < 1) return std::nullopt;
  const Ints strides = node.ints_attribute("strides", {1, 1});
  const Ints pads = node.ints_attribute("pads", {0, 0, 0, 0});
  const Ints dilations = node.ints_attribute("dilations", {1, 1});
  const std::string auto_pad = node.string_attribute("auto_pad", "NOTSET");
  const bool fits = node.int_attribute("group", 1) == 1 && strides[0] == strides[1] &&
                    strides[0] > 1 && dilations == Ints{1, 1} &&
                    (auto_pad == "NOTSET" || auto_pad == "VALID") && input[1] <= kStemChannels;
  if (!fits) return std::nullopt;
  const auto rows = make_axis(input[2], weight[2], strides[0], pads[0], pads[2]);
  const auto columns = make_axis(input[3], weight[3], strides[1], pads[1], pads[3]);
  if (!rows || !columns) return std::nullopt;
  return Stem{*rows, *columns, input, type->shape->front().symbol};
}

/// Where tap `t` lies: block, and offset within it.
std::pair<std::int64_t, std::int64_t> place(const Axis& axis, std::int64_t t) {
  const std::int64_t block = floor_div(t - axis.pad_begin, axis.stride);
  return {block - axis.first_block, t - axis.pad_begin - block * axis.stride};
}

Tensor rearranged(const Tensor& weight, const Stem& stem) {
  const Shape& old = weight.shape();
  const std::int64_t s = stem.rows.stride;
  const Shape shape = {old[0], old[1] * s * s, stem.rows.new_kernel, stem.columns.new_kernel};
  Tensor result(DType::kFloat32, shape);
  const auto from = weight.data<float>();
  const auto to = result.mutable_data<float>();
  std::size_t i = 0;
  for (std::int64_t o = 0; o < old[0]; ++o) {
    for (std::int64_t c = 0; c < old[1]; ++c) {
      for (std::int64_t r = 0; r < old[2]; ++r) {
        for (std::int64_t q = 0; q < old[3]; ++q) {
          const auto [row, row_offset] = place(stem.rows, r);
          const auto [column, column_offset] = place(stem.columns, q);
          const std::int64_t channel = (row_offset * s + column_offset) * old[1] + c;
          const std::int64_t at = ((o * shape[1] + channel) * shape[2] + row) * shape[3] + column;
          to[static_cast<std::size_t>(at)] = from[i++];
        }
      }
    }
  }
  return result;
}

void rewrite(Graph& graph, const Node& conv, const Stem& stem) {
  const std::int64_t s = stem.rows.stride;
  const std::string blocks = graph.unique_name(conv.input(0) + "_blocks");
  graph.insert_before(conv,
                      {"SpaceToDepth", {conv.input(0)}, {blocks}, {{"blocksize", s}}, blocks});
  const std::vector<graph::Dim> dims = {{stem.input[0], stem.batch_symbol},
                                        {stem.input[1] * s * s, ""},
                                        {stem.input[2] / s, ""},
                                        {stem.input[3] / s, ""}};
  graph.set_type(blocks, {DType::kFloat32, dims});
  const std::string weight = graph.unique_name(conv.input(1) + "_blocks");
  graph.add_initializer(weight, rearranged(*graph.find_initializer(conv.input(1)), stem));
  graph.set_input(conv, 0, blocks);
  graph.set_input(conv, 1, weight);
  graph.erase_attribute(conv, "auto_pad");
  graph.set_attribute(conv, "strides", Ints{1, 1});
  graph.set_attribute(conv, "kernel_shape", Ints{stem.rows.new_kernel, stem.columns.new_kernel});
  graph.set_attribute(conv, "pads",
                      Ints{-stem.rows.first_block, -stem.columns.first_block, stem.rows.new_pad_end,
                           stem.columns.new_pad_end});
}

}  // namespace

PassReport space_to_depth_stem(Graph& graph, const PaysOff& pays) {
  PassReport report{"space_to_depth_stem", {}, {}};
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) {
    if (find_stem(graph, node)) names.push_back(node.name());
  }
  for (const std::string& name : names) {
    Graph trial = graph;
    for (const Node* node : trial.node_list()) {
      if (node->name() != name) continue;
      rewrite(trial, *node, *find_stem(trial, *node));
      break;
    }
    if (pays(graph, trial)) {
      graph = std::move(trial);
      report.applied_to.push_back(name);
      continue;
    }
    report.findings.push_back({"space-to-depth-does-not-pay", Severity::kInfo, name,
                               "the strided convolution with few channels stays: the change would "
                               "cost as much as it saves",
                               ""});
  }
  return report;
}

}  // namespace hexquant::passes
