#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hexquant::data {

/// One line of a labels.csv.
struct LabelledFile {
  std::filesystem::path path;         ///< as written, joined to the folder of the csv
  std::optional<std::int64_t> label;  ///< absent when the line has only a path
};

/// Parses `path,label` lines: fields may be quoted ("a ""b"".jpg"), blank lines are skipped, a
/// first line whose second field is no integer is a header.
/// @param folder  where relative paths start
/// @throws Error(kInvalidData) naming file and line
[[nodiscard]] std::vector<LabelledFile> parse_labels_csv(const std::string& text,
                                                         const std::filesystem::path& folder,
                                                         const std::string& origin);

/// @throws Error(kIo), and as parse_labels_csv
[[nodiscard]] std::vector<LabelledFile> read_labels_csv(const std::filesystem::path& path);

}  // namespace hexquant::data
