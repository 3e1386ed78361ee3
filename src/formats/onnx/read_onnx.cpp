#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/unknown_field_set.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>

#include "core/format.h"
#include "formats/onnx/attribute_proto.h"
#include "formats/onnx/external_data.h"
#include "formats/onnx/onnx_io.h"
#include "formats/onnx/outline.h"
#include "formats/onnx/tensor_proto.h"
#include "formats/onnx/value_type_proto.h"
#include "formats/onnx/wire_check.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

namespace fs = std::filesystem;
using graph::Graph;
using graph::NodeSpec;

constexpr std::int64_t kOldestOpset = 7;

[[noreturn]] void invalid(const std::string& message) {
  throw Error(ErrorCode::kInvalidModel, message);
}

/// ONNX calls its own domain "" or "ai.onnx".
std::string normal_domain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

/// NodeProto.overload, which is newer than the protobuf schema this is built with.
bool names_overload(const onnx::NodeProto& node) {
  constexpr int kOverload = 8;
  const auto& fields = node.unknown_fields();
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto& field = fields.field(i);
    if (field.number() != kOverload) continue;
    if (field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) continue;
    if (!field.length_delimited().empty()) return true;
  }
  return false;
}

/// Builds a Graph from a parsed file; takes the weights out of the proto on the way.
class GraphReader {
 public:
  GraphReader(onnx::ModelProto& model, ExternalData& external)
      : model_(model), proto_(*model.mutable_graph()), external_(external) {}

  Graph read() {
    read_info();
    read_opsets();
    collect_names();
    read_inputs();
    read_initializers();
    for (auto& node : *proto_.mutable_node()) read_node(node);
    read_outputs();
    read_value_infos();
    graph_.sort();
    return std::move(graph_);
  }

 private:
  void read_info() {
    graph_.info.ir_version = model_.ir_version();
    graph_.info.producer_name = model_.producer_name();
    graph_.info.producer_version = model_.producer_version();
    graph_.info.domain = model_.domain();
    graph_.info.model_version = model_.model_version();
    graph_.info.doc_string = model_.doc_string();
    graph_.info.graph_name = proto_.name();
    for (const auto& entry : model_.metadata_props()) {
      graph_.info.metadata[entry.key()] = entry.value();
    }
    for (const auto& function : model_.functions()) {
      graph_.info.serialized_functions.push_back(function.SerializeAsString());
    }
  }

  void read_opsets() {
    for (const auto& entry : model_.opset_import()) {
      graph_.opsets[normal_domain(entry.domain())] = entry.version();
    }
    if (!graph_.opsets.contains("")) invalid("no operator set is imported for ai.onnx");
    if (graph_.opset() < kOldestOpset) {
      throw Error(ErrorCode::kUnsupported,
                  format("operator set {}; {} or later is needed", graph_.opset(), kOldestOpset));
    }
  }

  void collect_names() {
    for (const auto& node : proto_.node()) taken_node_names_.insert(node.name());
    for (const auto& tensor : proto_.initializer()) initializer_names_.insert(tensor.name());
    if (proto_.sparse_initializer_size() > 0) {
      throw Error(ErrorCode::kUnsupported, format("initializer '{}' is a sparse tensor",
                                                  proto_.sparse_initializer(0).values().name()));
    }
  }

  void read_inputs() {
    for (const auto& input : proto_.input()) {
      if (input.name().empty()) invalid("a graph input has no name");
      if (initializer_names_.contains(input.name())) continue;
      graph_.add_input(input.name(), required_type(input, "input"));
    }
  }

  static graph::ValueType required_type(const onnx::ValueInfoProto& value, const char* role) {
    std::optional<graph::ValueType> type = read_value_type(value);
    if (!type && value.type().value_case() != onnx::TypeProto::VALUE_NOT_SET) {
      throw Error(ErrorCode::kUnsupported,
                  format("graph {} '{}' is no tensor (a sequence, map, optional or sparse tensor)",
                         role, value.name()));
    }
    if (!type || type->dtype == DType::kUndefined) {
      invalid(format("graph {} '{}' has no element type", role, value.name()));
    }
    return *std::move(type);
  }

  void read_initializers() {
    for (auto& tensor : *proto_.mutable_initializer()) {
      if (tensor.name().empty()) invalid("an initializer has no name");
      const std::string what = format("initializer '{}'", tensor.name());
      if (tensor_holds(tensor.data_type())) {
        Tensor values = read_tensor(tensor, what, external_);
        graph_.add_initializer(tensor.name(), std::move(values));
      } else {
        add_constant_node(tensor, what);
      }
    }
  }

  /// Strings and 8-bit floats, which Tensor does not hold, become an opaque Constant.
  void add_constant_node(onnx::TensorProto& tensor, const std::string& what) {
    const std::string name = tensor.name();
    onnx::AttributeProto value;
    value.set_name("value");
    value.set_type(onnx::AttributeProto::TENSOR);
    *value.mutable_t() = std::move(tensor);
    NodeSpec spec{"Constant", {}, {name}};
    spec.attributes["value"] = read_attribute(value, what, external_);
    spec.name = unique_node_name(name);
    graph_.add_node(std::move(spec));
  }

  void read_node(onnx::NodeProto& node) {
    const std::string what = format("node '{}' ({})", node.name(), node.op_type());
    NodeSpec spec;
    spec.op_type = node.op_type();
    spec.domain = normal_domain(node.domain());
    if (spec.op_type.empty()) invalid(what + " has no operator");
    if (names_overload(node)) {
      throw Error(ErrorCode::kUnsupported, what + " calls an overload of a function");
    }
    if (!graph_.opsets.contains(spec.domain)) {
      invalid(format("{}: domain '{}' is not imported", what, spec.domain));
    }
    spec.inputs.assign(node.input().begin(), node.input().end());
    spec.outputs.assign(node.output().begin(), node.output().end());
    for (auto& attribute : *node.mutable_attribute()) {
      const bool added =
          spec.attributes.emplace(attribute.name(), read_attribute(attribute, what, external_))
              .second;
      if (!added) invalid(format("{}: attribute '{}' is given twice", what, attribute.name()));
    }
    spec.name = node_name(node);
    graph_.add_node(std::move(spec));
  }

