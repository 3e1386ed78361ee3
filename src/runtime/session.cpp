#include "runtime/session.h"

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/format.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "runtime/integer_kernels.h"
#include "runtime/ort_environment.h"
#include "runtime/session_impl.h"
#include "runtime/tap_op.h"
#include "runtime/tapped_graph.h"

namespace hexquant::runtime {
namespace {

/// Weights from this size on are handed to ONNX Runtime where they lie. Smaller ones stay in the
/// model, where its shape inference sees them.
constexpr std::size_t kDetachBytes = 4096;

/// Loads the plug-in, once in a process, and lets the session use the first device it offers.
void append_provider(Ort::SessionOptions& out, const ProviderOptions& provider) {
  Ort::Env& environment = ort_environment();
  const auto find_device = [&]() -> std::vector<Ort::ConstEpDevice> {
    for (const Ort::ConstEpDevice& device : environment.GetEpDevices()) {
      if (device.EpName() == provider.name) return {device};
    }
    return {};
  };
  if (find_device().empty()) {
    environment.RegisterExecutionProviderLibrary(provider.name.c_str(), provider.library);
  }
  const std::vector<Ort::ConstEpDevice> devices = find_device();
  if (devices.empty()) {
    throw Error(ErrorCode::kMissingComponent,
                format("{}: offers no device for this machine", provider.library.string()));
  }
  out.AppendExecutionProvider_V2(environment, devices,
                                 std::unordered_map<std::string, std::string>(
                                     provider.options.begin(), provider.options.end()));
  for (const auto& [key, value] : provider.session_entries) {
    out.AddConfigEntry(key.c_str(), value.c_str());
  }
}

Ort::SessionOptions make_options(const SessionOptions& options) {
  Ort::SessionOptions out;
  out.SetIntraOpNumThreads(options.threads);
  out.SetInterOpNumThreads(1);
  out.SetExecutionMode(ORT_SEQUENTIAL);
  out.SetGraphOptimizationLevel(options.optimize ? ORT_ENABLE_ALL : ORT_DISABLE_ALL);
  out.SetLogSeverityLevel(options.log_level);
  if (options.threads == 1) out.AddConfigEntry("session.intra_op.allow_spinning", "0");
  if (options.exact_integers && options.integer_kernels && integer_kernels_saturate()) {
    out.AddConfigEntry("session.x64quantprecision", "1");
  }
  // Add + LayerNormalization as one kernel takes its moments element by element (1.32): four times
  // as slow as the two of them.
  std::string not_used = "SkipLayerNormFusion";
  if (!options.integer_kernels) {
    out.AddConfigEntry("session.disable_quant_qdq", "1");
    // This rewriting refuses a model with 4-bit codes behind a Clip instead of passing over it.
    not_used += ";ClipQuantRewrite";
  }
  out.AddConfigEntry("optimization.disable_specified_optimizers", not_used.c_str());
  if (!options.profile_prefix.empty()) out.EnableProfiling(options.profile_prefix.c_str());
  if (options.provider) append_provider(out, *options.provider);
  return out;
}

ValueSpec make_spec(std::string name, const Ort::TypeInfo& info) {
  ValueSpec spec{std::move(name), DType::kUndefined, {}};
  if (info.GetONNXType() != ONNX_TYPE_TENSOR) return spec;
  const auto tensor = info.GetTensorTypeAndShapeInfo();
  spec.dtype = from_ort(tensor.GetElementType());
  const std::vector<std::int64_t> dims = tensor.GetShape();
  // The form that older headers have too.
  std::vector<const char*> symbols(dims.size());
  tensor.GetSymbolicDimensions(symbols.data(), symbols.size());
  for (std::size_t i = 0; i < dims.size(); ++i) {
    graph::Dim dim{dims[i], ""};
    if (!dim.is_fixed()) dim.symbol = symbols[i];
    spec.shape.push_back(std::move(dim));
  }
  return spec;
}

std::string shape_text(const std::vector<graph::Dim>& shape) {
  std::vector<std::string> dims;
  for (const graph::Dim& dim : shape) {
    const std::string symbol = dim.symbol.empty() ? "?" : dim.symbol;
    dims.push_back(dim.is_fixed() ? std::to_string(dim.value) : symbol);
  }
  return format("[{}]", join(dims, ","));
}

/// An input of unknown rank looks like a scalar here: ONNX Runtime itself judges what it is given.
bool shape_fits(const Shape& given, const std::vector<graph::Dim>& expected) {
  if (expected.empty()) return true;
  return std::equal(given.begin(), given.end(), expected.begin(), expected.end(),
                    [](std::int64_t dim, const graph::Dim& allowed) {
                      return !allowed.is_fixed() || dim == allowed.value;
                    });
}

/// The feed for an input, checked against the model.
const Tensor& checked_feed(const Feeds& feeds, const ValueSpec& input) {
  const auto found = feeds.find(input.name);
  if (found == feeds.end()) {
    throw Error(ErrorCode::kInvalidData, format("input '{}' ({}{}) is not given", input.name,
                                                dtype_name(input.dtype), shape_text(input.shape)));
  }
  if (dtype_bits(input.dtype) == 0) {
    throw Error(ErrorCode::kUnsupported,
                format("input '{}' takes {}; only tensors of numbers can be given", input.name,
                       input.dtype == DType::kString ? "strings" : "no tensor"));
  }
  const Tensor& tensor = found->second;
  if (tensor.dtype() != input.dtype || !shape_fits(tensor.shape(), input.shape)) {
    throw Error(ErrorCode::kInvalidData,
                format("input '{}': given {}{}, expected {}{}", input.name,
                       dtype_name(tensor.dtype()), hexquant::shape_text(tensor.shape()),
                       dtype_name(input.dtype), shape_text(input.shape)));
  }
  return tensor;
}

/// ONNX Runtime infers types while it loads; a session for its model editor stops there.
Ort::Session open_session(const std::string& model, const Ort::SessionOptions& options,
                          [[maybe_unused]] bool types_only) {
  Ort::Env& environment = ort_environment();
#if ORT_API_VERSION >= 22
  if (types_only) {
    return Ort::Session::CreateModelEditorSession(environment, model.data(), model.size(), options);
  }
#endif
  return {environment, model.data(), model.size(), options};
}

[[noreturn]] void fail_load(const std::string& name, const Ort::Exception& error) {
  const bool no_file = error.GetOrtErrorCode() == ORT_NO_SUCHFILE;
  throw Error(no_file ? ErrorCode::kIo : ErrorCode::kInvalidModel,
              format("{}: ONNX Runtime cannot load it: {}", name, one_line(error.what())));
}

}  // namespace

void Session::Impl::load(graph::Graph graph, const SessionOptions& options,
                         const std::vector<std::string>& wanted) {
  TappedGraph tapped = tap_graph(std::move(graph), wanted);
  std::vector<std::string> carriers = tapped.outputs;
  std::sort(carriers.begin(), carriers.end());
  carriers.erase(std::unique(carriers.begin(), carriers.end()), carriers.end());
  formats::DetachedModel model = formats::serialize_detached(tapped.graph, carriers, kDetachBytes);
  Ort::SessionOptions ort_options = make_options(options);
  std::vector<std::string> names;
  std::vector<Ort::Value> values;
  for (auto& [weight_name, tensor] : model.initializers) {
    names.push_back(weight_name);
    values.push_back(wrap_tensor(tensor));
    weights.push_back(std::move(tensor));
  }
  if (!names.empty()) ort_options.AddExternalInitializers(names, values);
  if (tapped.graph.opsets.contains(kTapDomain)) ort_options.Add(tap_domain());
  session = open_session(model.bytes, ort_options, options.types_only);
  describe_inputs();
  describe_outputs(wanted, tapped.outputs);
}

void Session::Impl::describe_inputs() {
  const Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
    inputs.push_back(
        make_spec(session.GetInputNameAllocated(i, allocator).get(), session.GetInputTypeInfo(i)));
  }
}

