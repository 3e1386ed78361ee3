#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hexquant::profiling {

/// One line of the CSV that ONNX Runtime's QNN provider writes (profiling_file_path).
struct QnnCsvRow {
  std::int64_t timestamp = 0;        ///< as written; 0 from the x86 backend
  std::string message;               ///< "FINALIZE", "BACKEND", "NODE", "EXECUTE", ...
  std::optional<std::int64_t> time;  ///< value of the row, in `unit`; absent for "UNKNOWN"
  std::string unit;                  ///< "US", "CYCLES", "BYTES", "COUNT", "OBJECT", ...
  std::string source;                ///< "BACKEND", ...
  std::string level;                 ///< "ROOT" or "SUB-EVENT"
  std::string identifier;            ///< what the value is, or "name:OpId_N (cycles)"
  std::string onnx_sources;          ///< "ONNX Source Ops": node names joined by ';', or empty

  [[nodiscard]] bool is_root() const noexcept { return level == "ROOT"; }
};

/// The same as pieces of the text.
struct QnnCsvRowView {
  std::int64_t timestamp = 0;
  std::string_view message;
  std::optional<std::int64_t> time;
  std::string_view unit;
  std::string_view source;
  std::string_view level;
  std::string_view identifier;
  std::string_view onnx_sources;

  [[nodiscard]] bool is_root() const noexcept { return level == "ROOT"; }
};

/// Who is told of each line; numbers count from 1.
struct QnnCsvVisitor {
  std::function<void(const QnnCsvRowView& row)> row;
  std::function<void(std::int64_t line, std::string_view text)> malformed;
};

/// Reads a profile without keeping it: for files of hundreds of megabytes. Blanks around the fields
/// (qnn-profile-viewer writes some) and lines before the header are passed over.
/// @return lines read
/// @throws Error(kInvalidData) naming `origin` when the header of this format is missing
std::int64_t visit_qnn_csv(std::string_view text, const std::string& origin,
                           const QnnCsvVisitor& visitor);

/// True when the first lines of `text` hold the header of this format.
[[nodiscard]] bool has_qnn_csv_header(std::string_view text);

struct QnnCsv {
  std::vector<QnnCsvRow> rows;
  /// Lines that are no rows: too few fields, or a number that is none. They are left out.
  std::size_t malformed_lines = 0;
};

/// Rows of a profile in the order of the file.
///
/// The writer quotes nothing, so that names may hold commas: everything after the sixth comma is
/// the identifier and the ONNX nodes, split behind "(cycles)" where it stands and at the last comma
/// elsewhere.
/// @throws Error(kInvalidData) naming `origin` when the header of this format is missing
[[nodiscard]] QnnCsv parse_qnn_csv(std::string_view text, const std::string& origin);

/// @throws Error(kIo), Error(kInvalidData)
[[nodiscard]] QnnCsv read_qnn_csv(const std::filesystem::path& path);

/// What a NODE row says about one operation of the QNN graph.
struct QnnOpRow {
  std::uint32_t op_id = 0;
  std::string qnn_name;                 ///< name of the QNN operation
  std::vector<std::string> onnx_names;  ///< ONNX nodes it was made from, as the row lists them
  std::optional<std::int64_t> cycles;
};

/// The "name:OpId_N (cycles)" rows, in order; "Input OpId_2" and "Output OpId_3", which stand for
/// the borders of the graph, have the names "Input" and "Output".
[[nodiscard]] std::vector<QnnOpRow> op_rows(const QnnCsv& csv);

/// OpId and name in an identifier such as "conv1:OpId_24 (cycles)".
struct QnnOpId {
  std::uint32_t op_id = 0;
  std::string_view qnn_name;
};
[[nodiscard]] std::optional<QnnOpId> parse_op_id(std::string_view identifier);

/// "a;b;c" -> its names.
[[nodiscard]] std::vector<std::string> split_sources(std::string_view joined);

}  // namespace hexquant::profiling
