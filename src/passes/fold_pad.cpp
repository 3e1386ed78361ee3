#include "passes/fold_pad.h"

#include <algorithm>
#include <optional>
#include <set>

#include "core/format.h"
#include "passes/graph_match.h"
#include "passes/graph_rewire.h"

namespace hexquant::passes {
namespace {

using graph::Graph;
using graph::Node;
using Ints = std::vector<std::int64_t>;

/// Padding of the spatial dimensions: all beginnings, then all ends.
struct SpatialPads {
  Ints values;
  [[nodiscard]] std::size_t rank() const { return values.size() / 2; }
};

bool pads_with_zero(const Graph& graph, const Node& pad) {
  if (pad.string_attribute("mode", "constant") != "constant") return false;
  if (pad.input(2).empty()) return pad.float_attribute("value", 0.0F) == 0.0F;
  return scalar_constant(graph, pad.input(2)) == 0.0;
}

/// Pads of all dimensions, beginnings then ends; from constant pads and axes only.
std::optional<Ints> all_pads(const Graph& graph, const Node& pad) {
  const IntsParameter pads = ints_parameter(graph, pad, "pads", 1);
  if (!pads.values) return std::nullopt;
  if (pad.input(3).empty()) return pads.values;
  const auto axes = constant_ints(graph, pad.input(3));
  const auto rank = known_rank(graph, pad.input(0));
  if (!axes || !rank || pads.values->size() != 2 * axes->size()) return std::nullopt;
  Ints result(static_cast<std::size_t>(2 * *rank), 0);
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const std::int64_t axis = (*axes)[i] < 0 ? (*axes)[i] + *rank : (*axes)[i];
    if (axis < 0 || axis >= *rank) return std::nullopt;
    result[static_cast<std::size_t>(axis)] = (*pads.values)[i];
    result[static_cast<std::size_t>(axis + *rank)] = (*pads.values)[i + axes->size()];
  }
  return result;
}

std::optional<SpatialPads> spatial_zero_pads(const Graph& graph, const Node& pad) {
  if (!pads_with_zero(graph, pad)) return std::nullopt;
  const auto pads = all_pads(graph, pad);
  if (!pads || pads->size() < 6 || pads->size() % 2 != 0) return std::nullopt;
  const std::size_t rank = pads->size() / 2;
  SpatialPads spatial;
  for (std::size_t i = 0; i < pads->size(); ++i) {
    const bool is_spatial = i % rank >= 2;
    if ((*pads)[i] < 0 || (!is_spatial && (*pads)[i] != 0)) return std::nullopt;
    if (is_spatial) spatial.values.push_back((*pads)[i]);
  }
  return spatial;
}

/// Pads of a Conv or pool added to `pads`; nullopt when they depend on its input's size.
std::optional<Ints> merged_pads(const Node& reader, const SpatialPads& pads) {
  const std::string auto_pad = reader.string_attribute("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID") return std::nullopt;
  Ints merged = pads.values;
  if (auto_pad == "VALID" || reader.find_attribute("pads") == nullptr) return merged;
  const Ints own = reader.ints_attribute("pads", {});
  if (own.size() != merged.size()) return std::nullopt;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (own[i] < 0) return std::nullopt;
    merged[i] += own[i];
  }
  return merged;
}

bool is_all(const Ints& values, std::int64_t wanted) {
  return std::all_of(values.begin(), values.end(), [&](auto value) { return value == wanted; });
}

/// Every window of a pool then holds an element of the tensor itself.
bool fits_pool(const Node& pool, const Ints& pads) {
  if (pool.int_attribute("ceil_mode", 0) != 0) return false;
  if (!is_all(pool.ints_attribute("dilations", {}), 1)) return false;
  const Ints kernel = pool.ints_attribute("kernel_shape", {});
  if (pads.size() != 2 * kernel.size()) return false;
  for (std::size_t i = 0; i < pads.size(); ++i) {
    if (pads[i] >= kernel[i % kernel.size()]) return false;
  }
  return true;
}

