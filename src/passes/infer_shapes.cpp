#include "passes/infer_shapes.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"
#include "passes/data_dependent_shapes.h"
#include "passes/free_dimensions.h"

namespace hexquant::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::Node;
using graph::ValueType;

/// Shapes of the measured values, in their order.
using Shapes = std::vector<Shape>;

runtime::SessionOptions as_written() {
  runtime::SessionOptions options;
  options.optimize = false;
  options.exact_integers = false;  // shapes only: no need to ask the processor
  return options;
}

runtime::SessionOptions types_only() {
  runtime::SessionOptions options = as_written();
  options.types_only = true;
  return options;
}

/// Leaves nothing but what the inputs say, so that stale types do no harm.
void forget_inner_types(Graph& graph) {
  for (const Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) graph.erase_type(output);
  }
}

std::vector<std::string> computed_values(const Graph& graph) {
  std::vector<std::string> values;
  for (const Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) {
      if (!output.empty()) values.push_back(output);
    }
  }
  return values;
}

/// The graph's first `count` nodes.
Graph leading_part(const Graph& graph, std::size_t count) {
  Graph part = graph;
  const auto nodes = part.node_list();
  for (std::size_t i = nodes.size(); i-- > count;) part.erase_node(*nodes[i]);
  return part;
}

/// Finds the first node with which the model does not load: ONNX Runtime seldom names it.
[[noreturn]] void blame_node(const Graph& bare, const Error& error) {
  const auto nodes = bare.node_list();
  std::size_t loads = 0;
  std::size_t fails = nodes.size();
  std::string reason = error.what();
  while (fails - loads > 1) {
    const std::size_t middle = loads + (fails - loads) / 2;
    const Graph part = leading_part(bare, middle);
    try {
      const runtime::Session session(part, types_only(), computed_values(part));
      loads = middle;
    } catch (const Error& earlier) {
      fails = middle;
      reason = earlier.what();
    }
  }
  const Node& node = *nodes[fails - 1];
  throw Error(ErrorCode::kInvalidModel,
              format("node '{}' ({}): {}", node.name(), node.op_type(), reason));
}

/// The graph with large weights as inputs of their shape: inference looks at the values of small
/// constants only, and a session need not be handed the others (ResNet-50: 100 MB, twice).
Graph without_large_weights(const Graph& bare) {
  constexpr std::int64_t kLarge = 1024;
  Graph light = bare;
  for (const auto& [name, tensor] : bare.initializers()) {
    if (tensor.size() <= kLarge || !is_floating(tensor.dtype()) || bare.is_captured(name)) continue;
    ValueType type{tensor.dtype(), std::vector<Dim>{}};
    for (const std::int64_t size : tensor.shape()) type.shape->push_back({size, ""});
    light.erase_initializer(name);
    light.add_input(name, std::move(type));
  }
  return light;
}

std::map<std::string, ValueType> inferred_types(Graph graph) {
  std::map<std::string, ValueType> types;
  const std::vector<std::string> values = computed_values(graph);
  const runtime::Session session(std::move(graph), types_only(), values);
  for (const runtime::ValueSpec& spec : session.outputs()) {
    if (spec.dtype != DType::kUndefined) types[spec.name] = {spec.dtype, spec.shape};
  }
  return types;
}

/// What ONNX Runtime knows without running: by value, tensors only.
std::map<std::string, ValueType> declared_types(const Graph& bare) {
  try {
    return inferred_types(without_large_weights(bare));
  } catch (const Error&) {  // a constant may have to be one
  }
  try {
    return inferred_types(bare);
  } catch (const Error& error) {
    blame_node(bare, error);
  }
}

/// An unknown rank looks like a scalar.
bool is_settled(const ValueType& type, const FreeDimensions& free) {
  const auto& dims = *type.shape;
  return !dims.empty() && std::all_of(dims.begin(), dims.end(), [&](const Dim& dim) {
    return dim.is_fixed() || free.has(dim.symbol);
  });
}

/// Runs a model and returns the shapes of some of its values.
class ShapeProbe {
 public:
  ShapeProbe(const Graph& bare, const std::vector<std::string>& values)
      : session_(with_shape_nodes(bare, values), as_written(), taps_) {}

  Shapes run(const runtime::Feeds& feeds) const {
    Shapes shapes;
    for (const Tensor& tensor : session_.run(feeds)) shapes.push_back(to_int64s(tensor));
    return shapes;
  }

 private:
  Graph with_shape_nodes(const Graph& bare, const std::vector<std::string>& values) {
    Graph probe = bare;
    for (const std::string& value : values) {
      taps_.push_back(probe.unique_name(value + "_shape"));
      probe.add_node({"Shape", {value}, {taps_.back()}});
    }
    return probe;
  }

  std::vector<std::string> taps_;
  runtime::Session session_;
};

/// Sizes and shapes of one successful run.
struct Sample {
  Sizes sizes;
  Shapes shapes;
};