void Session::Impl::describe_outputs(const std::vector<std::string>& wanted,
                                     const std::vector<std::string>& carriers) {
  const Ort::AllocatorWithDefaultOptions allocator;
  std::map<std::string, std::size_t> index;
  std::vector<ValueSpec> specs;
  for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
    fetches.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
    index[fetches.back()] = i;
    specs.push_back(make_spec("", session.GetOutputTypeInfo(i)));
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    fetch_index.push_back(index.at(carriers[i]));
    outputs.push_back(specs[fetch_index.back()]);
    outputs.back().name = wanted[i];
  }
}

Session::Session(graph::Graph graph, const SessionOptions& options,
                 const std::vector<std::string>& outputs)
    : impl_(std::make_unique<Impl>()) {
  impl_->name = format("model '{}'", graph.info.graph_name);
  const std::vector<std::string> wanted = outputs.empty() ? graph.outputs() : outputs;
  try {
    impl_->load(std::move(graph), options, wanted);
  } catch (const Ort::Exception& error) {
    fail_load(impl_->name, error);
  }
}

Session::Session(const std::filesystem::path& model, const SessionOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->name = model.string();
  try {
    Ort::Env& environment = ort_environment();
    impl_->session = Ort::Session(environment, model.c_str(), make_options(options));
    impl_->describe_inputs();
    const Ort::AllocatorWithDefaultOptions allocator;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < impl_->session.GetOutputCount(); ++i) {
      names.emplace_back(impl_->session.GetOutputNameAllocated(i, allocator).get());
    }
    impl_->describe_outputs(names, names);
  } catch (const Ort::Exception& error) {
    fail_load(impl_->name, error);
  }
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const std::vector<ValueSpec>& Session::inputs() const noexcept {
  return impl_->inputs;
}

const std::vector<ValueSpec>& Session::outputs() const noexcept {
  return impl_->outputs;
}

std::vector<Tensor> Session::run(const Feeds& feeds) const {
  std::vector<const char*> fetch_names;
  for (const std::string& fetch : impl_->fetches) fetch_names.push_back(fetch.c_str());
  std::vector<Ort::Value> values;
  try {
    std::vector<const char*> input_names;
    std::vector<Ort::Value> input_values;
    for (const ValueSpec& input : impl_->inputs) {
      input_values.push_back(wrap_tensor(checked_feed(feeds, input)));
      input_names.push_back(input.name.c_str());
    }
    values = impl_->session.Run(Ort::RunOptions{nullptr}, input_names.data(), input_values.data(),
                                input_values.size(), fetch_names.data(), fetch_names.size());
  } catch (const Ort::Exception& error) {
    const bool bad_feed = error.GetOrtErrorCode() == ORT_INVALID_ARGUMENT;
    throw Error(bad_feed ? ErrorCode::kInvalidData : ErrorCode::kInvalidModel,
                format("{}: inference failed: {}", impl_->name, one_line(error.what())));
  }
  std::vector<Tensor> fetched;
  for (std::size_t i = 0; i < values.size(); ++i) {
    fetched.push_back(unwrap_tensor(std::move(values[i]), impl_->fetches[i]));
  }
  std::vector<Tensor> results;
  for (const std::size_t index : impl_->fetch_index) results.push_back(fetched[index]);
  return results;
}

std::string runtime_version() {
  return Ort::GetVersionString();
}

}  // namespace hexquant::runtime
