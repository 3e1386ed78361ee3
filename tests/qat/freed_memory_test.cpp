#include "qat/freed_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>

namespace hexquant::qat {
namespace {

constexpr std::size_t kBlock = 24U << 20U;
constexpr std::size_t kPage = 4096;

/// Four blocks made, written page by page, and freed: 24576 pages.
void make_and_free() {
  std::array<std::unique_ptr<char[]>, 4> blocks;
  for (auto& block : blocks) {
    block.reset(new char[kBlock]);
    volatile char* bytes = block.get();
    for (std::size_t i = 0; i < kBlock; i += kPage) bytes[i] = 1;
  }
}

long page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

TEST(FreedMemory, IsUsedAgainWithoutNewPages) {
#ifndef __GLIBC__
  GTEST_SKIP() << "the C library is not glibc";
#endif
  keep_freed_memory();
  make_and_free();
  const long before = page_faults();
  make_and_free();
  EXPECT_LT(page_faults() - before, 1000);
}

}  // namespace
}  // namespace hexquant::qat
