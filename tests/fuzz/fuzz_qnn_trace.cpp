#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/qnn/framework_trace.h"
#include "formats/qnn/provider_log.h"
#include "fuzz_support.h"

namespace formats = hexquant::formats;

/// A trace is accepted or refused in one line; names can be mapped back; the same bytes as a log
/// are never an error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes), size_bytes);
  hexquant::fuzz::accepts([&] {
    const formats::FrameworkTrace trace = formats::parse_framework_trace(text, "fuzz");
    for (const formats::TracedGraph& graph : trace.graphs) {
      for (const formats::TracedOp& op : graph.ops) {
        const std::string name = formats::onnx_node_name(op.name);
        if (formats::onnx_node_name(name) != name) __builtin_trap();
      }
    }
  });
  if (!hexquant::fuzz::accepts([&] { static_cast<void>(formats::parse_provider_log(text)); }))
    __builtin_trap();
  return 0;
}