/// Measures how shapes follow the free dimensions.
class Measurement {
 public:
  Measurement(const ShapeProbe& probe, const FreeDimensions& free, const runtime::Feeds& example,
              PassReport& report)
      : probe_(probe), free_(free), example_(example), report_(report) {}

  /// @return false, with a finding, when the model does not run
  bool run() {
    if (!run_base()) return false;
    for (const bool batch : {true, false}) {
      const auto symbols = free_.symbols(batch);
      if (!symbols.empty()) vary(symbols, batch);
    }
    return true;
  }

  /// Dimensions of value `index`.
  std::vector<Dim> dimensions(std::size_t index) const {
    const Shape& base = base_.shapes[index];
    std::vector<Dim> dims;
    for (std::size_t axis = 0; axis < base.size(); ++axis) dims.push_back(dimension(index, axis));
    return dims;
  }

 private:
  bool run_base() {
    std::vector<std::int64_t> guesses = {1};
    if (free_.needs_guess(example_)) guesses = {1, 32, 64, 224, 320};
    std::string reason;
    for (const std::int64_t guess : guesses) {
      const Sizes sizes = free_.example_sizes(example_, guess);
      try {
        base_ = {sizes, probe_.run(free_.feeds(example_, sizes))};
        return true;
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kInvalidData && !example_.empty()) throw;
        if (reason.empty()) reason = error.what();
      }
    }
    report_.findings.push_back(
        {"shapes-unknown", Severity::kWarning, "",
         "shapes could not be measured, because the model does not run: " + reason,
         "give a sample of data or fix the input shapes"});
    return false;
  }

  /// More samples, in which all these dimensions have another size. Half the size, besides double,
  /// finds dimensions that are cut off at some length.
  void vary(const std::vector<std::string>& symbols, bool batch) {
    std::string reason;
    const bool doubled = sample(scaled(symbols, 2, 1), reason);
    const bool can_halve =
        std::all_of(symbols.begin(), symbols.end(),
                    [&](const std::string& symbol) { return base_.sizes.at(symbol) % 2 == 0; });
    if (can_halve && !(batch && doubled) && sample(scaled(symbols, 1, 2), reason)) return;
    if (doubled) return;
    is_complete_ = false;
    report_.findings.push_back(
        {"free-dimension-untested", Severity::kInfo, format("{}", join(symbols, ", ")),
         "the model runs with one size of this input dimension only: " + reason,
         "fix the input shapes"});
  }

  Sizes scaled(const std::vector<std::string>& symbols, std::int64_t factor,
               std::int64_t divisor) const {
    Sizes sizes = base_.sizes;
    for (const std::string& symbol : symbols) sizes[symbol] = sizes[symbol] * factor / divisor;
    return sizes;
  }

  /// @param reason  set to the first failure's
  bool sample(Sizes sizes, std::string& reason) {
    try {
      Shapes shapes = probe_.run(free_.feeds(example_, sizes));
      varied_.push_back({std::move(sizes), std::move(shapes)});
      return true;
    } catch (const Error& error) {
      if (reason.empty()) reason = error.what();
      return false;
    }
  }

  Dim dimension(std::size_t index, std::size_t axis) const {
    const std::int64_t base = base_.shapes[index][axis];
    bool changes = !is_complete_;
    for (const Sample& sample : varied_) {
      const Shape& shape = sample.shapes[index];
      if (shape.size() != base_.shapes[index].size()) return {};
      changes = changes || shape[axis] != base;
    }
    if (!changes) return {base, ""};
    return {-1, is_complete_ ? follower(index, axis) : ""};
  }

  /// The one symbol whose size the dimension had in all samples.
  std::string follower(std::size_t index, std::size_t axis) const {
    std::string found;
    for (const auto& [symbol, size] : base_.sizes) {
      const auto& name = symbol;
      const bool follows = base_.shapes[index][axis] == size &&
                           std::all_of(varied_.begin(), varied_.end(), [&](const Sample& sample) {
                             return sample.shapes[index][axis] == sample.sizes.at(name);
                           });
      if (!follows) continue;
      if (!found.empty()) return "";
      found = symbol;
    }
    return found;
  }

  const ShapeProbe& probe_;
  const FreeDimensions& free_;
  const runtime::Feeds& example_;
  PassReport& report_;
  Sample base_;
  std::vector<Sample> varied_;
  bool is_complete_ = true;
};

/// Rank from the run; a dimension that may depend on data only from ONNX Runtime's inference.
ValueType merge(const ValueType& declared, std::vector<Dim> measured, bool depends_on_data) {
  ValueType type{declared.dtype, std::move(measured)};
  const bool same_rank = declared.shape->size() == type.shape->size();
  for (std::size_t axis = 0; axis < type.shape->size(); ++axis) {
    Dim& dim = (*type.shape)[axis];
    if (depends_on_data) dim = {};
    if (!same_rank) continue;
    const Dim& known = (*declared.shape)[axis];
    // Measured symbols win over inferred ones; an inferred number holds in every run.
    if (known.is_fixed() || (!dim.is_fixed() && dim.symbol.empty())) dim = known;
  }
  return type;
}

