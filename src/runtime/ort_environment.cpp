#include "runtime/ort_environment.h"

#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "core/format.h"
#include "hexquant/error.h"
#include "runtime/session.h"

namespace hexquant::runtime {
namespace {

/// Failures reach the caller as exceptions; the same text on stderr would only confuse.
void ORT_API_CALL discard_log(void*, OrtLoggingLevel, const char*, const char*, const char*,
                              const char*) {}

LogSink log_sink = nullptr;

void ORT_API_CALL hand_on_log(void*, OrtLoggingLevel, const char* /*category*/, const char* /*id*/,
                              const char* place, const char* message) {
  log_sink(place, message);
}

}  // namespace

void set_log_sink(LogSink sink) {
  log_sink = sink;
}

Ort::Env& ort_environment() {
  if (OrtGetApiBase()->GetApi(ORT_API_VERSION) == nullptr) {
    throw Error(ErrorCode::kMissingComponent,
                format("ONNX Runtime {} is loaded; API {} or later is needed",
                       OrtGetApiBase()->GetVersionString(), ORT_API_VERSION));
  }
  static Ort::Env environment = [] {
    // From 1.29 on the official builds report models to their maker unless this is set before the
    // environment is made; DisableTelemetryEvents comes too late for the first events and for the
    // session file in the temporary folder.
    ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    const bool wanted = log_sink != nullptr;
    Ort::Env created(wanted ? ORT_LOGGING_LEVEL_VERBOSE : ORT_LOGGING_LEVEL_ERROR, "hexquant",
                     wanted ? hand_on_log : discard_log, nullptr);
    created.DisableTelemetryEvents();
    return created;
  }();
  return environment;
}

std::string one_line(const char* message) {
  std::string line;
  for (const char* c = message; *c != '\0'; ++c) {
    const char next = static_cast<unsigned char>(*c) < 0x20 ? ' ' : *c;
    if (next != ' ' || (!line.empty() && line.back() != ' ')) line += next;
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  // A failed check begins with its place in ONNX Runtime's own sources; the reason comes after it.
  const std::string_view check_end = " was false. ";
  const std::size_t place = line.find("/onnxruntime_src/");
  const std::size_t end = line.find(check_end, place == std::string::npos ? line.size() : place);
  if (end != std::string::npos) line.erase(place, end + check_end.size() - place);
  return line;
}

Ort::Value wrap_tensor(const Tensor& tensor) {
  static const Ort::MemoryInfo memory =
      Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  // The C API takes a writable pointer, but inputs and initializers are only read.
  void* bytes = const_cast<std::byte*>(tensor.raw());
  return Ort::Value::CreateTensor(memory, bytes, tensor.bytes(), tensor.shape().data(),
                                  tensor.shape().size(), to_ort(tensor.dtype()));
}

Tensor unwrap_tensor(Ort::Value value, const std::string& name) {
  if (static_cast<const OrtValue*>(value) == nullptr || !value.IsTensor()) {
    throw Error(ErrorCode::kUnsupported, format("output '{}' is no tensor", name));
  }
  const auto info = value.GetTensorTypeAndShapeInfo();
  const DType dtype = from_ort(info.GetElementType());
  if (dtype_bits(dtype) == 0) {
    throw Error(ErrorCode::kUnsupported,
                format("output '{}' is a tensor of {}", name, dtype_name(dtype)));
  }
  const auto owner = std::make_shared<Ort::Value>(std::move(value));
  const auto* bytes = static_cast<const std::byte*>(owner->GetTensorRawData());
  return {dtype, info.GetShape(), std::shared_ptr<const std::byte>(owner, bytes)};
}

}  // namespace hexquant::runtime
