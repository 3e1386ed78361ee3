#include "pipeline/htp_setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "hexquant/error.h"

namespace hexquant::pipeline {
namespace {

TEST(HtpSetup, OtherMachinesAreToldSo) {
  EXPECT_NO_THROW(require_htp_machine("Linux", "x86_64"));
  for (const auto& [system, machine] :
       {std::pair{"Linux", "aarch64"}, std::pair{"Darwin", "x86_64"}}) {
    try {
      require_htp_machine(system, machine);
      FAIL() << system << machine;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kMissingComponent);
      EXPECT_THAT(error.what(), testing::HasSubstr("Linux on x86_64 only"));
      EXPECT_THAT(error.what(), testing::HasSubstr(machine));
    }
  }
}

}  // namespace
}  // namespace hexquant::pipeline
