#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hexquant::profiling {

/// What the text file *_schematic.bin, which profiling_level=optrace leaves for every chip, says
/// about names.
struct Schematic {
  std::string graph_name;  ///< name of the QNN graph; empty when the file does not say
  /// Name of the QNN operation by OpId, the low 32 bits of a hardware operation's id.
  std::unordered_map<std::uint32_t, std::string> op_names;
  std::optional<std::uint32_t> input_id;   ///< OpId of what fetches the graph's inputs
  std::optional<std::uint32_t> output_id;  ///< OpId of what writes its outputs
};

/// Reads the table `qnn_name_translations`, which ends at the first line that is no entry, the name
/// `qnn_graph_name`, and the operations "q::Input" and "q::Output". What the text does not hold is
/// left empty.
[[nodiscard]] Schematic parse_schematic(std::string_view text);

/// @throws Error(kIo)
[[nodiscard]] Schematic read_schematic(const std::filesystem::path& path);

}  // namespace hexquant::profiling
