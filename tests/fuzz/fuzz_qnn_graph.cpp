#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/qnn/qnn_graph.h"
#include "fuzz_support.h"

namespace formats = hexquant::formats;

/// A dumped graph is accepted or refused in one line; the tensors of an accepted one are listed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes), size_bytes);
  hexquant::fuzz::accepts([&] {
    const formats::QnnGraph graph = formats::parse_qnn_graph(text, "fuzz");
    for (const formats::QnnNode& node : graph.nodes) {
      for (const std::string& name : node.inputs) {
        static_cast<void>(formats::qnn_type_name(graph.tensors.at(name).type));
      }
    }
  });
  return 0;
}
