#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "core/file_io.h"
#include "core/float16.h"
#include "core/json.h"
#include "core/parallel.h"
#include "hexquant/error.h"
#include "hexquant/progress.h"
#include "hexquant/tensor.h"

namespace hexquant {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hexquant_core.XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST(Float16, ConvertsSpecialAndOrdinaryValues) {
  EXPECT_EQ(float16_to_float(0x3C00), 1.0F);
  EXPECT_EQ(float16_to_float(0xC000), -2.0F);
  EXPECT_EQ(float16_to_float(0x7BFF), 65504.0F);
  EXPECT_EQ(float16_to_float(0x0001), std::ldexp(1.0F, -24));
  EXPECT_TRUE(std::isinf(float16_to_float(0x7C00)));
  EXPECT_TRUE(std::isnan(float16_to_float(0x7E00)));
  EXPECT_EQ(bfloat16_to_float(0x3F80), 1.0F);
}

TEST(Tensor, WritesNeverReachOtherHolders) {
  Tensor a = Tensor::from<float>({2}, std::vector<float>{1, 2});
  const Tensor b = a;
  a.mutable_data<float>()[0] = 5;
  EXPECT_EQ(b.data<float>()[0], 1.0F);
  EXPECT_EQ(a.data<float>()[0], 5.0F);
}

TEST(Tensor, ForeignBytesAreNeverWritten) {
  const auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2});
  const std::shared_ptr<const std::byte> bytes(owner,
                                               reinterpret_cast<const std::byte*>(owner->data()));
  Tensor tensor(DType::kFloat32, {2}, bytes);
  tensor.mutable_data<float>()[0] = 9;
  EXPECT_EQ((*owner)[0], 1.0F);
}

TEST(Tensor, ChecksTypesAndSizes) {
  const Tensor tensor = Tensor::from<float>({2}, std::vector<float>{1, 2});
  EXPECT_THROW((void)tensor.data<double>(), Error);
  EXPECT_THROW((void)Tensor::from<float>({3}, std::vector<float>{1, 2}), Error);
  EXPECT_THROW((void)element_count({-1}), Error);
  EXPECT_THROW((void)element_count({1 << 30, 1 << 30, 1 << 30}), Error);
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({0, 1 << 30}), 0);
}

TEST(Tensor, WidensPackedFourBits) {
  Tensor tensor(DType::kInt4, {3});
  tensor.mutable_raw()[0] = std::byte{0x78};
  tensor.mutable_raw()[1] = std::byte{0x0F};
  EXPECT_EQ(to_doubles(tensor), (std::vector<double>{-8, 7, -1}));
}

TEST(Json, MalformedTextNamesLineAndColumn) {
  try {
    (void)parse_json("{\n  \"a\": 1,\n  oops\n}", "file.json");
    FAIL() << "malformed JSON accepted";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).rfind("file.json:3:", 0), 0U) << error.what();
  }
}

TEST_F(FileTest, WriteReplacesInOneStepAndLeavesNoTemporary) {
  const fs::path path = folder_ / "out.txt";
  write_file(path, "old");
  write_file(path, "new");
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(FileTest, FailedWriteKeepsTheOldFileAndNamesTheTarget) {
  try {
    write_file(folder_ / "missing" / "out.txt", "x");
    FAIL() << "wrote into a folder that does not exist";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_NE(std::string(error.what()).find("missing/out.txt"), std::string::npos);
  }
}

TEST_F(FileTest, DiskFullIsAnErrorWithoutLeftovers) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full on this system";
  fs::create_symlink("/dev/full", folder_ / ("out.txt.tmp" + std::to_string(::getpid())));
  EXPECT_THROW(write_file(folder_ / "out.txt", "x"), Error);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(FileTest, MappedFileHoldsTheBytes) {
  write_file(folder_ / "data", "abc");
  const MappedFile mapped(folder_ / "data");
  ASSERT_EQ(mapped.size_bytes(), 3U);
  EXPECT_EQ(std::to_integer<char>(mapped.data()[2]), 'c');
  EXPECT_THROW(MappedFile(folder_ / "none"), Error);
  EXPECT_THROW(MappedFile{folder_}, Error);
}

TEST_F(FileTest, StagedDirectoryAppearsOnlyOnCommit) {
  const fs::path target = folder_ / "out";
  {
    const StagedDirectory staged(target);
    write_file(staged.path() / "a", "1");
  }
  EXPECT_FALSE(fs::exists(target));
  EXPECT_TRUE(fs::is_empty(folder_)) << "an abandoned staging folder must vanish";
  StagedDirectory staged(target);
  write_file(staged.path() / "a", "2");
  staged.commit();
  EXPECT_EQ(read_file(target / "a"), "2");
}

TEST_F(FileTest, StagedDirectoryKeepsOtherFilesAndRefusesAFile) {
  const fs::path target = folder_ / "out";
  fs::create_directory(target);
  write_file(target / "mine", "keep");
  StagedDirectory staged(target);
  write_file(staged.path() / "a", "2");
  staged.commit();
  EXPECT_EQ(read_file(target / "mine"), "keep");
  write_file(folder_ / "file", "x");
  EXPECT_THROW(StagedDirectory(folder_ / "file"), Error);
}

TEST(ParallelFor, RunsEveryItemOnce) {
  for (const int threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> counts(100);
    parallel_for(100, threads, [&](std::int64_t i) { ++counts[static_cast<std::size_t>(i)]; });
    for (const auto& count : counts) EXPECT_EQ(count.load(), 1);
  }
  parallel_for(0, 4, [](std::int64_t) { FAIL() << "no items"; });
}

TEST(ParallelFor, RethrowsAndStops) {
  std::atomic<int> ran{0};
  try {
    parallel_for(1000, 4, [&](std::int64_t i) {
      ++ran;
      if (i == 3) throw Error(ErrorCode::kInvalidData, "item 3");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    FAIL() << "exception lost";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "item 3");
  }
  EXPECT_LT(ran.load(), 1000);
}

class CountingSink final : public ProgressSink {
 public:
  void begin(const std::string& stage, std::int64_t total) override {
    log += "begin " + stage + " " + std::to_string(total) + ";";
  }
  void update(std::int64_t done) override { last = done; }
  void end() override { log += "end;"; }
  [[nodiscard]] bool cancelled() const override { return stop; }
  std::string log;
  std::int64_t last = 0;
  bool stop = false;
};

TEST(ProgressStage, ReportsStepsAndCancels) {
  CountingSink sink;
  {
    ProgressStage stage(sink, "work", 3);
    stage.step();
    stage.step();
    EXPECT_EQ(sink.last, 2);
    sink.stop = true;
    EXPECT_THROW(stage.step(), Error);
  }
  EXPECT_EQ(sink.log, "begin work 3;end;");
}

}  // namespace
}  // namespace hexquant
