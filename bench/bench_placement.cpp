// Agreement of predicted and real placement: bench_placement [FIRST_SEED [SEEDS [MODELS [CSV]]]].
// No speed is measured: the table of figures and the list of disagreements are the result.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/file_io.h"
#include "hexquant/error.h"
#include "htp/placement_matrix.h"
#include "runtime/htp/htp_installation.h"

namespace {

std::uint64_t argument(int argc, char** argv, int index, std::uint64_t fallback) {
  return index < argc ? std::strtoull(argv[index], nullptr, 10) : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace hexquant;
  const std::uint64_t first = argument(argc, argv, 1, 11);
  const std::uint64_t seeds = argument(argc, argv, 2, 3);
  const int models = static_cast<int>(argument(argc, argv, 3, 150));
  try {
    const runtime::HtpInstallation installation = runtime::require_htp_installation();
    std::string csv;
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
      const test::MatrixResult result = test::compare_placements(installation, seed, models);
      std::fputs(test::summary_text(result, seed).c_str(), stdout);
      std::string rows = test::disagreements_csv(result, seed);
      if (!csv.empty()) rows.erase(0, rows.find('\n') + 1);
      csv += rows;
    }
    if (argc > 4) write_file(argv[4], csv);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 3;
  }
  return 0;
}
