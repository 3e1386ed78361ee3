#include "profiling/csv_estimate.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace hexquant::profiling {
namespace {

constexpr std::string_view kEstimates = "Performance Estimates";
constexpr std::string_view kFinalize = "FINALIZE";

struct Field {
  std::string_view identifier;
  std::int64_t& (*of)(CsvEstimate&);
};

constexpr std::array kFields = {
    Field{"Simulated (Accelerator exec cycles)",
          [](CsvEstimate& e) -> std::int64_t& { return e.cycles.value; }},
    Field{"Simulated (Accelerator exec cycles (lower estimate))",
          [](CsvEstimate& e) -> std::int64_t& { return e.cycles.lower; }},
    Field{"Simulated (Accelerator exec cycles (upper estimate))",
          [](CsvEstimate& e) -> std::int64_t& { return e.cycles.upper; }},
    Field{"Simulated (Accelerator exec time us)",
          [](CsvEstimate& e) -> std::int64_t& { return e.time_us.value; }},
    Field{"Simulated (Accelerator exec time us (lower estimate))",
          [](CsvEstimate& e) -> std::int64_t& { return e.time_us.lower; }},
    Field{"Simulated (Accelerator exec time us (upper estimate))",
          [](CsvEstimate& e) -> std::int64_t& { return e.time_us.upper; }},
    Field{"Input Fill", [](CsvEstimate& e) -> std::int64_t& { return e.ddr_bytes.input_fill; }},
    Field{"Intermediate Fill",
          [](CsvEstimate& e) -> std::int64_t& { return e.ddr_bytes.intermediate_fill; }},
    Field{"Intermediate Spill",
          [](CsvEstimate& e) -> std::int64_t& { return e.ddr_bytes.intermediate_spill; }},
    Field{"Output Spill", [](CsvEstimate& e) -> std::int64_t& { return e.ddr_bytes.output_spill; }},
    Field{"Inter HTP Fill",
          [](CsvEstimate& e) -> std::int64_t& { return e.ddr_bytes.inter_htp_fill; }},
    Field{"Inter HTP Spill",
          [](CsvEstimate& e) -> std::int64_t& { return e.ddr_bytes.inter_htp_spill; }},
    Field{"Missing Ops (Number of Ops with no Costs associated)",
          [](CsvEstimate& e) -> std::int64_t& { return e.missing_ops; }},
};

using Rows = std::span<const QnnCsvRow>;

bool same_rows(Rows left, Rows right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const QnnCsvRow& a, const QnnCsvRow& b) {
                      return a.identifier == b.identifier && a.time == b.time && a.unit == b.unit;
                    });
}

/// The figures of a block; several HTPs of one estimate are added up.
bool read_block(Rows rows, CsvEstimate& estimate) {
  bool is_inside = false;
  bool has_cycles = false;
  for (const QnnCsvRow& row : rows) {
    if (row.is_root()) is_inside = row.identifier == kEstimates;
    if (!is_inside || !row.time) continue;
    for (const Field& field : kFields) {
      if (field.identifier == row.identifier) field.of(estimate) += *row.time;
    }
    has_cycles = has_cycles || row.identifier == kFields[0].identifier;
  }
  return has_cycles;
}

}  // namespace

std::vector<CsvEstimate> csv_estimates(const QnnCsv& csv) {
  const auto is_start = [](const QnnCsvRow& row) {
    return row.is_root() && row.message == kFinalize;
  };
  std::vector<Rows> blocks;
  for (auto begin = csv.rows.begin(); begin != csv.rows.end();) {
    const auto end = std::find_if(begin + 1, csv.rows.end(), is_start);
    const Rows block(begin, end);
    begin = end;
    const bool is_repeat = std::any_of(blocks.begin(), blocks.end(),
                                       [&](Rows other) { return same_rows(other, block); });
    if (!is_repeat) blocks.push_back(block);
  }
  std::vector<CsvEstimate> estimates;
  for (const Rows block : blocks) {
    CsvEstimate estimate;
    if (read_block(block, estimate)) estimates.push_back(estimate);
  }
  return estimates;
}

}  // namespace hexquant::profiling
