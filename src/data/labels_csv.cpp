#include "data/labels_csv.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "data/text_lines.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

/// Fields of one line. A quoted field may hold commas and doubled quotes, but no line break.
std::vector<std::string> split_fields(std::string_view line, const std::string& where) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) throw Error(ErrorCode::kInvalidData, where + ": a quote is not closed");
  for (std::string& field : fields) field = std::string(trimmed(field));
  return fields;
}

}  // namespace

std::vector<LabelledFile> parse_labels_csv(const std::string& text,
                                           const std::filesystem::path& folder,
                                           const std::string& origin) {
  std::vector<LabelledFile> files;
  bool first = true;
  for (const TextLine& line : text_lines(text)) {
    const std::string where = format("{}:{}", origin, line.number);
    const auto fields = split_fields(line.text, where);
    const bool header_allowed = std::exchange(first, false);
    if (fields.size() > 2 || fields[0].empty()) {
      throw Error(ErrorCode::kInvalidData,
                  format("{}: '{}': expected path,label", where, line.text));
    }
    LabelledFile file{folder / fields[0], std::nullopt};
    if (fields.size() == 2) {
      file.label = parse_integer(fields[1]);
      if (!file.label && header_allowed) continue;
      if (!file.label) {
        throw Error(ErrorCode::kInvalidData,
                    format("{}: label '{}': expected a whole number", where, fields[1]));
      }
    } else if (header_allowed && fields[0] == "path") {
      continue;
    }
    files.push_back(std::move(file));
  }
  return files;
}

std::vector<LabelledFile> read_labels_csv(const std::filesystem::path& path) {
  return parse_labels_csv(read_file(path), path.parent_path(), path.string());
}

}  // namespace hexquant::data
