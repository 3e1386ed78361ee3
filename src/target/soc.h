#pragma once

#include <optional>
#include <string>
#include <vector>

namespace hexquant::target {

/// A number about a chip and how far it can be trusted.
struct Figure {
  std::optional<double> value;  ///< unit in the member's name; absent = unknown
  std::string source;           ///< "measured", "documented", "declared", "user"; empty = unknown
};

/// One chip of data/targets/socs.json.
struct Soc {
  std::string name;         ///< part number, e.g. "SM8650"
  int soc_model = 0;        ///< QNN's id of the chip
  std::string htp_arch;     ///< "v75"
  std::string description;  ///< "Snapdragon 8 Gen 3"
  std::vector<std::string> aliases;
  /// The vendor's x86 backend prints performance estimates for it.
  bool vendor_estimates = false;
  Figure vtcm_default_mb;  ///< what the backend assumes when nothing is asked, 2^20 bytes
  Figure vtcm_max_mb;      ///< largest usable size
  Figure tops_int8;        ///< 10^12 operations a second, two for each multiply-accumulate
  Figure ddr_theoretical_gb_per_s;
  Figure ddr_effective_gb_per_s;
  Figure clock_mhz;
  Figure l2_mb;  ///< second-level cache beside the VTCM; shown, not part of any estimate
};

/// Chips of a socs.json text, in its order. @throws Error(kInvalidData) naming `origin`
[[nodiscard]] std::vector<Soc> parse_socs(const std::string& text, const std::string& origin);

/// The chip called `name`: part number, alias ("8 Gen 3", "8gen3", "Snapdragon 8 Gen 3") or
/// soc_model number. Case, spaces, hyphens and underscores do not matter.
/// @throws Error(kInvalidArgument) with the nearest names and the list of all
[[nodiscard]] const Soc& find_soc(const std::vector<Soc>& socs, const std::string& name);

/// Replaces a figure of the chip: `key` as in socs.json ("clock_mhz", "ddr_effective_gb_per_s"
/// ...). Its source becomes "user".
/// @throws Error(kInvalidArgument) listing the keys, or for a value that is not above 0
void override_figure(Soc& soc, const std::string& key, double value);

}  // namespace hexquant::target
