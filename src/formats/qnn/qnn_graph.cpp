#include "formats/qnn/qnn_graph.h"

#include <array>
#include <limits>
#include <tuple>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "core/json.h"
#include "core/json_cursor.h"

namespace hexquant::formats {
namespace {

constexpr std::int64_t kStaticTensor = 4;           // QNN_TENSOR_TYPE_STATIC
constexpr std::int64_t kUndefined = 0x7FFFFFFF;     // QNN_*_UNDEFINED
constexpr std::int64_t kMaxDimension = 1LL << 40U;  // far above any tensor

/// Qnn_QuantizationEncoding_t.
QnnEncoding parse_encoding(const JsonCursor& parameters) {
  const JsonCursor definition = parameters.at("definition");
  const JsonCursor encoding = parameters.at("encoding");
  if (definition.integer(0, kUndefined) == kUndefined) return QnnEncoding::kNone;
  switch (encoding.integer(0, kUndefined)) {
    case 0:  // scale and offset
    case 2:  // the same for fewer bits than the type has
      return QnnEncoding::kTensor;
    case 1:  // along an axis
    case 3:  // the same for fewer bits
      return QnnEncoding::kChannel;
    case kUndefined:
      return QnnEncoding::kNone;
    default:
      return QnnEncoding::kBlock;
  }
}

QnnTensor parse_tensor(const std::string& name, const JsonCursor& entry) {
  QnnTensor tensor;
  tensor.name = name;
  const JsonCursor code = entry.at("data_type");
  tensor.type = qnn_data_type(code.integer(0, kUndefined));
  const JsonCursor kind = entry.at("type");
  tensor.is_static = kind.integer(0, kUndefined) == kStaticTensor;
  const JsonCursor dims = entry.at("dims");
  dims.expect_array();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    tensor.dims.push_back(dims.at(i).integer(0, kMaxDimension));
  }
  const JsonCursor parameters = entry.at("quant_params");
  tensor.encoding = parse_encoding(parameters);
  if (tensor.encoding != QnnEncoding::kTensor) return tensor;
  const JsonCursor pair = parameters.at("scale_offset");
  const JsonCursor scale = pair.at("scale");
  // A NaN scale is written as null.
  tensor.scale = scale.json().is_null() ? std::numeric_limits<double>::quiet_NaN() : scale.number();
  const JsonCursor offset = pair.at("offset");
  tensor.offset = offset.integer(std::numeric_limits<std::int32_t>::min(),
                                 std::numeric_limits<std::int32_t>::max());
  return tensor;
}

std::vector<std::string> parse_names(const JsonCursor& list, const QnnGraph& graph) {
  list.expect_array();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonCursor name = list.at(i);
    if (!graph.tensors.contains(name.text())) name.fail("the name of a listed tensor");
    names.push_back(name.text());
  }
  return names;
}

QnnNode parse_node(const std::string& name, const JsonCursor& entry, const QnnGraph& graph) {
  QnnNode node;
  node.name = name;
  node.type = entry.at("type").text();
  node.inputs = parse_names(entry.at("input_names"), graph);
  node.outputs = parse_names(entry.at("output_names"), graph);
  return node;
}

}  // namespace

QnnDataType qnn_data_type(std::int64_t code) {
  static constexpr std::array<std::pair<QnnNumberKind, bool>, 6> kKinds = {
      {{QnnNumberKind::kInteger, true},
       {QnnNumberKind::kInteger, false},
       {QnnNumberKind::kFloat, true},
       {QnnNumberKind::kFixedPoint, true},
       {QnnNumberKind::kFixedPoint, false},
       {QnnNumberKind::kBool, false}}};
  QnnDataType type;
  type.code = static_cast<int>(code);
  const auto kind = static_cast<std::size_t>(code >> 8U);
  if (code < 0 || kind >= kKinds.size()) return type;
  const int tens = static_cast<int>(code >> 4U) & 0xF;
  const int ones = static_cast<int>(code) & 0xF;
  const int bits = 10 * tens + ones;
  if (bits != 4 && bits != 8 && bits != 16 && bits != 32 && bits != 64) return type;
  std::tie(type.kind, type.is_signed) = kKinds[kind];
  type.bits = bits;
  return type;
}

std::string qnn_type_name(const QnnDataType& type) {
  switch (type.kind) {
    case QnnNumberKind::kFixedPoint:
      return format("{}int{}", type.is_signed ? "" : "u", type.bits);
    case QnnNumberKind::kFloat:
      return format("float{}", type.bits);
    case QnnNumberKind::kInteger:
      return format("index{}", type.bits);
    case QnnNumberKind::kBool:
      return "bool";
    case QnnNumberKind::kUndefined:
      break;
  }
  return format("type {:#06x}", type.code);
}

QnnGraph parse_qnn_graph(const std::string& text, const std::string& origin) {
  const Json json = parse_json(text, origin);
  const JsonCursor root(json, origin);
  const JsonCursor body = root.at("graph");
  QnnGraph graph;
  body.at("tensors").each_member([&](const std::string& name, const JsonCursor& entry) {
    graph.tensors[name] = parse_tensor(name, entry);
  });
  body.at("nodes").each_member([&](const std::string& name, const JsonCursor& entry) {
    graph.nodes.push_back(parse_node(name, entry, graph));
  });
  return graph;
}

QnnGraph read_qnn_graph(const std::filesystem::path& path) {
  return parse_qnn_graph(read_file(path), path.string());
}

}  // namespace hexquant::formats
