#include "profiling/qnn_csv.h"

#include <charconv>

#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::profiling {
namespace {

constexpr std::string_view kHeader =
    "Msg Timestamp,Message,Time,Unit of Measurement,Timing Source,Event Level,Event Identifier";
constexpr std::string_view kSourcesColumn = ",ONNX Source Ops";
constexpr std::string_view kCycles = " (cycles)";

/// Text up to `separator`, which is taken from `rest` too; nullopt when there is none.
std::optional<std::string_view> take_field(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return field;
}

template <typename Integer>
std::optional<Integer> integer_of(std::string_view text) {
  Integer value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Fills identifier and ONNX nodes from what follows the sixth comma.
void split_identifier(std::string_view rest, bool has_sources, QnnCsvRow& row) {
  std::size_t comma = std::string_view::npos;
  if (has_sources) {
    const std::size_t cycles = rest.find(format("{},", kCycles));
    comma = cycles == std::string_view::npos ? rest.rfind(',') : cycles + kCycles.size();
  }
  row.identifier = rest.substr(0, comma);
  if (comma != std::string_view::npos) row.onnx_sources = rest.substr(comma + 1);
}

std::optional<QnnCsvRow> parse_row(std::string_view line, bool has_sources) {
  QnnCsvRow row;
  const auto timestamp = take_field(line, ',');
  const auto message = take_field(line, ',');
  const auto time = take_field(line, ',');
  const auto unit = take_field(line, ',');
  const auto source = take_field(line, ',');
  const auto level = take_field(line, ',');
  if (!level) return std::nullopt;
  const auto stamp = integer_of<std::int64_t>(*timestamp);
  row.time = integer_of<std::int64_t>(*time);
  if (!stamp || (!row.time && *time != "UNKNOWN")) return std::nullopt;
  row.timestamp = *stamp;
  row.message = *message;
  row.unit = *unit;
  row.source = *source;
  row.level = *level;
  split_identifier(line, has_sources, row);
  return row;
}

std::vector<std::string> split_names(const std::string& joined) {
  std::vector<std::string> names;
  std::string_view rest = joined;
  while (const auto name = take_field(rest, ';')) names.emplace_back(*name);
  if (!rest.empty()) names.emplace_back(rest);
  return names;
}

}  // namespace

QnnCsv parse_qnn_csv(std::string_view text, const std::string& origin) {
  QnnCsv csv;
  bool is_header = true;
  bool has_sources = false;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (is_header) {
      if (!line.starts_with(kHeader)) break;
      has_sources = line.substr(kHeader.size()) == kSourcesColumn;
      is_header = false;
    } else if (auto row = parse_row(line, has_sources)) {
      csv.rows.push_back(std::move(*row));
    } else if (!line.empty()) {
      ++csv.malformed_lines;
    }
  }
  if (is_header) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: no profile of ONNX Runtime's QNN provider: the first line must start "
                       "with '{}'",
                       origin, kHeader));
  }
  return csv;
}

QnnCsv read_qnn_csv(const std::filesystem::path& path) {
  return parse_qnn_csv(read_file(path), path.string());
}

std::vector<QnnOpRow> op_rows(const QnnCsv& csv) {
  constexpr std::string_view kOpId = "OpId_";
  std::vector<QnnOpRow> rows;
  for (const QnnCsvRow& row : csv.rows) {
    if (row.message != "NODE") continue;
    std::string_view text = row.identifier;
    if (text.ends_with(kCycles)) text.remove_suffix(kCycles.size());
    const std::size_t at = text.rfind(kOpId);
    if (at == std::string_view::npos || at == 0) continue;
    const auto op_id = integer_of<std::uint32_t>(text.substr(at + kOpId.size()));
    if (!op_id) continue;
    // The character before is ':', or a blank for the borders of the graph.
    rows.push_back({.op_id = *op_id,
                    .qnn_name = std::string(text.substr(0, at - 1)),
                    .onnx_names = split_names(row.onnx_sources),
                    .cycles = row.time});
  }
  return rows;
}

}  // namespace hexquant::profiling
