#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hexquant {

struct ThermalZone {
  std::string name;  ///< "cpu-thermal", from the zone's own type
  double celsius = 0.0;
};

/// What a machine says of itself at one moment; what it does not say is absent.
struct MachineState {
  std::optional<double> cpu_mhz;  ///< mean over the processors
  std::vector<ThermalZone> thermal;
  std::int64_t resident_bytes = 0;  ///< of this process
};

/// Reads cpufreq (else /proc/cpuinfo), the thermal zones and the size of this process.
/// @param root  where /sys and /proc are: another folder in tests
[[nodiscard]] MachineState read_machine_state(const std::filesystem::path& root = "/");

}  // namespace hexquant
