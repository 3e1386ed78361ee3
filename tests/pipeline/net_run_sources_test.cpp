#include "pipeline/net_run_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "hexquant/error.h"
#include "support/temp_folder.h"

namespace hexquant::pipeline {
namespace {

using testing::HasSubstr;

class NetRunSourcesTest : public testing::Test {
 protected:
  std::string file(const std::string& name) const {
    const std::filesystem::path path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << "x";
    return path.string();
  }
  [[nodiscard]] std::string name(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  static std::string error_of(const NetRunSources& sources) {
    try {
      (void)find_net_run_place(sources, true);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  test::TempFolder folder_;
};

TEST_F(NetRunSourcesTest, AModelStandsForItself) {
  NetRunSources sources;
  sources.model = file("net.onnx");
  const NetRunPlace place = find_net_run_place(sources, true);
  EXPECT_EQ(place.model, sources.model);
  EXPECT_FALSE(place.on_htp);
  EXPECT_TRUE(place.mappings.empty());
}

TEST_F(NetRunSourcesTest, AFolderHoldsItsModel) {
  const std::string model = file("out/model.onnx");
  NetRunSources sources;
  sources.model = name("out");
  EXPECT_EQ(find_net_run_place(sources, false).model, model);
  sources.model = name("empty");
  std::filesystem::create_directory(sources.model);
  EXPECT_THAT(error_of(sources), HasSubstr("no ONNX model to run in its place"));
}

TEST_F(NetRunSourcesTest, AModelLibraryLeadsToItsModel) {
  NetRunSources sources;
  sources.model = name("libs/libresnet_qnn.so");  // need not be there itself
  const std::string model = file("libs/resnet.onnx");
  sources.backend = "/sdk/lib/aarch64-android/libQnnHtp.so";
  const NetRunPlace place = find_net_run_place(sources, true);
  EXPECT_EQ(place.model, model);
  EXPECT_TRUE(place.on_htp);
  ASSERT_EQ(place.mappings.size(), 2U);
  EXPECT_EQ(place.mappings[0].used, model);
  EXPECT_EQ(place.mappings[1].used, "htp");
}

TEST_F(NetRunSourcesTest, TheHtpIsTheCpuWhereNoSimulatorIs) {
  NetRunSources sources;
  sources.model = file("net.onnx");
  sources.backend = "libQnnHtp.so";
  const NetRunPlace place = find_net_run_place(sources, false);
  EXPECT_FALSE(place.on_htp);
  ASSERT_EQ(place.mappings.size(), 1U);
  EXPECT_EQ(place.mappings[0].used, "cpu");
  EXPECT_THAT(place.mappings[0].reason, HasSubstr("not installed"));
  sources.device = "htp";  // asked for: to be refused later, not replaced
  EXPECT_TRUE(find_net_run_place(sources, false).on_htp);
}

TEST_F(NetRunSourcesTest, AContextRunsOnTheHtpOnly) {
  NetRunSources sources;
  sources.retrieve_context = file("net.bin");
  EXPECT_THAT(error_of(sources), HasSubstr("net.onnx"));
  const std::string model = file("net.onnx");
  const NetRunPlace place = find_net_run_place(sources, false);
  EXPECT_EQ(place.model, model);
  EXPECT_TRUE(place.on_htp);
  sources.retrieve_context = name("none.bin");
  EXPECT_THAT(error_of(sources), HasSubstr("no such file"));
}

TEST_F(NetRunSourcesTest, RefusesWhatCannotRunHere) {
  NetRunSources sources;
  sources.dlc = "net.dlc";
  EXPECT_THAT(error_of(sources), HasSubstr("runs on a device only"));
  sources = {};
  sources.model = file("net.onnx");
  sources.backend = "libQnnGpu.so";
  EXPECT_THAT(error_of(sources), HasSubstr("libQnnHtp.so and libQnnCpu.so are"));
  sources.backend = "";
  sources.retrieve_context = file("net.bin");
  EXPECT_THAT(error_of(sources), HasSubstr("give one of them"));
  sources = {};
  sources.model = name("libs/libnone_qnn.so");
  EXPECT_THAT(error_of(sources), HasSubstr("none.onnx"));
}

}  // namespace
}  // namespace hexquant::pipeline
