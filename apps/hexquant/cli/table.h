#pragma once

#include <string>
#include <vector>

namespace hexquant::cli {

/// A table with aligned columns: the first column to the left, all others to the right.
/// Every row has as many cells as the header. Returns text that ends with a newline.
[[nodiscard]] std::string table_text(const std::vector<std::string>& header,
                                     const std::vector<std::vector<std::string>>& rows);

/// "82.62 %" for 0.8262; "-" for NaN.
[[nodiscard]] std::string percent_text(double fraction);

/// `value` with `decimals` digits; "-" for NaN, "exact" for infinity (a ratio without noise).
[[nodiscard]] std::string number_text(double value, int decimals);

}  // namespace hexquant::cli