  /// The file's own name where it is the first to have it, a made-up one otherwise.
  std::string node_name(const onnx::NodeProto& node) {
    if (!node.name().empty() && used_node_names_.insert(node.name()).second) return node.name();
    if (!node.name().empty()) return unique_node_name(node.name());
    return unique_node_name(node.op_type());
  }

  std::string unique_node_name(const std::string& base) {
    std::string name;
    do {
      name = format("{}_{}", base, ++name_counters_[base]);
    } while (!taken_node_names_.insert(name).second);
    return name;
  }

  void read_outputs() {
    std::unordered_set<std::string> seen;
    for (const auto& output : proto_.output()) {
      if (!graph_.has_value(output.name())) {
        invalid(format("nothing defines the graph output '{}'", output.name()));
      }
      if (!seen.insert(output.name()).second) {
        invalid(format("graph output '{}' is listed twice", output.name()));
      }
      graph_.add_output(output.name());
      if (output.has_type()) set_type(output.name(), required_type(output, "output"));
    }
    if (graph_.outputs().empty()) invalid("the graph has no outputs");
  }

  void read_value_infos() {
    for (const auto& value : proto_.value_info()) {
      const auto type = read_value_type(value);
      if (type && graph_.producer(value.name()) != nullptr) set_type(value.name(), *type);
    }
  }

  /// Types of inputs are set with the input; an initializer is its own type.
  void set_type(const std::string& name, graph::ValueType type) {
    if (graph_.producer(name) != nullptr) graph_.set_type(name, std::move(type));
  }

  onnx::ModelProto& model_;
  onnx::GraphProto& proto_;
  ExternalData& external_;
  Graph graph_;
  std::unordered_set<std::string> initializer_names_;
  std::unordered_set<std::string> taken_node_names_;
  std::unordered_set<std::string> used_node_names_;
  std::map<std::string, int> name_counters_;
};

Graph read_model(onnx::ModelProto& model, ExternalData& external) {
  if (!model.has_graph() || !model.has_ir_version()) {
    invalid(format("not an ONNX model (no {})", model.has_graph() ? "IR version" : "graph"));
  }
  if (model.graph().node_size() == 0) invalid("the graph has no nodes");
  return GraphReader(model, external).read();
}

/// Runs `read`; every error names the file first and takes one line.
template <typename Read>
Graph with_origin(const std::string& origin, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    std::string message = error.what();
    std::replace_if(
        message.begin(), message.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; },
        ' ');
    throw Error(error.code(), format("{}: {}", origin, message));
  }
}

void parse_proto(google::protobuf::io::ZeroCopyInputStream& stream, std::uint64_t size_bytes,
                 onnx::ModelProto& model, const auto& bytes_of_file) {
  if (size_bytes == 0) invalid("not an ONNX model (the file is empty)");
  if (size_bytes > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
    throw Error(ErrorCode::kUnsupported,
                format("{} bytes; an ONNX file ends at 2 GB, larger models keep their weights in "
                       "external data",
                       size_bytes));
  }
  if (!model.ParseFromBoundedZeroCopyStream(&stream, static_cast<int>(size_bytes))) {
    invalid(format("not an ONNX model ({})", describe_damage(bytes_of_file())));
  }
}

}  // namespace

Graph read_onnx(const fs::path& path) {
  // Errors of file_io name the file themselves.
  const auto file = std::make_unique<MappedFile>(path);
  return with_origin(path.string(), [&] {
    onnx::ModelProto model;
    const auto whole_file = [&] {
      return std::string_view(reinterpret_cast<const char*>(file->data()), file->size_bytes());
    };
    // Read as a stream: going through the mapping would keep the file in memory a second time.
    std::ifstream input(path, std::ios::binary);
    google::protobuf::io::IstreamInputStream stream(&input, 1 << 16);
    parse_proto(stream, file->size_bytes(), model, whole_file);
    ExternalData external(fs::absolute(path).parent_path());
    return read_model(model, external);
  });
}

Graph read_onnx_outline(const fs::path& path, std::size_t min_bytes) {
  const MappedFile file(path);
  const auto outline =
      outline_of({reinterpret_cast<const char*>(file.data()), file.size_bytes()}, min_bytes);
  if (!outline) return read_onnx(path);  // says what is wrong with it
  return with_origin(path.string(), [&] {
    onnx::ModelProto model;
    google::protobuf::io::ArrayInputStream stream(outline->data(),
                                                  static_cast<int>(outline->size()));
    parse_proto(stream, outline->size(), model, [&] { return std::string_view(*outline); });
    ExternalData external = ExternalData::made_up();
    return read_model(model, external);
  });
}

Graph parse_onnx(std::string_view bytes, const std::string& origin, const fs::path& folder) {
  return with_origin(origin, [&] {
    onnx::ModelProto model;
    google::protobuf::io::ArrayInputStream stream(
        bytes.data(),
        static_cast<int>(std::min<std::size_t>(bytes.size(), std::numeric_limits<int>::max())));
    parse_proto(stream, bytes.size(), model, [&] { return bytes; });
    ExternalData external(folder.empty() ? std::nullopt : std::optional(folder));
    return read_model(model, external);
  });
}

}  // namespace hexquant::formats
