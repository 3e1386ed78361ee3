#include "pipeline/convert_source.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "core/format.h"
#include "core/nearest_name.h"
#include "hexquant/error.h"
#include "pipeline/channel_last.h"
#include "pipeline/select_outputs.h"

namespace hexquant::pipeline {
namespace {

using graph::Graph;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message);
}

std::int64_t parse_size(const std::string& text, const std::string& option) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < 1) {
    refuse(format("{} '{}': expected a number from 1 on", option, text));
  }
  return value;
}

Shape parse_dims(const std::string& text, const std::string& option) {
  Shape shape;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    shape.push_back(
        parse_size(text.substr(begin, comma - begin), option + " " + text + ": dimension"));
    begin = comma + 1;
  }
  return shape;
}

void check_input(const Graph& graph, const std::string& name, const std::string& option) {
  if (graph.is_input(name)) return;
  refuse(format("{} '{}': no input of the model, which has {}", option, name,
                join(graph.inputs(), ", ")));
}

/// Names of --input_dim and others that say something about inputs.
void check_input_names(const Graph& graph, const ConvertArguments& arguments) {
  for (const char* option :
       {"--input_dim", "--input_layout", "--input_dtype", "--input_encoding", "--input_type"}) {
    for (const auto& values : arguments.occurrences(option)) {
      // --input_encoding without a name is about all inputs.
      if (values.size() > 1) check_input(graph, values.front(), option);
    }
  }
}

/// Sizes of symbols: every input dimension with that symbol gets it.
std::map<std::string, std::int64_t> symbol_sizes(const Graph& graph,
                                                 const ConvertArguments& arguments) {
  std::set<std::string> symbols;
  for (const std::string& input : graph.inputs()) {
    const graph::ValueType* type = graph.find_type(input);
    if (type == nullptr || !type->shape) continue;
    for (const graph::Dim& dim : *type->shape) {
      if (!dim.is_fixed() && !dim.symbol.empty()) symbols.insert(dim.symbol);
    }
  }
  std::map<std::string, std::int64_t> sizes;
  for (const auto& pair : arguments.occurrences("--define_symbol")) {
    if (!symbols.contains(pair[0])) {
      refuse(format("--define_symbol '{}': no dimension of an input, which have {}", pair[0],
                    symbols.empty() ? "no symbols" : format("{}", join(symbols, ", "))));
    }
    sizes[pair[0]] = parse_size(pair[1], "--define_symbol " + pair[0]);
  }
  return sizes;
}

/// Shape of an input that --batch and --define_symbol change; nullopt when they do not.
std::optional<Shape> changed_shape(const std::string& input, const std::vector<graph::Dim>& dims,
                                   std::int64_t batch,
                                   const std::map<std::string, std::int64_t>& sizes) {
  Shape shape;
  bool is_changed = false;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    std::int64_t size = dims[axis].value;
    const auto symbol = sizes.find(dims[axis].symbol);
    if (!dims[axis].is_fixed() && symbol != sizes.end()) size = symbol->second;
    if (axis == 0 && batch > 0) size = batch;
    is_changed = is_changed || size != dims[axis].value;
    shape.push_back(size);
  }
  if (!is_changed) return std::nullopt;
  const auto open = std::find(shape.begin(), shape.end(), -1);
  if (open != shape.end()) {
    refuse(
        format("input '{}': dimension {} ('{}') is still open: give --input_dim {} with all of "
               "them",
               input, open - shape.begin(),
               dims[static_cast<std::size_t>(open - shape.begin())].symbol, input));
  }
  return shape;
}

void fix_shapes(const ConvertArguments& arguments, ConvertSource& source) {
  const Graph& graph = source.graph;
  const auto sizes = symbol_sizes(graph, arguments);
  const std::int64_t batch =
      arguments.given("--batch") ? parse_size(arguments.value("--batch"), "--batch") : 0;
  for (const auto& pair : arguments.occurrences("--input_dim")) {
    source.input_shapes[pair[0]] = parse_dims(pair[1], "--input_dim " + pair[0]);
  }
  for (const std::string& input : graph.inputs()) {
    const graph::ValueType* type = graph.find_type(input);
    if (type == nullptr || !type->shape || type->shape->empty()) continue;
    if (source.input_shapes.contains(input)) {
      if (batch > 0) source.input_shapes[input].front() = batch;
    } else if (const auto shape = changed_shape(input, *type->shape, batch, sizes)) {
      source.input_shapes[input] = *shape;
    }
  }
}

