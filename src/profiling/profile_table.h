#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hexquant/finding.h"

// What every reader of a profile produces. Reading is tolerant: a line or element that is no
// measurement is counted and shown, never an error.
namespace hexquant::profiling {

/// Files with measurements.
enum class ProfileFormat {
  kNodeLines,    ///< "Node conv1 HTP execute time: 123.4 us", the lines of parse_profiling.py
  kViewerText,   ///< text of qnn-profile-viewer (basic, detailed, linting) or snpe-diagview
  kQnnCsv,       ///< CSV of ONNX Runtime's QNN provider or of qnn-profile-viewer
  kQnnLog,       ///< binary *_qnn.log: the traces inside it
  kOrtTrace,     ///< ONNX Runtime's own JSON (SessionOptions.enable_profiling)
  kChromeTrace,  ///< chrometrace.json that qnn-profile-viewer makes from an optrace
  kQhas          ///< *_qnn_htp_analysis_summary.json of the same tool
};
inline constexpr std::array kProfileFormats = {
    ProfileFormat::kNodeLines, ProfileFormat::kViewerText, ProfileFormat::kQnnCsv,
    ProfileFormat::kQnnLog,    ProfileFormat::kOrtTrace,   ProfileFormat::kChromeTrace,
    ProfileFormat::kQhas};

/// "node-lines", "viewer-text", "qnn-csv", "qnn-log", "ort-trace", "chrome-trace", "qhas".
[[nodiscard]] const char* profile_format_name(ProfileFormat format) noexcept;
[[nodiscard]] std::optional<ProfileFormat> profile_format_of(std::string_view name) noexcept;

enum class ProfileUnit { kMicroseconds, kCycles };
/// "us" or "cycles".
[[nodiscard]] const char* profile_unit_name(ProfileUnit unit) noexcept;

/// Whether a number can be a duration or a count of cycles: not negative, and small enough that
/// sums of millions of them stay finite (10^15 us are 31 years).
[[nodiscard]] constexpr bool is_measurement(double value) noexcept {
  constexpr double kLargest = 1e15;
  return value >= 0.0 && value <= kLargest;
}

/// Measurements of one thing.
struct Samples {
  double total = 0.0;
  std::int64_t count = 0;
  double min = 0.0;
  double max = 0.0;

  void add(double value) noexcept;
  /// Adds what was measured elsewhere.
  void add(const Samples& other) noexcept;
  /// 0 without measurements.
  [[nodiscard]] double mean() const noexcept;
};

/// One operation of a profile.
struct ProfileRow {
  std::string name = {};   ///< as the profile has it, without OpId and unit
  std::string graph = {};  ///< QNN graph it belongs to; empty when there is one or none is named
  std::string op = {};     ///< operation type; empty when no file tells
  std::string node = {};   ///< ONNX node it stands for; empty when no file tells
  std::vector<std::string> onnx_nodes = {};  ///< all ONNX nodes it was made from
  std::string backend = {};  ///< "HTP", "CPU", or an execution provider; empty when not told
  std::optional<std::uint32_t> op_id = {};
  Samples value = {};         ///< one execution, in the table's unit
  double amount = 0.0;        ///< of one inference: the mean of `value` where nothing else is said
  Samples critical = {};      ///< cycles on the critical (dominant) path, where given
  Samples wait = {};          ///< cycles between the previous operation and this one (linting)
  Samples overlap = {};       ///< cycles in which background operations ran beside it (linting)
  Samples overlap_wait = {};  ///< the same during its wait (linting)
  std::vector<std::string> overlaps_with = {};  ///< background operations, at most 10
  std::vector<std::string> resources = {};      ///< "HVX", "HMX", "DMA"
  std::optional<std::int64_t> dram_read_bytes = {};
  std::optional<std::int64_t> dram_write_bytes = {};
  std::string text = {};  ///< the line of a row on the CPU, for formats of lines

