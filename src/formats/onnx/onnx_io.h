#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "hexquant/tensor.h"

namespace hexquant::formats {

/// Reads an ONNX model with its external data (mapped, not copied).
///
/// Subgraphs, functions and sparse tensors are kept as opaque bytes. Initializers that are also
/// listed as inputs become initializers only. Node names are made unique.
/// @throws Error(kIo) unreadable file or missing external data (named);
///         Error(kInvalidModel) truncated or non-ONNX file, cycles, undefined or doubly defined
///         values, tensors whose data does not fit their shape; every message starts with the file
[[nodiscard]] graph::Graph read_onnx(const std::filesystem::path& path);

/// The same without the values of large constants, which are not read: they hold made-up ones. For
/// what depends on the form of a model only (performance), in a fraction of the time and memory.
/// @param min_bytes  constants below this size keep their values
[[nodiscard]] graph::Graph read_onnx_outline(const std::filesystem::path& path,
                                             std::size_t min_bytes = 1 << 14);

/// read_onnx for bytes in memory. @param origin  name for messages
/// @param folder  where external data is looked for; empty = external data is an error
[[nodiscard]] graph::Graph parse_onnx(std::string_view bytes, const std::string& origin,
                                      const std::filesystem::path& folder = {});

/// onnx.ModelProto bytes; deterministic. @throws Error(kUnsupported) above 2 GB
[[nodiscard]] std::string serialize_onnx(const graph::Graph& graph);

/// A model for an inference engine in the same process: weights are handed over as tensors, so that
/// neither protobuf's 2 GB limit nor copies of the weights matter.
struct DetachedModel {
  std::string bytes;  ///< onnx.ModelProto; `initializers` are declared external at kLocation
  std::vector<std::pair<std::string, Tensor>> initializers;
  static constexpr const char* kLocation = "detached";
};

/// @param outputs    values to list as graph outputs instead of the graph's own
/// @param min_bytes  smaller initializers stay inside
[[nodiscard]] DetachedModel serialize_detached(const graph::Graph& graph,
                                               const std::vector<std::string>& outputs,
                                               std::size_t min_bytes);

/// Writes the model atomically. Above `external_threshold_bytes` of initializers, large ones go to
/// `<path>.data` beside it (64-byte aligned), as ONNX demands above 2 GB.
/// @throws Error(kIo)
void write_onnx(const graph::Graph& graph, const std::filesystem::path& path,
                std::uint64_t external_threshold_bytes = 1'900'000'000);

}  // namespace hexquant::formats
