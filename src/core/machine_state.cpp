#include "core/machine_state.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <string_view>

namespace hexquant {
namespace {

namespace fs = std::filesystem;

/// First line of a file; "" when it cannot be read.
std::string line_of(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<double> number_of(const std::string& text) {
  try {
    return std::stod(text);
  } catch (const std::exception&) {  // a zone that is switched off answers with an error text
    return std::nullopt;
  }
}

/// Folders below `folder` whose names are `prefix` and a number, in the order of their names.
std::vector<fs::path> numbered(const fs::path& folder, std::string_view prefix) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool fits = name.starts_with(prefix) && name.size() > prefix.size() &&
                      std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()),
                                  name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (fits) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<double> mean_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::optional<double> cpu_mhz(const fs::path& root) {
  std::vector<double> values;
  for (const fs::path& cpu : numbered(root / "sys/devices/system/cpu", "cpu")) {
    const auto khz = number_of(line_of(cpu / "cpufreq/scaling_cur_freq"));
    if (khz) values.push_back(*khz / 1e3);
  }
  if (!values.empty()) return mean_of(values);
  std::ifstream info(root / "proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("cpu MHz")) continue;
    const auto mhz = number_of(line.substr(line.find(':') + 1));
    if (mhz) values.push_back(*mhz);
  }
  return mean_of(values);
}

std::vector<ThermalZone> thermal_zones(const fs::path& root) {
  std::vector<ThermalZone> zones;
  for (const fs::path& zone : numbered(root / "sys/class/thermal", "thermal_zone")) {
    const auto millidegrees = number_of(line_of(zone / "temp"));
    if (millidegrees) zones.push_back({line_of(zone / "type"), *millidegrees / 1e3});
  }
  return zones;
}

/// Second number of statm: resident pages.
std::int64_t resident_bytes(const fs::path& root) {
  std::ifstream file(root / "proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

MachineState read_machine_state(const fs::path& root) {
  return {cpu_mhz(root), thermal_zones(root), resident_bytes(root)};
}

}  // namespace hexquant
