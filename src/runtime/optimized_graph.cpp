#include "runtime/optimized_graph.h"

#include <onnxruntime_cxx_api.h>

#include <unistd.h>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <system_error>

#include "core/format.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "runtime/ort_environment.h"
#include "runtime/session.h"

namespace hexquant::runtime {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBlockedDomain = "com.microsoft.nchwc";
/// Writing more than this out and reading it back costs more than it saves.
constexpr std::uint64_t kMaxWeightBytes = 1'000'000'000;

/// Larger weights are not copied into the model that is handed over; ONNX Runtime writes them all.
constexpr std::size_t kDetachBytes = 4096;

/// A file name in the temporary folder that is removed on scope exit.
class TemporaryModel {
 public:
  TemporaryModel() {
    std::string pattern = (fs::temp_directory_path() / "hexquant-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      throw Error(ErrorCode::kIo, format("{}: cannot be made", pattern));
    }
    folder_ = pattern;
  }
  ~TemporaryModel() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  TemporaryModel(const TemporaryModel&) = delete;
  TemporaryModel& operator=(const TemporaryModel&) = delete;
  [[nodiscard]] fs::path path() const { return folder_ / "model.onnx"; }

 private:
  fs::path folder_;
};

std::uint64_t weight_bytes(const graph::Graph& graph) {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : graph.initializers()) bytes += tensor.bytes();
  return bytes;
}

std::int64_t find_channel_block() {
  constexpr std::int64_t kChannels = 64;
  graph::Graph graph;
  graph.opsets = {{"", 13}, {kBlockedDomain, 1}};
  graph.add_input(
      "x", {DType::kFloat32, std::vector<graph::Dim>{{1, ""}, {kChannels, ""}, {1, ""}, {2, ""}}});
  graph.add_node({"ReorderInput", {"x"}, {"y"}, {}, "reorder", kBlockedDomain});
  graph.set_type("y", {DType::kFloat32, std::nullopt});
  graph.add_output("y");
  std::vector<float> values(2 * kChannels);
  std::iota(values.begin(), values.end(), 0.0F);
  const Session session(graph, {});
  const Tensor reordered =
      session.run({{"x", Tensor::from<float>({1, kChannels, 1, 2}, values)}}).front();
  // Element 1 is channel 0 of the second position: it starts the second block.
  const auto data = reordered.data<float>();
  for (std::size_t i = 1; i < data.size(); ++i) {
    if (data[i] == 1.0F) return static_cast<std::int64_t>(i);
  }
  return 1;
}

}  // namespace

graph::Graph optimize_graph(const graph::Graph& graph, const std::vector<std::string>& outputs) {
  if (weight_bytes(graph) > kMaxWeightBytes) {
    throw Error(ErrorCode::kUnsupported,
                format("model '{}' is too large to be optimized ahead", graph.info.graph_name));
  }
  const TemporaryModel file;
  formats::DetachedModel model = formats::serialize_detached(graph, outputs, kDetachBytes);
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_ERROR);
  options.SetOptimizedModelFilePath(file.path().c_str());
  options.AddConfigEntry("session.disable_prepacking", "1");
  try {
    std::vector<std::string> names;
    std::vector<Ort::Value> values;
    for (auto& [name, tensor] : model.initializers) {
      names.push_back(name);
      values.push_back(wrap_tensor(tensor));
    }
    if (!names.empty()) options.AddExternalInitializers(names, values);
    const Ort::Session session(ort_environment(), model.bytes.data(), model.bytes.size(), options);
  } catch (const Ort::Exception& error) {
    throw Error(ErrorCode::kInvalidModel, format("model '{}': ONNX Runtime cannot load it: {}",
                                                 graph.info.graph_name, one_line(error.what())));
  }
  return formats::read_onnx(file.path());
}

std::int64_t channel_block() {
  static const std::int64_t block = [] {
    try {
      return find_channel_block();
    } catch (const Error&) {
      return std::int64_t{1};
    }
  }();
  return block;
}

BlockedValue find_blocked(const graph::Graph& optimized, const std::string& value) {
  const graph::Node* node = optimized.producer(value);
  const bool reorder = node != nullptr && node->domain() == kBlockedDomain &&
                       node->op_type() == "ReorderOutput" &&
                       node->int_attribute("channels_last", 0) == 0;
  if (!reorder || channel_block() == 1) return {value, 0};
  return {node->input(0), node->int_attribute("channels", 0)};
}

}  // namespace hexquant::runtime
