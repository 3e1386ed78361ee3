#pragma once

#include <filesystem>
#include <string>

namespace hexquant::latency_fit {

/// Prints the errors of the model in `data` against RESULTS/SOC.csv for every fitted chip, or `soc`
/// alone: fitted and kept out apart, by kind, by network, order of variants, DDR bytes.
/// @param cases       every case on a line
/// @param operations  CSV to write with a line for each operation; empty = none
/// @return 0, or 1 when a target of docs/methods/latency-model.md is missed
int check(const std::filesystem::path& data, const std::filesystem::path& results,
          const std::string& soc, bool cases, const std::filesystem::path& operations);

}  // namespace hexquant::latency_fit