/// True if no element of the value can be negative, whatever is fed.
bool is_never_negative(const Graph& graph, const std::string& value, int depth = 32) {
  const Node* node = graph.producer(value);
  if (node == nullptr || !node->domain().empty() || depth == 0) return false;
  static const std::set<std::string> kNever = {"Abs",      "Exp",     "HardSigmoid",
                                               "Relu",     "Sigmoid", "Softmax",
                                               "Softplus", "Sqrt",    "ReduceSumSquare"};
  static const std::set<std::string> kKeeps = {
      "Add",      "AveragePool",   "Concat",   "Dropout", "Flatten", "GlobalAveragePool",
      "Gather",   "GlobalMaxPool", "Identity", "MaxPool", "Max",     "Mul",
      "Reshape",  "Slice",         "Split",    "Squeeze", "Sum",     "Transpose",
      "Unsqueeze"};
  const std::string& op = node->op_type();
  if (kNever.contains(op)) return true;
  if (op == "Clip") {
    const auto low = scalar_constant(graph, node->input(1));
    return low && *low >= 0.0;
  }
  if (!kKeeps.contains(op)) return false;
  const bool reads_all = op == "Add" || op == "Concat" || op == "Max" || op == "Mul" || op == "Sum";
  const std::size_t count = reads_all ? node->inputs().size() : 1;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_never_negative(graph, node->input(i), depth - 1)) return false;
  }
  return true;
}

bool accepts(const Graph& graph, const Node& reader, const Node& pad, const SpatialPads& pads) {
  if (!reader.domain().empty() || reader.input(0) != pad.output()) return false;
  const auto merged = merged_pads(reader, pads);
  if (!merged) return false;
  if (reader.is("Conv")) return true;
  if (reader.is("AveragePool")) {
    const Ints own = reader.ints_attribute("pads", {});
    return fits_pool(reader, *merged) &&
           (reader.int_attribute("count_include_pad", 0) != 0 || is_all(own, 0));
  }
  if (reader.is("MaxPool")) {
    return fits_pool(reader, *merged) && !is_needed(graph, reader.output(1)) &&
           is_never_negative(graph, pad.input(0));
  }
  return false;
}

/// True if the padding could have been part of a layer.
bool has_layer_reader(const Graph& graph, const Node& pad) {
  const auto& uses = graph.uses(pad.output());
  return std::any_of(uses.begin(), uses.end(), [](const graph::Use& use) {
    return use.node->is("Conv") || use.node->is("AveragePool") || use.node->is("MaxPool");
  });
}

/// Why the Pad must stay; "" when every reader takes it.
std::string find_obstacle(const Graph& graph, const Node& pad, const SpatialPads& pads) {
  if (graph.is_output(pad.output())) return "it is a graph output";
  for (const graph::Use& use : graph.uses(pad.output())) {
    const Node& reader = *use.node;
    if (use.index != 0 || !accepts(graph, reader, pad, pads)) {
      return format("'{}' ({}) cannot take the padding exactly", reader.name(), reader.op_type());
    }
  }
  return "";
}

void move_pads(Graph& graph, const Node& pad, const SpatialPads& pads) {
  const std::string input = pad.input(0);
  const std::vector<graph::Use> readers = graph.uses(pad.output());
  for (const graph::Use& use : readers) {
    const Node& reader = *use.node;
    const Ints merged = *merged_pads(reader, pads);
    graph.erase_attribute(reader, "auto_pad");
    graph.set_attribute(reader, "pads", merged);
    if (reader.is("AveragePool")) {
      graph.set_attribute(reader, "count_include_pad", std::int64_t{1});
    }
    graph.set_input(reader, 0, input);
  }
  graph.erase_type(pad.output());
  graph.erase_node(pad);
}

}  // namespace

PassReport fold_pad(Graph& graph) {
  PassReport report{"fold_pad", {}, {}};
  graph.sort();
  for (const Node* pad : graph.node_list()) {
    if (!pad->is("Pad")) continue;
    const auto pads = spatial_zero_pads(graph, *pad);
    if (!pads) continue;
    const std::string obstacle = find_obstacle(graph, *pad, *pads);
    if (!obstacle.empty() && !has_layer_reader(graph, *pad)) continue;
    if (!obstacle.empty()) {
      report.findings.push_back({"pad-not-folded", Severity::kInfo, pad->name(),
                                 "the Pad stays, because " + obstacle,
                                 "put the padding into the convolution or pool when exporting"});
      continue;
    }
    report.applied_to.push_back(pad->name());
    move_pads(graph, *pad, *pads);
  }
  return report;
}

}  // namespace hexquant::passes
