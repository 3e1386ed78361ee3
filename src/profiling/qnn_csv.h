#pragma once

#include <cstdint>
#include <filesystem>
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
/// @throws Error(kInvalidData) naming `origin` when the first line is not the header of this format
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

}  // namespace hexquant::profiling
