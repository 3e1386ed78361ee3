#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"

namespace {

namespace formats = hexquant::formats;

/// Whether the reader accepts the bytes. Refusing them is right, a broken invariant is not.
bool read(std::string_view bytes, hexquant::graph::Graph& graph) {
  try {
    graph = formats::parse_onnx(bytes, "fuzz");
    return true;
  } catch (const hexquant::Error& error) {
    if (error.code() == hexquant::ErrorCode::kInternal) __builtin_trap();
    return false;
  }
}

}  // namespace

/// The reader accepts a model or throws Error; what it accepts is written and read back unchanged.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  hexquant::graph::Graph graph;
  if (!read({reinterpret_cast<const char*>(data), size_bytes}, graph)) return 0;
  const std::string written = formats::serialize_onnx(graph);
  if (formats::serialize_onnx(formats::parse_onnx(written, "again")) != written) __builtin_trap();
  return 0;
}