/// Values whose shape only a run can tell. A type that `bare` has is known already.
std::vector<std::string> open_values(const Graph& bare, const FreeDimensions& free,
                                     const std::map<std::string, ValueType>& types) {
  std::vector<std::string> open;
  for (const std::string& value : computed_values(bare)) {
    const auto found = types.find(value);
    if (found == types.end() || bare.find_type(value) != nullptr) continue;
    if (!is_settled(found->second, free)) open.push_back(value);
  }
  return open;
}

void measure_types(const Graph& bare, const FreeDimensions& free, const runtime::Feeds& example,
                   std::map<std::string, ValueType>& types, PassReport& report) {
  const auto by_data = data_dependent_shapes(bare);
  const auto open = open_values(bare, free, types);
  if (open.empty()) return;
  const ShapeProbe probe(bare, open);
  Measurement measurement(probe, free, example, report);
  if (!measurement.run()) {
    // A declared scalar may be a value of unknown rank.
    for (const std::string& value : open) {
      if (types[value].shape->empty()) types[value].shape.reset();
    }
    return;
  }
  for (std::size_t i = 0; i < open.size(); ++i) {
    ValueType& type = types[open[i]];
    type = merge(type, measurement.dimensions(i), by_data.contains(open[i]));
  }
}

/// Symbols that were made up, or come from nowhere, mean no more than "free".
void drop_foreign_symbols(ValueType& type, const FreeDimensions& free,
                          const std::set<std::string>& made) {
  if (!type.shape) return;
  for (Dim& dim : *type.shape) {
    if (dim.is_fixed() || !free.has(dim.symbol) || made.contains(dim.symbol)) dim.symbol.clear();
  }
}

void report_unknown(const Graph& graph, PassReport& report) {
  for (const Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) {
      const ValueType* type = graph.find_type(output);
      if (output.empty() || (type != nullptr && type->shape)) continue;
      report.findings.push_back(
          {"shapes-unknown", Severity::kWarning, node.name(),
           format("the shape of '{}', a result of {}, is not known", output, node.op_type()),
           "it stays float"});
      break;
    }
  }
}

/// Stores the types of all values of `bare` that it does not know yet.
void store_types(Graph& graph, const Graph& bare, std::map<std::string, ValueType>& types,
                 PassReport& report) {
  for (const std::string& value : computed_values(bare)) {
    if (bare.find_type(value) != nullptr) continue;
    const auto found = types.find(value);
    if (found == types.end()) {
      graph.erase_type(value);
      continue;
    }
    const ValueType* before = graph.find_type(value);
    const bool same = before != nullptr && before->dtype == found->second.dtype &&
                      before->shape == found->second.shape;
    if (!same) report.applied_to.push_back(value);
    graph.set_type(value, std::move(found->second));
  }
}

/// Stores what inference alone is certain of.
void store_settled(Graph& graph, const FreeDimensions& free, const std::set<std::string>& made,
                   std::map<std::string, ValueType>& types) {
  for (auto& [value, type] : types) {
    if (!is_settled(type, free)) continue;
    drop_foreign_symbols(type, free, made);
    graph.set_type(value, std::move(type));
  }
}

bool has_open_values(const Graph& graph) {
  const auto values = computed_values(graph);
  return std::any_of(values.begin(), values.end(),
                     [&](const std::string& value) { return graph.find_type(value) == nullptr; });
}

}  // namespace

PassReport declare_shapes(Graph& graph) {
  PassReport report{"declare_shapes", {}, {}};
  graph.sort();
  forget_inner_types(graph);
  if (graph.nodes().empty()) return report;
  std::vector<std::pair<std::string, ValueType>> given;
  for (const std::string& input : graph.inputs())
    given.emplace_back(input, *graph.find_type(input));
  const auto made = name_free_dimensions(graph);
  auto types = declared_types(graph);
  store_settled(graph, FreeDimensions(graph), {made.begin(), made.end()}, types);
  for (auto& [input, type] : given) graph.set_input_type(input, std::move(type));
  return report;
}

PassReport complete_shapes(Graph& graph, const runtime::Feeds& example) {
  PassReport report{"complete_shapes", {}, {}};
  graph.sort();
  if (!has_open_values(graph)) return report;
  Graph bare = graph;
  const auto named = name_free_dimensions(bare);
  const std::set<std::string> made(named.begin(), named.end());
  const FreeDimensions free(bare);
  auto types = declared_types(bare);
  measure_types(bare, free, example, types, report);
  for (auto& [value, type] : types) drop_foreign_symbols(type, free, made);
  store_types(graph, bare, types, report);
  report_unknown(graph, report);
  return report;
}

PassReport infer_shapes(Graph& graph, const runtime::Feeds& example) {
  (void)declare_shapes(graph);
  PassReport report = complete_shapes(graph, example);
  report.pass = "infer_shapes";
  return report;
}

}  // namespace hexquant::passes