void select_nodes(const ConvertArguments& arguments, ConvertSource& source) {
  const std::vector<std::string> outputs = arguments.list("--out_node");
  if (outputs.empty() || outputs == source.graph.outputs()) return;
  for (const std::string& output : outputs) {
    if (source.graph.has_value(output)) continue;
    std::vector<std::string> names;
    for (const graph::Node& node : source.graph.nodes()) {
      names.insert(names.end(), node.outputs().begin(), node.outputs().end());
    }
    const auto nearest = NameIndex(names).nearest(output, 3);
    refuse(format("--out_node '{}': no value of the model{}", output,
                  nearest.empty() ? "" : format("; did you mean {}?", join(nearest, ", "))));
  }
  source.graph = select_outputs(source.graph, outputs);
  source.is_edited = true;
}

/// Which of layout and data type --preserve_io names, and for which values (empty = all).
struct Preserved {
  bool layout = false;
  std::set<std::string> layout_of;
  [[nodiscard]] bool keeps_layout(const std::string& name) const {
    return layout && (layout_of.empty() || layout_of.contains(name));
  }
};

Preserved preserved_io(const ConvertArguments& arguments, const Graph& graph) {
  Preserved preserved;
  for (const auto& words : arguments.occurrences("--preserve_io")) {
    const bool is_datatype = !words.empty() && words.front() == "datatype";
    if (!words.empty() && !is_datatype && words.front() != "layout") {
      refuse(format("--preserve_io '{}': expected layout or datatype first", words.front()));
    }
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (!graph.is_input(words[i]) && !graph.is_output(words[i])) {
        refuse(format("--preserve_io '{}': neither input nor output of the model", words[i]));
      }
      if (!is_datatype) preserved.layout_of.insert(words[i]);
    }
    preserved.layout = preserved.layout || !is_datatype;
  }
  return preserved;
}

void note_layout(ConvertSource& source, const std::string& name, const ChannelOrder& order) {
  source.layouts[name] = order.channel_last;
  source.is_edited = true;
  source.findings.push_back(
      {"channel-last", Severity::kWarning, name,
       format("{} in the model, {} in the results and in raw files, as the vendor's converter "
              "makes it",
              order.channel_first, order.channel_last),
       "--preserve_io layout keeps it as it is"});
}

void transpose_inputs(const ConvertArguments& arguments, const Preserved& preserved,
                      ConvertSource& source) {
  std::map<std::string, std::string> given;
  for (const auto& pair : arguments.occurrences("--input_layout")) given[pair[0]] = pair[1];
  const std::vector<std::string> inputs = source.graph.inputs();
  for (const std::string& input : inputs) {
    std::string layout = given.contains(input) ? given.at(input) : "";
    if (layout.empty() && reaches_spatial_node(source.graph, input)) layout = "NCHW";
    if (layout.empty()) continue;
    source.layouts[input] = layout;
    const ChannelOrder* order = find_channel_order(layout);
    if (order == nullptr || preserved.keeps_layout(input)) continue;
    if (!make_input_channel_last(source.graph, input, *order)) {
      if (!given.contains(input)) continue;
      refuse(format("--input_layout {} {}: the input has another number of dimensions", input,
                    layout));
    }
    const auto shape = source.input_shapes.find(input);
    if (shape != source.input_shapes.end()) shape->second = to_channel_last(shape->second);
    note_layout(source, input, *order);
  }
}

void transpose_outputs(const Preserved& preserved, ConvertSource& source) {
  const ChannelOrder* order = find_channel_order("NCHW");
  const std::vector<std::string> outputs = source.graph.outputs();
  for (const std::string& output : outputs) {
    if (preserved.keeps_layout(output) || !comes_from_spatial_node(source.graph, output)) continue;
    if (make_output_channel_last(source.graph, output, *order)) note_layout(source, output, *order);
  }
}

}  // namespace

ConvertSource convert_source(graph::Graph graph, const ConvertArguments& arguments) {
  ConvertSource source;
  source.graph = std::move(graph);
  select_nodes(arguments, source);
  check_input_names(source.graph, arguments);
  fix_shapes(arguments, source);
  const Preserved preserved = preserved_io(arguments, source.graph);
  // Both look at the graph as it was: no transposition hides a convolution behind it.
  transpose_outputs(preserved, source);
  transpose_inputs(arguments, preserved, source);
  return source;
}

}  // namespace hexquant::pipeline
