#include "formats/net_json/net_json.h"

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/format.h"
#include "formats/net_json/qnn_numbers.h"

namespace hexquant::formats {
namespace {

using graph::Graph;
using graph::Node;

enum TensorType { kInput = 0, kOutput = 1, kNative = 3, kStatic = 4 };
constexpr double kMillion = 1e6;
constexpr int kFloatBytes = 4;

TensorType type_of(const Graph& graph, const std::string& name) {
  if (graph.is_input(name)) return kInput;
  if (graph.is_output(name)) return kOutput;
  return graph.find_initializer(name) != nullptr ? kStatic : kNative;
}

/// Multiplications with a sum of one inference; nullopt when shapes are open.
std::optional<std::int64_t> multiply_accumulates(const Graph& graph, const Node& node) {
  const auto shape_of = [&](const std::string& value) -> std::optional<Shape> {
    if (const Tensor* tensor = graph.find_initializer(value)) return tensor->shape();
    const graph::ValueType* type = graph.find_type(value);
    return type == nullptr ? std::nullopt : type->fixed_shape();
  };
  const bool is_transposed = node.is("ConvTranspose");
  const bool is_matrix = node.is("MatMul") || node.is("Gemm");
  if (!node.is("Conv") && !is_transposed && !is_matrix) return 0;
  const auto counted = shape_of(is_transposed ? node.input(0) : node.output());
  const auto weight = shape_of(node.input(1));
  const auto input = shape_of(node.input(0));
  if (!counted || !weight || !input || weight->empty() || input->empty()) return std::nullopt;
  if (is_matrix) {
    const bool swaps = node.int_attribute("transA", 0) != 0;
    return element_count(*counted) * (swaps ? input->front() : input->back());
  }
  return element_count(*counted) *
         (element_count(*weight) / std::max<std::int64_t>(1, weight->front()));
}

class NetWriter {
 public:
  NetWriter(const Graph& graph, const quant::EncodingTable& encodings, const NetJsonInfo& info)
      : graph_(graph), encodings_(encodings), info_(info) {}

  Json run() {
    tensors_ = Json::object();
    nodes_ = Json::object();
    for (const std::string& input : graph_.inputs()) add_tensor(input);
    for (const Node& node : graph_.nodes()) {
      for (const std::string& input : node.inputs()) add_tensor(input);
      for (const std::string& output : node.outputs()) add_tensor(output);
      append_member(nodes_, node.name(), node_json(node));
    }
    Json json;
    json["model.cpp"] = "NA";
    json["model.bin"] = "NA";
    json["converter_command"] = info_.command;
    json["copyright_str"] = info_.copyright;
    json["op_types"] = op_types_;
    json["Total parameters"] = format("{} ({:.2f} MB assuming single precision float)", parameters_,
                                      static_cast<double>(parameters_) * kFloatBytes / kMillion);
    json["Total MACs per inference"] =
        format("{:.3f}M", static_cast<double>(multiply_accumulates_) / kMillion);
    json["graph"] = {{"tensors", std::move(tensors_)}, {"nodes", std::move(nodes_)}};
    return json;
  }

 private:
  void add_tensor(const std::string& name) {
    if (name.empty() || !seen_.insert(name).second) return;
    const Tensor* constant = graph_.find_initializer(name);
    const graph::ValueType* type = graph_.find_type(name);
    const auto encoding = encodings_.tensors.find(name);
    const bool is_encoded = encoding != encodings_.tensors.end();
    const DType dtype = constant != nullptr ? constant->dtype()
                        : type != nullptr   ? type->dtype
                                            : DType::kUndefined;
    const auto layout = info_.layouts.find(name);
    Json json;
    json["id"] = seen_.size() - 1;
    json["type"] = static_cast<int>(type_of(graph_, name));
    json["dataFormat"] = 0;
    json["axis_format"] = layout == info_.layouts.end() ? "NOT_YET_DEFINED" : layout->second;
    json["data_type"] = is_encoded ? fixed_point_number(encoding->second.type) : type_number(dtype);
    json["quant_params"] = is_encoded ? quant_params(encoding->second) : no_quant_params();
    json["dims"] = constant != nullptr ? Json(constant->shape()) : dims_json(type);
    if (constant != nullptr) {
      json["params_count"] = constant->size();
      if (is_floating(constant->dtype())) parameters_ += constant->size();
    }
    append_member(tensors_, name, std::move(json));
  }

  static Json dims_json(const graph::ValueType* type) {
    Json dims = Json::array();
    if (type == nullptr || !type->shape) return dims;
    for (const graph::Dim& dim : *type->shape) {
      dims.push_back(dim.is_fixed() ? Json(dim.value) : Json(dim.symbol));
    }
    return dims;
  }

  Json node_json(const Node& node) {
    if (op_type_names_.insert(node.op_type()).second) op_types_.push_back(node.op_type());
    Json json;
    json["package"] = node.domain().empty() ? "onnx" : node.domain();
    json["type"] = node.op_type();
    json["tensor_params"] = Json::object();
    json["scalar_params"] = Json::object();
    for (const auto& [name, attribute] : node.attributes()) {
      add_attribute(node.name() + "_" + name, name, attribute, json);
    }
    json["input_names"] = node.inputs();
    json["output_names"] = node.outputs();
    const auto count = multiply_accumulates(graph_, node);
    json["macs_per_inference"] = count ? Json(*count) : Json();
    multiply_accumulates_ += count.value_or(0);
    return json;
  }

  template <typename T>
  static void add_list(const std::string& tensor, const std::string& name,
                       const std::vector<T>& values, int type, Json& json) {
    Json list;
    list["type"] = static_cast<int>(kStatic);
    list["dataFormat"] = 0;
    list["data_type"] = type;
    list["quant_params"] = no_quant_params();
    list["dims"] = {values.size()};
    list["data"] = values;
    json["tensor_params"][name] = {{tensor, std::move(list)}};
  }

  static void add_attribute(const std::string& tensor, const std::string& name,
                            const graph::Attribute& attribute, Json& json) {
    const auto scalar = [&](int type, const Json& value) {
      json["scalar_params"][name] = {{std::to_string(type), value}};
    };
    if (const auto* integer = std::get_if<std::int64_t>(&attribute)) {
      scalar(type_number(DType::kInt64), *integer);
    } else if (const auto* real = std::get_if<float>(&attribute)) {
      scalar(type_number(DType::kFloat32), *real);
    } else if (const auto* text = std::get_if<std::string>(&attribute)) {
      scalar(type_number(DType::kString), *text);
    } else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&attribute)) {
      add_list(tensor, name, *integers, type_number(DType::kInt64), json);
    } else if (const auto* reals = std::get_if<std::vector<float>>(&attribute)) {
      add_list(tensor, name, *reals, type_number(DType::kFloat32), json);
    }
  }

  const Graph& graph_;
  const quant::EncodingTable& encodings_;
  const NetJsonInfo& info_;
  Json tensors_;
  Json nodes_;
  Json op_types_ = Json::array();
  std::set<std::string> op_type_names_;
  std::set<std::string> seen_;
  std::int64_t parameters_ = 0;
  std::int64_t multiply_accumulates_ = 0;
};

}  // namespace

Json net_json(const Graph& graph, const quant::EncodingTable& encodings, const NetJsonInfo& info) {
  return NetWriter(graph, encodings, info).run();
}

}  // namespace hexquant::formats
