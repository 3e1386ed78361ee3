#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <span>

#include "core/file_io.h"
#include "core/format.h"
#include "formats/onnx/attribute_proto.h"
#include "formats/onnx/onnx_io.h"
#include "formats/onnx/staged_file.h"
#include "formats/onnx/tensor_proto.h"
#include "formats/onnx/value_type_proto.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

namespace fs = std::filesystem;
using graph::Graph;

/// Initializers below this size stay in the model file: shape inference must see shapes.
constexpr std::size_t kMinExternalBytes = 1024;

/// Stores one initializer in the proto, inside it or elsewhere.
using StoreTensor =
    std::function<void(const std::string& name, const Tensor& tensor, onnx::TensorProto& proto)>;

/// Initializers that are no inputs exist since IR 4; the rest are the versions that brought what
/// the graph uses (float 8 and the opsets from 19 on, int4 and opset 21, functions).
std::int64_t needed_ir_version(const Graph& graph) {
  if (graph.opset() >= 21) return 10;
  const auto& tensors = graph.initializers();
  const bool has_int4 = std::any_of(tensors.begin(), tensors.end(), [](const auto& entry) {
    return dtype_bits(entry.second.dtype()) == 4;
  });
  if (has_int4) return 10;
  if (graph.opset() >= 19) return 9;
  return graph.info.serialized_functions.empty() ? 4 : 8;
}

void write_info(const Graph& graph, onnx::ModelProto& model) {
  const graph::ModelInfo& info = graph.info;
  model.set_ir_version(std::max(info.ir_version, needed_ir_version(graph)));
  if (!info.producer_name.empty()) model.set_producer_name(info.producer_name);
  if (!info.producer_version.empty()) model.set_producer_version(info.producer_version);
  if (!info.domain.empty()) model.set_domain(info.domain);
  if (info.model_version != 0) model.set_model_version(info.model_version);
  if (!info.doc_string.empty()) model.set_doc_string(info.doc_string);
  model.mutable_graph()->set_name(info.graph_name);
  for (const auto& [key, value] : info.metadata) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  for (const std::string& function : info.serialized_functions) {
    HEXQUANT_CHECK(model.add_functions()->ParseFromString(function), "function is damaged");
  }
  for (const auto& [domain, version] : graph.opsets) {
    auto* entry = model.add_opset_import();
    entry->set_domain(domain);
    entry->set_version(version);
  }
}

void write_node(const Graph& graph, const graph::Node& node, onnx::NodeProto& proto) {
  HEXQUANT_CHECK(graph.opsets.contains(node.domain()),
                 format("node '{}' ({}): domain '{}' is not in the graph's opsets", node.name(),
                        node.op_type(), node.domain()));
  proto.set_name(node.name());
  proto.set_op_type(node.op_type());
  if (!node.domain().empty()) proto.set_domain(node.domain());
  for (const std::string& input : node.inputs()) proto.add_input(input);
  for (const std::string& output : node.outputs()) proto.add_output(output);
  for (const auto& [name, attribute] : node.attributes()) {
    write_attribute(name, attribute, *proto.add_attribute());
  }
}

/// Types of inner values, in the order of the nodes that make them.
void write_value_infos(const Graph& graph, const std::vector<std::string>& outputs,
                       onnx::GraphProto& proto) {
  for (const graph::Node& node : graph.nodes()) {
    for (const std::string& output : node.outputs()) {
      const graph::ValueType* type = graph.find_type(output);
      if (type == nullptr || type->dtype == DType::kUndefined) continue;
      if (std::find(outputs.begin(), outputs.end(), output) != outputs.end()) continue;
      write_value_info(output, type, *proto.add_value_info());
    }
  }
}

/// Type of a graph output; an initializer is its own type.
void write_output(const Graph& graph, const std::string& name, onnx::ValueInfoProto& proto) {
  const graph::ValueType* type = graph.find_type(name);
  graph::ValueType own;
  if (const Tensor* tensor = graph.find_initializer(name); type == nullptr && tensor != nullptr) {
    own.dtype = tensor->dtype();
    own.shape.emplace();
    for (const std::int64_t dim : tensor->shape()) own.shape->push_back({dim, ""});
    type = &own;
  }
  write_value_info(name, type, proto);
}

