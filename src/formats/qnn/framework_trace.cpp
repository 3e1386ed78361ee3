#include "formats/qnn/framework_trace.h"

#include <array>
#include <string_view>

#include "core/file_io.h"
#include "core/json.h"
#include "core/json_cursor.h"

namespace hexquant::formats {
namespace {

constexpr std::int64_t kSchemaVersion = 2;

TracedOp parse_op(const JsonCursor& entry) {
  TracedOp op;
  op.name = entry.at("dst_name").text();
  op.type = entry.at("dst_qnn_op_type").text();
  const JsonCursor sources = entry.at("sources");
  sources.expect_array();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const JsonCursor source = sources.at(i);
    const JsonCursor type = source.at("type");
    auto& list = type.text() == "OP" ? op.source_nodes : op.source_values;
    list.push_back(source.at("name").text());
  }
  return op;
}

TracedGraph parse_graph(const JsonCursor& entry) {
  TracedGraph graph;
  graph.name = entry.at("graph_name").text();
  const JsonCursor mappings = entry.at("op_mappings");
  mappings.expect_array();
  for (std::size_t i = 0; i < mappings.size(); ++i) graph.ops.push_back(parse_op(mappings.at(i)));
  return graph;
}

UnsupportedNode parse_unsupported(const JsonCursor& entry) {
  return {entry.at("node_name").text(), entry.at("op_type").text(), entry.at("reason").text()};
}

// ONNX Runtime appends it and a number to the nodes of a new layout.
constexpr std::string_view kToken = "_token_";

/// Cuts "_token_<digits>" off the end.
bool cut_token(std::string& name) {
  const std::size_t digits = name.find_last_not_of("0123456789") + 1;
  if (digits == name.size() || digits < kToken.size()) return false;
  if (name.compare(digits - kToken.size(), kToken.size(), kToken) != 0) return false;
  name.resize(digits - kToken.size());
  return true;
}

bool cut_mark(std::string& name) {
  constexpr std::array<std::string_view, 2> kMarks = {"/duplicated", "/MatMulAddFusion"};
  for (const std::string_view mark : kMarks) {
    if (!name.ends_with(mark)) continue;
    name.resize(name.size() - mark.size());
    return true;
  }
  return cut_token(name);
}

}  // namespace

FrameworkTrace parse_framework_trace(const std::string& text, const std::string& origin) {
  const Json json = parse_json(text, origin);
  const JsonCursor root(json, origin);
  const JsonCursor version = root.at("schema_version");
  static_cast<void>(version.integer(kSchemaVersion, kSchemaVersion));
  FrameworkTrace trace;
  const JsonCursor graphs = root.at("subgraph_traces");
  graphs.expect_array();
  for (std::size_t i = 0; i < graphs.size(); ++i) trace.graphs.push_back(parse_graph(graphs.at(i)));
  const JsonCursor unsupported = root.at("unsupported_nodes");
  unsupported.expect_array();
  for (std::size_t i = 0; i < unsupported.size(); ++i) {
    trace.unsupported.push_back(parse_unsupported(unsupported.at(i)));
  }
  return trace;
}

FrameworkTrace read_framework_trace(const std::filesystem::path& path) {
  return parse_framework_trace(read_file(path), path.string());
}

std::string onnx_node_name(const std::string& traced_name) {
  std::string name = traced_name;
  while (cut_mark(name)) {
  }
  return name;
}

bool is_layout_node(const std::string& traced_name) {
  return traced_name.find(kToken) != std::string::npos;
}

}  // namespace hexquant::formats
