#include "core/machine_state.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temp_folder.h"

namespace hexquant {
namespace {

class FakeMachine : public testing::Test {
 protected:
  void put(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = root_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  [[nodiscard]] MachineState state() const { return read_machine_state(root_.path()); }

  test::TempFolder root_;
};

TEST_F(FakeMachine, ReadsClocksZonesAndSize) {
  put("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1000000\n");
  put("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "2000000\n");
  put("sys/devices/system/cpu/cpuidle/cpufreq/scaling_cur_freq", "9000000\n");
  put("proc/cpuinfo", "cpu MHz : 7.0\n");
  put("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
  put("sys/class/thermal/thermal_zone0/temp", "45250\n");
  put("sys/class/thermal/thermal_zone1/type", "off\n");
  put("sys/class/thermal/thermal_zone1/temp", "not now\n");
  put("proc/self/statm", "1000 3 2 1 0 5 0\n");
  const MachineState found = state();
  ASSERT_TRUE(found.cpu_mhz);
  EXPECT_DOUBLE_EQ(*found.cpu_mhz, 1500.0);
  ASSERT_EQ(found.thermal.size(), 1U);
  EXPECT_EQ(found.thermal[0].name, "cpu-thermal");
  EXPECT_DOUBLE_EQ(found.thermal[0].celsius, 45.25);
  EXPECT_EQ(found.resident_bytes % 3, 0);
  EXPECT_GT(found.resident_bytes, 0);
}

TEST_F(FakeMachine, FallsBackToCpuinfo) {
  put("proc/cpuinfo", "processor : 0\ncpu MHz\t\t: 2100.5\nprocessor : 1\ncpu MHz\t\t: 2200.5\n");
  ASSERT_TRUE(state().cpu_mhz);
  EXPECT_DOUBLE_EQ(*state().cpu_mhz, 2150.5);
}

TEST_F(FakeMachine, SaysNothingOfWhatItDoesNotKnow) {
  const MachineState found = state();
  EXPECT_FALSE(found.cpu_mhz);
  EXPECT_TRUE(found.thermal.empty());
  EXPECT_EQ(found.resident_bytes, 0);
}

TEST(MachineState, SeesThisProcessGrow) {
  const std::int64_t before = read_machine_state().resident_bytes;
  const std::vector<char> held(64 << 20, 1);
  EXPECT_GT(read_machine_state().resident_bytes, before + (48 << 20)) << held[5];
}

}  // namespace
}  // namespace hexquant