onnx::ModelProto build_model(const Graph& graph, const std::vector<std::string>& outputs,
                             const StoreTensor& store) {
  onnx::ModelProto model;
  write_info(graph, model);
  onnx::GraphProto& proto = *model.mutable_graph();
  for (const graph::Node& node : graph.nodes()) write_node(graph, node, *proto.add_node());
  for (const auto& [name, tensor] : graph.initializers()) {
    store(name, tensor, *proto.add_initializer());
  }
  for (const std::string& input : graph.inputs()) {
    write_value_info(input, graph.find_type(input), *proto.add_input());
  }
  for (const std::string& output : outputs) write_output(graph, output, *proto.add_output());
  write_value_infos(graph, outputs, proto);
  return model;
}

std::string to_bytes(const onnx::ModelProto& model) {
  const std::size_t size_bytes = model.ByteSizeLong();
  if (size_bytes > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw Error(ErrorCode::kUnsupported,
                format("model '{}' takes {} bytes; above 2 GB weights must be external data",
                       model.graph().name(), size_bytes));
  }
  // One buffer of the right size: a growing string would copy the weights several times.
  std::string bytes(size_bytes, '\0');
  {
    google::protobuf::io::ArrayOutputStream stream(bytes.data(), static_cast<int>(size_bytes));
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    model.SerializeWithCachedSizes(&coded);
  }
  return bytes;
}

void store_inside(const std::string& name, const Tensor& tensor, onnx::TensorProto& proto) {
  write_tensor(tensor, name, proto);
}

void add_entry(onnx::TensorProto& proto, const char* key, const std::string& value) {
  auto* entry = proto.add_external_data();
  entry->set_key(key);
  entry->set_value(value);
}

std::uint64_t initializer_bytes(const Graph& graph) {
  std::uint64_t total_bytes = 0;
  for (const auto& [name, tensor] : graph.initializers()) total_bytes += tensor.bytes();
  return total_bytes;
}

}  // namespace

std::string serialize_onnx(const Graph& graph) {
  // Checked before the weights are copied into the proto.
  if (initializer_bytes(graph) > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
    throw Error(ErrorCode::kUnsupported,
                format("model '{}' has {} bytes of weights; above 2 GB they must be external data",
                       graph.info.graph_name, initializer_bytes(graph)));
  }
  return to_bytes(build_model(graph, graph.outputs(), store_inside));
}

DetachedModel serialize_detached(const Graph& graph, const std::vector<std::string>& outputs,
                                 std::size_t min_bytes) {
  DetachedModel detached;
  const onnx::ModelProto model =
      build_model(graph, outputs, [&](const std::string& name, const Tensor& tensor, auto& proto) {
        if (tensor.bytes() < min_bytes) return store_inside(name, tensor, proto);
        write_tensor_header(tensor, name, proto);
        proto.set_data_location(onnx::TensorProto::EXTERNAL);
        add_entry(proto, "location", DetachedModel::kLocation);
        detached.initializers.emplace_back(name, tensor);
      });
  detached.bytes = to_bytes(model);
  return detached;
}

void write_onnx(const Graph& graph, const fs::path& path, std::uint64_t external_threshold_bytes) {
  if (initializer_bytes(graph) <= external_threshold_bytes) {
    write_file(path, serialize_onnx(graph));
    return;
  }
  fs::path data_path = path;
  data_path += ".data";
  StagedFile data(data_path);
  const std::string location = data_path.filename().string();
  const onnx::ModelProto model = build_model(
      graph, graph.outputs(), [&](const std::string& name, const Tensor& tensor, auto& proto) {
        if (tensor.bytes() < kMinExternalBytes) return store_inside(name, tensor, proto);
        write_tensor_header(tensor, name, proto);
        proto.set_data_location(onnx::TensorProto::EXTERNAL);
        const std::uint64_t offset = data.append({tensor.raw(), tensor.bytes()});
        add_entry(proto, "location", location);
        add_entry(proto, "offset", std::to_string(offset));
        add_entry(proto, "length", std::to_string(tensor.bytes()));
      });
  const std::string bytes = to_bytes(model);
  StagedFile model_file(path);
  model_file.append(std::as_bytes(std::span(bytes)));
  // Both files are complete before the first takes its name.
  data.close();
  model_file.close();
  data.commit();
  model_file.commit();
}

}  // namespace hexquant::formats
