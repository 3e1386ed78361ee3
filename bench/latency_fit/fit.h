#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace hexquant::latency_fit {

/// Fits the constants of every architecture in `data` to RESULTS/SOC.csv and SOC_layers.csv, and
/// writes them and their errors back. Deterministic.
int fit(const std::filesystem::path& data, const std::filesystem::path& results, int sweeps,
        const std::vector<std::string>& only = {});

}  // namespace hexquant::latency_fit
