#include "perf/latency_data.h"

#include <cstdlib>
#include <string_view>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::perf {

extern const std::string_view kLatencyJson;

namespace {

int arch_number(const std::string& arch) {
  return arch.size() > 1 ? std::atoi(arch.c_str() + 1) : 0;
}

FittedMachine parse_machine(const std::string& arch, const Json& entry, const std::string& version,
                            const std::string& origin) {
  FittedMachine machine;
  machine.htp_arch = arch;
  machine.soc = entry.at("soc").get<std::string>();
  machine.clock_mhz = entry.at("clock_mhz").get<double>();
  machine.constants = parse_constants(entry.at("constants"), origin);
  const Json& errors = entry.at("errors");
  machine.error.htp_arch = arch;
  machine.error.micro_cases = errors.at("micro_cases").get<int>();
  machine.error.median_error = errors.at("median_error").get<double>();
  machine.error.percentile90_error = errors.at("percentile90_error").get<double>();
  machine.error.networks = errors.at("networks").get<int>();
  machine.error.worst_network_error = errors.at("worst_network_error").get<double>();
  machine.error.vendor_version = version;
  machine.lower_ratio = errors.at("lower_ratio").get<double>();
  machine.upper_ratio = errors.at("upper_ratio").get<double>();
  return machine;
}

}  // namespace

std::vector<FittedMachine> parse_latency_data(const std::string& text, const std::string& origin) {
  const Json json = parse_json(text, origin);
  std::vector<FittedMachine> machines;
  try {
    const auto version = json.at("vendor_version").get<std::string>();
    for (const auto& [arch, entry] : json.at("architectures").items()) {
      machines.push_back(parse_machine(arch, entry, version, origin));
    }
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidData, format("{}: {}", origin, error.what()));
  }
  if (machines.empty()) {
    throw Error(ErrorCode::kInvalidData, format("{}: expected at least one architecture", origin));
  }
  return machines;
}

const std::vector<FittedMachine>& fitted_machines() {
  static const std::vector<FittedMachine> machines =
      parse_latency_data(std::string(kLatencyJson), "latency.json");
  return machines;
}

const FittedMachine& nearest_machine(const std::vector<FittedMachine>& machines,
                                     const std::string& htp_arch) {
  const FittedMachine* best = &machines.front();
  const int wanted = arch_number(htp_arch);
  for (const FittedMachine& machine : machines) {
    const int distance = std::abs(arch_number(machine.htp_arch) - wanted);
    if (distance < std::abs(arch_number(best->htp_arch) - wanted)) best = &machine;
  }
  return *best;
}

ModelError model_error(const target::Soc& soc) {
  return nearest_machine(fitted_machines(), soc.htp_arch).error;
}

}  // namespace hexquant::perf
