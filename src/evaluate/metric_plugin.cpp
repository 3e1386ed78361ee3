#include "evaluate/metric_plugin.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/format.h"
#include "core/plugin.h"
#include "data/npy.h"
#include "evaluate/external_metric.h"
#include "hexquant/error.h"
#include "hexquant/metric_plugin.h"

namespace hexquant::evaluate {
namespace {

namespace fs = std::filesystem;

/// The functions of a loaded plug-in. It stays loaded: the process ends soon.
class Plugin {
 public:
  explicit Plugin(const fs::path& file) : file_(file.string()), library_(file) {
    if (!library_.problem().empty()) fail(format("cannot be loaded: {}", library_.problem()));
    auto* abi = function<metric_plugin::AbiFunction>("hexquant_metric_abi");
    const std::int32_t version = abi();
    if (version != metric_plugin::kAbiVersion) {
      fail(format("hexquant_metric_abi() is {}, expected {}", version, metric_plugin::kAbiVersion));
    }
    begin_ = function<metric_plugin::BeginFunction>("hexquant_metric_begin");
    add_ = function<metric_plugin::AddFunction>("hexquant_metric_add");
    end_ = function<metric_plugin::EndFunction>("hexquant_metric_end");
  }

  /// After a failure the state is freed all the same.
  ~Plugin() {
    double ignored = 0.0;
    if (state_ != nullptr) (void)end_(state_, &ignored);
  }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  void begin(const std::string& labels, std::int64_t items) {
    state_ = begin_(labels.c_str(), items);
    if (state_ == nullptr) fail_in("hexquant_metric_begin");
  }

  void add(std::int64_t item, const std::vector<std::string>& names,
           const std::vector<Tensor>& tensors) {
    std::vector<metric_plugin::Output> outputs;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      outputs.push_back({names[i].c_str(), static_cast<std::int32_t>(tensors[i].dtype()),
                         static_cast<std::int32_t>(tensors[i].rank()), tensors[i].shape().data(),
                         tensors[i].raw()});
    }
    const auto count = static_cast<std::int32_t>(outputs.size());
    if (add_(state_, item, outputs.data(), count) != 0) fail_in("hexquant_metric_add");
  }

  double end() {
    double value = std::numeric_limits<double>::quiet_NaN();
    if (end_(std::exchange(state_, nullptr), &value) != 0) fail_in("hexquant_metric_end");
    if (std::isfinite(value)) return value;
    throw Error(ErrorCode::kInvalidData,
                format("hexquant_metric_end gave {}, expected a finite number", value));
  }

 private:
  template <typename Function>
  [[nodiscard]] Function* function(const char* name) const {
    void* found = library_.symbol(name);
    if (found == nullptr) fail(format("has no function {}", name));
    return reinterpret_cast<Function*>(found);
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kInvalidArgument, format("{}: {}", file_, what));
  }
  [[noreturn]] static void fail_in(const char* name) {
    throw Error(ErrorCode::kInvalidData, format("{} failed", name));
  }

  std::string file_;
  SharedLibrary library_;
  void* state_ = nullptr;
  metric_plugin::BeginFunction* begin_ = nullptr;
  metric_plugin::AddFunction* add_ = nullptr;
  metric_plugin::EndFunction* end_ = nullptr;
};

}  // namespace

void check_metric_plugin(const fs::path& file) {
  const Plugin plugin(file);
}

double run_metric_plugin(const fs::path& file, const fs::path& folder, const fs::path& labels) {
  Plugin plugin(file);
  const OutputManifest manifest = read_output_manifest(folder);
  plugin.begin(labels.string(), manifest.files);
  for (std::int64_t item = 0; item < manifest.files; ++item) {
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < manifest.outputs.size(); ++i) {
      tensors.push_back(data::read_npy(output_file(folder, i, item)));
    }
    plugin.add(item, manifest.outputs, tensors);
  }
  return plugin.end();
}

}  // namespace hexquant::evaluate
