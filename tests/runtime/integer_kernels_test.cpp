#include "runtime/integer_kernels.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace hexquant::runtime {
namespace {

std::string processor_flags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags")) return line + " ";
  }
  return {};
}

TEST(IntegerKernels, SaturateOnX86WithoutVnniOnly) {
  const std::string flags = processor_flags();
  const auto has = [&](const char* flag) { return flags.find(flag) != std::string::npos; };
  if (!has(" avx2 ")) GTEST_SKIP() << "no x86-64 processor with AVX2";
  EXPECT_EQ(integer_kernels_saturate(), !has(" avx512_vnni ") && !has(" avx_vnni "));
}

TEST(IntegerKernels, AnswerStaysTheSame) {
  EXPECT_EQ(integer_kernels_saturate(), integer_kernels_saturate());
}

}  // namespace
}  // namespace hexquant::runtime
