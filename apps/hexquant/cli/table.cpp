#include "cli/table.h"

#include <algorithm>
#include <cmath>

#include "core/format.h"

namespace hexquant::cli {
namespace {

std::string row_text(const std::vector<std::string>& cells,
                     const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    line +=
        c == 0 ? format("{:<{}}", cells[c], widths[c]) : format("  {:>{}}", cells[c], widths[c]);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string table_text(const std::vector<std::string>& header,
                       const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const std::string& cell : header) widths.push_back(cell.size());
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size() && c < widths.size(); ++c) {
      widths[c] = std::max(widths[c], row[c].size());
    }
  }
  std::string text = row_text(header, widths);
  std::size_t total = 0;
  for (const std::size_t width : widths) total += width + 2;
  text += std::string(total - 2, '-') + "\n";
  for (const auto& row : rows) text += row_text(row, widths);
  return text;
}

std::string percent_text(double fraction) {
  return std::isnan(fraction) ? "-" : format("{:.2f} %", 100.0 * fraction);
}

std::string number_text(double value, int decimals) {
  if (std::isnan(value)) return "-";
  if (std::isinf(value)) return "exact";
  return format("{:.{}f}", value, decimals);
}

}  // namespace hexquant::cli
