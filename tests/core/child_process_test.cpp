#include "core/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/file_io.h"
#include "core/scratch_directory.h"

namespace hexquant {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

ChildOptions shell(const std::string& script) {
  return {.arguments = {"/bin/sh", "-c", script}};
}

void wait_for(ChildProcess& child) {
  while (child.step()) continue;
  child.finish();
}

TEST(ChildProcess, KeepsBothOutputsApart) {
  ChildProcess child(shell("echo out; echo err >&2; exit 3"));
  wait_for(child);
  EXPECT_EQ(child.output(), "out\n");
  EXPECT_EQ(child.errors(), "err\n");
  EXPECT_EQ(child.ending(), "exit status 3");
}

TEST(ChildProcess, NamesTheSignal) {
  ChildProcess child(shell("kill -FPE $$"));
  wait_for(child);
  EXPECT_THAT(child.ending(), HasSubstr("killed by signal 8"));
}

TEST(ChildProcess, WritesIntoAFileWhereItIsTold) {
  const ScratchDirectory scratch;
  ChildOptions options = shell("pwd; echo oops >&2");
  options.working_folder = scratch.path();
  options.output_file = scratch.path() / "log";
  ChildProcess child(options);
  wait_for(child);
  EXPECT_EQ(read_file(options.output_file), scratch.path().string() + "\noops\n");
}

TEST(ChildProcess, TalksOverAChannel) {
  ChildOptions options = shell("read line <&3; echo \"$line back\" >&3");
  options.with_channel = true;
  ChildProcess child(options);
  ASSERT_TRUE(child.wait_for_channel(true));
  ASSERT_EQ(::write(child.channel(), "there\n", 6), 6);
  while (!child.wait_for_channel(false)) continue;
  std::array<char, 32> text{};
  ASSERT_EQ(::read(child.channel(), text.data(), text.size()), 11);
  EXPECT_STREQ(text.data(), "there back\n");
}

TEST(ChildProcess, IsKilledWithItsOwnChildren) {
  ChildProcess child(shell("sleep 600 & echo $!; wait"));
  while (child.output().empty()) child.step();
  const pid_t grandchild = std::stoi(child.output());
  EXPECT_GT(child.resident_bytes(), 0);
  child.finish();
  EXPECT_TRUE(WIFSIGNALED(child.status()));
  // Reaped by whoever adopts it; until then it is a zombie, which runs no more.
  for (int i = 0; i < 100 && ::kill(grandchild, 0) == 0; ++i) {
    std::string state;
    std::ifstream stat("/proc/" + std::to_string(grandchild) + "/stat");
    stat >> state >> state >> state;
    if (state.empty() || state == "Z") break;
    ASSERT_LT(i, 99) << "still running: state " << state;
    ::usleep(10'000);
  }
}

TEST(ScratchDirectory, GoesAway) {
  fs::path path;
  {
    const ScratchDirectory scratch;
    path = scratch.path();
    std::ofstream(path / "file") << "x";
    EXPECT_TRUE(fs::exists(path / "file"));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(ScratchDirectory, RemovesWhatKilledProcessesLeftAndNothingElse) {
  const pid_t ended = ::fork();
  if (ended == 0) ::_exit(0);
  ::waitpid(ended, nullptr, 0);
  const fs::path folder = fs::temp_directory_path();
  const fs::path left = folder / ("hexquant-" + std::to_string(ended) + "-abcdef");
  const fs::path foreign = folder / ("hexquant-" + std::to_string(ended) + "xabcdef");
  fs::create_directory(left);
  fs::create_directory(foreign);
  const ScratchDirectory first;
  const ScratchDirectory second;
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(foreign));
  EXPECT_TRUE(fs::exists(first.path()));
  fs::remove(foreign);
}

}  // namespace
}  // namespace hexquant
