// Fits the latency model to the vendor's estimates and checks it.
//
// usage: fit_latency_model collect SOC OUT.csv LAYERS.csv [NAME_PART]
//        fit_latency_model fit     DATA.json RESULTS_DIR [SWEEPS [KEY_PREFIX...]]
//        fit_latency_model check   DATA.json RESULTS_DIR [SOC] [--cases] [--operations OUT.csv]
//        fit_latency_model constants DATA.json
//
// collect asks the vendor's simulator (HEXQUANT_QNN_ROOT) for every case of bench/networks that OUT
// does not hold yet; fit changes the constants in DATA.json (with prefixes: those alone); check
// prints the table of errors, constants the table of the documents. RESULTS_DIR holds SOC.csv and
// SOC_layers.csv.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "core/json.h"
#include "core/scratch_directory.h"
#include "latency_fit/check.h"
#include "latency_fit/fit.h"
#include "networks/evaluation.h"

namespace {

using namespace hexquant;

int collect(const std::string& soc, const std::filesystem::path& out,
            const std::filesystem::path& layers, const std::string& part) {
  const ScratchDirectory scratch;
  std::vector<networks::VendorEstimate> estimates;
  if (std::filesystem::exists(out)) estimates = networks::read_estimates(out);
  if (std::filesystem::exists(layers)) networks::read_layers(layers, estimates);
  std::set<std::string> known;
  for (const networks::VendorEstimate& estimate : estimates) known.insert(estimate.name);
  int failures = 0;
  for (const networks::Case& item : networks::all_cases()) {
    if (item.name.find(part) == std::string::npos || known.contains(item.name)) continue;
    try {
      estimates.push_back(networks::ask_vendor(item, soc, scratch.path()));
      estimates.back().name = item.name;
      // The fit needs the layers of its own cases only.
      if (item.kept_out) estimates.back().layers.clear();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", item.name.c_str(), error.what());
      ++failures;
    }
  }
  networks::write_estimates(out, estimates);
  networks::write_layers(layers, estimates);
  std::printf("%zu estimates, %d failures\n", estimates.size(), failures);
  return failures == 0 ? 0 : 1;
}

/// The constants as rows of docs/methods/latency-model.md.
int print_constants(const std::filesystem::path& data) {
  auto machines = perf::parse_latency_data(read_file(data), data.string());
  std::printf("| constant | unit |");
  for (const auto& machine : machines) std::printf(" %s |", machine.htp_arch.c_str());
  std::printf("\n|---|---|");
  for (std::size_t i = 0; i < machines.size(); ++i) std::printf("---|");
  std::printf("\n");
  const auto names = perf::named_constants(machines[0].constants);
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::printf("| `%s` | %s |", names[i].key.c_str(), names[i].unit.c_str());
    for (auto& machine : machines) {
      std::printf(" %.4g |", *perf::named_constants(machine.constants)[i].value);
    }
    std::printf("\n");
  }
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  const std::string command = arguments.empty() ? "" : arguments[0];
  const std::size_t count = arguments.size();
  if (command == "collect" && count >= 4) {
    return collect(arguments[1], arguments[2], arguments[3], count > 4 ? arguments[4] : "");
  }
  if (command == "fit" && count >= 3) {
    const auto rest =
        arguments.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(4, count));
    return latency_fit::fit(arguments[1], arguments[2],
                            count > 3 ? std::atoi(arguments[3].c_str()) : 20,
                            {rest, arguments.end()});
  }
  if (command == "constants" && count == 2) return print_constants(arguments[1]);
  if (command == "check" && count >= 3) {
    bool cases = false;
    std::string soc;
    std::string operations;
    for (std::size_t i = 3; i < count; ++i) {
      if (arguments[i] == "--cases") {
        cases = true;
      } else if (arguments[i] == "--operations" && i + 1 < count) {
        operations = arguments[++i];
      } else {
        soc = arguments[i];
      }
    }
    return latency_fit::check(arguments[1], arguments[2], soc, cases, operations);
  }
  std::fprintf(stderr,
               "usage: fit_latency_model collect|fit|check|constants ... (see the source)\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fit_latency_model: %s\n", error.what());
    return 2;
  }
}