  /// Name under which it is shown: the ONNX node's where known.
  [[nodiscard]] const std::string& label() const noexcept { return node.empty() ? name : node; }
};

/// A figure of a whole phase: "Accelerator (execute) time", "model_run", ...
struct ProfileTotal {
  std::string section;  ///< "execute", "init", "finalize", "compose", "de-init", "session", ...
  std::string graph;
  std::string name;
  std::string unit;  ///< "us", "cycles", "count", "bytes", "inf/sec"
  Samples value;
};

/// Use of one hardware unit over the whole run.
struct UnitUse {
  std::string name;  ///< "HMX", "HVX", "DMA", "control", "idle"
  double amount = 0.0;
};

/// A line that looks like a measurement and is none.
struct MalformedLine {
  std::int64_t line = 0;  ///< from 1; 0 where the format has no lines
  std::string text;       ///< shortened
  std::string reason;
};

struct ProfileTable {
  ProfileFormat format = ProfileFormat::kNodeLines;
  std::vector<std::string> sources = {};  ///< files
  ProfileUnit unit = ProfileUnit::kMicroseconds;
  /// The values are durations on a device or host, not cycles of some clock.
  bool is_time = false;
  /// The sum of all rows means something: the time of an inference, or all its cycles.
  bool may_be_summed = false;
  std::vector<ProfileRow> rows = {};
  std::vector<ProfileTotal> totals = {};
  std::vector<UnitUse> units = {};
  bool units_overlap = false;  ///< `units` are busy times; otherwise they add up to the run
  std::int64_t lines = 0;
  std::int64_t malformed_count = 0;
  std::vector<MalformedLine> malformed = {};  ///< the first kMalformedShown
  Findings findings = {};

  static constexpr std::size_t kMalformedShown = 5;

  /// Sum of the rows' amounts.
  [[nodiscard]] double sum() const noexcept;
  /// The total with this name over all graphs (means added up), or nullopt.
  [[nodiscard]] std::optional<double> total(std::string_view section, std::string_view name) const;
};

/// Fills a table: rows and totals are found by name in constant time, and the first of each makes
/// it.
class ProfileBuilder {
 public:
  explicit ProfileBuilder(ProfileTable& table) : table_(table) {}

  /// Stays valid until finish().
  ProfileRow& row(std::string_view graph, std::string_view name);
  [[nodiscard]] bool has_rows() const noexcept { return !rows_.empty(); }
  ProfileTotal& total(std::string_view section, std::string_view graph, std::string_view name,
                      std::string_view unit);
  void malformed(std::int64_t line, std::string_view text, std::string reason);
  /// Moves rows and totals into the table; an amount that no reader set is the mean.
  void finish();

 private:
  using Index = std::unordered_map<std::string_view, ProfileRow*>;

  ProfileTable& table_;
  std::deque<ProfileRow> rows_;
  std::map<std::string, Index, std::less<>> graphs_;
  Index* index_ = nullptr;  ///< of index_graph_, the last one asked for
  std::string index_graph_;
};

/// Adds the measurements of `other`, a repetition in the same format and unit.
void merge_profiles(ProfileTable& table, ProfileTable&& other);

/// Rows by falling amount; those without any measurement last.
void sort_rows(ProfileTable& table);

/// What rows are added up by.
enum class ProfileGrouping {
  kNode,  ///< ONNX node, or the profile's own name
  kOp,    ///< operation type
  kUnit   ///< where it ran: UnitUse where given, else backend and resources
};

struct ProfileGroup {
  std::string name;
  double amount = 0.0;
  double share = 0.0;  ///< of the sum over all groups, 0 .. 1
  std::int64_t rows = 0;
};

/// Groups by falling amount; those with the same amount in the order of the table.
[[nodiscard]] std::vector<ProfileGroup> group_rows(const ProfileTable& table,
                                                   ProfileGrouping grouping);

/// Calls visit(line, number) for each line of `text`, without its end ("\n" or "\r\n").
template <typename Visit>
std::int64_t each_line(std::string_view text, Visit visit) {
  std::int64_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(line, ++number);
  }
  return number;
}

}  // namespace hexquant::profiling
