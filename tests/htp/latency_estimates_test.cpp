// The committed estimates are what the vendor's simulator says today.
#include <gtest/gtest.h>

#include <string>

#include "core/scratch_directory.h"
#include "networks/vendor_estimates.h"
#include "support/htp.h"

namespace hexquant::networks {
namespace {

TEST(LatencyEstimates, AreWhatTheSimulatorSays) {
  HEXQUANT_NEEDS_HTP();
  const ScratchDirectory scratch;
  const std::vector<std::string> wanted = {"conv3x3_c64_s28_n12", "depthwise3_c128_s28_n4",
                                           "dense_c256_s64_n8", "mobilenet_v2_u8"};
  for (const char* soc : {"SA8255", "SA8797"}) {
    const auto committed =
        read_estimates(std::string(HEXQUANT_SOURCE_DIR) + "/bench/results/latency/" + soc + ".csv");
    for (const Case& item : all_cases()) {
      if (std::find(wanted.begin(), wanted.end(), item.name) == wanted.end()) continue;
      const auto known = std::find_if(committed.begin(), committed.end(),
                                      [&](const auto& e) { return e.name == item.name; });
      ASSERT_NE(known, committed.end()) << item.name;
      const VendorEstimate now = ask_vendor(item, soc, scratch.path());
      EXPECT_EQ(now.cycles, known->cycles) << item.name << " on " << soc;
      EXPECT_EQ(now.ddr_read_bytes, known->ddr_read_bytes) << item.name << " on " << soc;
      EXPECT_EQ(now.spill_bytes, known->spill_bytes) << item.name << " on " << soc;
    }
  }
}

}  // namespace
}  // namespace hexquant::networks
