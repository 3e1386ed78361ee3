#include "profiling/qnn_csv.h"

#include <charconv>

#include "core/file_io.h"
#include "core/format.h"
#include "hexquant/error.h"
#include "profiling/profile_table.h"

namespace hexquant::profiling {
namespace {

constexpr std::string_view kHeader =
    "Msg Timestamp,Message,Time,Unit of Measurement,Timing Source,Event Level,Event Identifier";
constexpr std::string_view kSourcesColumn = ",ONNX Source Ops";
constexpr std::string_view kFirstColumn = "Msg Timestamp";
constexpr std::string_view kCycles = " (cycles)";
constexpr std::string_view kCyclesComma = " (cycles),";

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

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// Fills identifier and ONNX nodes from what follows the sixth comma.
void split_identifier(std::string_view rest, bool has_sources, QnnCsvRowView& row) {
  std::size_t comma = std::string_view::npos;
  if (has_sources) {
    const std::size_t cycles = rest.find(kCyclesComma);
    comma = cycles == std::string_view::npos ? rest.rfind(',') : cycles + kCycles.size();
  }
  row.identifier = trimmed(rest.substr(0, comma));
  if (comma != std::string_view::npos) row.onnx_sources = trimmed(rest.substr(comma + 1));
}

std::optional<QnnCsvRowView> parse_row(std::string_view line, bool has_sources) {
  QnnCsvRowView row;
  const auto timestamp = take_field(line, ',');
  const auto message = take_field(line, ',');
  const auto time = take_field(line, ',');
  const auto unit = take_field(line, ',');
  const auto source = take_field(line, ',');
  const auto level = take_field(line, ',');
  if (!level) return std::nullopt;
  const auto stamp = integer_of<std::int64_t>(trimmed(*timestamp));
  row.time = integer_of<std::int64_t>(trimmed(*time));
  if (!stamp || (!row.time && trimmed(*time) != "UNKNOWN")) return std::nullopt;
  if (row.time && *row.time < 0) return std::nullopt;
  row.timestamp = *stamp;
  row.message = trimmed(*message);
  row.unit = trimmed(*unit);
  row.source = trimmed(*source);
  row.level = trimmed(*level);
  split_identifier(line, has_sources, row);
  return row;
}

/// Whether a line is the header; sets `has_sources` then. Blanks are no difference.
bool is_header_line(std::string_view line, bool& has_sources) {
  constexpr std::size_t kLongest = 256;
  if (line.size() > kLongest || line.find(kFirstColumn) == std::string_view::npos) return false;
  std::string packed;
  while (const auto field = take_field(line, ',')) packed += std::string(trimmed(*field)) + ',';
  packed += trimmed(line);
  if (!packed.starts_with(kHeader)) return false;
  has_sources = std::string_view(packed).substr(kHeader.size()) == kSourcesColumn;
  return true;
}

QnnCsvRow copied(const QnnCsvRowView& view) {
  QnnCsvRow row;
  row.timestamp = view.timestamp;
  row.message = view.message;
  row.time = view.time;
  row.unit = view.unit;
  row.source = view.source;
  row.level = view.level;
  row.identifier = view.identifier;
  row.onnx_sources = view.onnx_sources;
  return row;
}

constexpr std::int64_t kHeaderLines = 16;  // where the header is looked for

}  // namespace

std::int64_t visit_qnn_csv(std::string_view text, const std::string& origin,
                           const QnnCsvVisitor& visitor) {
  bool has_header = false;
  bool has_sources = false;
  const std::int64_t lines = each_line(text, [&](std::string_view line, std::int64_t number) {
    if (!has_header) {
      has_header = number <= kHeaderLines && is_header_line(line, has_sources);
    } else if (const auto row = parse_row(line, has_sources)) {
      visitor.row(*row);
    } else if (!line.empty()) {
      visitor.malformed(number, line);
    }
  });
  if (has_header) return lines;
  throw Error(ErrorCode::kInvalidData,
              format("{}: no profile of ONNX Runtime's QNN provider: the first line must start "
                     "with '{}'",
                     origin, kHeader));
}

bool has_qnn_csv_header(std::string_view text) {
  bool has_sources = false;
  for (std::int64_t number = 0; number < kHeaderLines && !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (is_header_line(line, has_sources)) return true;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return false;
}

QnnCsv parse_qnn_csv(std::string_view text, const std::string& origin) {
  QnnCsv csv;
  visit_qnn_csv(text, origin,
                {.row = [&](const QnnCsvRowView& row) { csv.rows.push_back(copied(row)); },
                 .malformed = [&](std::int64_t, std::string_view) { ++csv.malformed_lines; }});
  return csv;
}

QnnCsv read_qnn_csv(const std::filesystem::path& path) {
  return parse_qnn_csv(read_file(path), path.string());
}

std::optional<QnnOpId> parse_op_id(std::string_view identifier) {
  constexpr std::string_view kOpId = "OpId_";
  if (identifier.ends_with(kCycles)) identifier.remove_suffix(kCycles.size());
  const std::size_t at = identifier.rfind(kOpId);
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  const auto op_id = integer_of<std::uint32_t>(identifier.substr(at + kOpId.size()));
  if (!op_id || at == 1) return std::nullopt;
  // The character before is ':', or a blank for the borders of the graph.
  return QnnOpId{*op_id, identifier.substr(0, at - 1)};
}

std::vector<std::string> split_sources(std::string_view joined) {
  std::vector<std::string> names;
  while (const auto name = take_field(joined, ';')) names.emplace_back(*name);
  if (!joined.empty()) names.emplace_back(joined);
  return names;
}

std::vector<QnnOpRow> op_rows(const QnnCsv& csv) {
  std::vector<QnnOpRow> rows;
  for (const QnnCsvRow& row : csv.rows) {
    if (row.message != "NODE") continue;
    const auto op = parse_op_id(row.identifier);
    if (!op) continue;
    rows.push_back({.op_id = op->op_id,
                    .qnn_name = std::string(op->qnn_name),
                    .onnx_names = split_sources(row.onnx_sources),
                    .cycles = row.time});
  }
  return rows;
}

}  // namespace hexquant::profiling
