#include "profiling/schematic.h"

#include <charconv>
#include <optional>

#include "core/file_io.h"
#include "core/format.h"

namespace hexquant::profiling {
namespace {

constexpr std::string_view kNames = "\nqnn_name_translations = {\n";
constexpr std::string_view kGraphName = "\nqnn_graph_name = \"";

struct Entry {
  std::uint32_t op_id = 0;
  std::string_view op_name;
};

/// "0x0000000000000011: 'name'," ; the writer escapes nothing, so the last quote ends the name.
std::optional<Entry> parse_entry(std::string_view line) {
  if (!line.starts_with("0x")) return std::nullopt;
  line.remove_prefix(2);
  std::uint64_t id = 0;
  const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), id, 16);
  if (error != std::errc{}) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(stop - line.data()));
  constexpr std::string_view kOpen = ": '";
  const std::size_t close = line.rfind('\'');
  if (!line.starts_with(kOpen) || close < kOpen.size()) return std::nullopt;
  return Entry{static_cast<std::uint32_t>(id), line.substr(kOpen.size(), close - kOpen.size())};
}

/// OpId of the entry "0x0000000000000002: {\n\t\t'operation':'<operation>'".
std::optional<std::uint32_t> id_of_operation(std::string_view text, std::string_view operation) {
  const std::size_t at = text.find(format("'operation':'{}'", operation));
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t brace = text.rfind(": {", at);
  if (brace == std::string_view::npos) return std::nullopt;
  const std::size_t start = text.rfind("0x", brace);
  if (start == std::string_view::npos) return std::nullopt;
  std::uint64_t id = 0;
  const auto [stop, error] = std::from_chars(text.data() + start + 2, text.data() + brace, id, 16);
  if (error != std::errc{} || stop != text.data() + brace) return std::nullopt;
  return static_cast<std::uint32_t>(id);
}

}  // namespace

Schematic parse_schematic(std::string_view text) {
  Schematic schematic;
  const std::size_t names = text.find(kNames);
  if (names != std::string_view::npos) {
    std::string_view rest = text.substr(names + kNames.size());
    while (const auto entry = parse_entry(rest.substr(0, rest.find('\n')))) {
      schematic.op_names.emplace(entry->op_id, entry->op_name);
      const std::size_t end = rest.find('\n');
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
  const std::size_t graph = text.find(kGraphName);
  if (graph != std::string_view::npos) {
    const std::string_view rest = text.substr(graph + kGraphName.size());
    schematic.graph_name = rest.substr(0, rest.find_first_of("\"\n"));
  }
  schematic.input_id = id_of_operation(text, "q::Input");
  schematic.output_id = id_of_operation(text, "q::Output");
  return schematic;
}

Schematic read_schematic(const std::filesystem::path& path) {
  const MappedFile file(path);
  return parse_schematic({reinterpret_cast<const char*>(file.data()), file.size_bytes()});
}

}  // namespace hexquant::profiling
