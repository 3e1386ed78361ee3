#include "target/soc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "hexquant/error.h"
#include "target/target.h"

namespace hexquant::target {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::string& name) {
  try {
    (void)load_target(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "";
}

TEST(Soc, IsFoundByPartNumberAliasAndModelNumber) {
  for (const char* name : {"SM8650", "sm8650", "57", "8 Gen 3", "8gen3", "8-gen-3",
                           "Snapdragon 8 Gen 3", "snapdragon_8gen3"}) {
    EXPECT_EQ(load_target(name).soc.name, "SM8650") << name;
  }
  EXPECT_EQ(load_target("X Elite").soc.name, "SC8380XP");
  EXPECT_EQ(load_target("SA8775P").soc.soc_model, 52);
}

TEST(Soc, NearbyNamesAreDifferentChips) {
  EXPECT_EQ(load_target("8 Elite").soc.name, "SM8750");
  EXPECT_EQ(load_target("8 Elite Gen 5").soc.name, "SM8850");
  EXPECT_EQ(load_target("8 Gen 5").soc.name, "SM8845");
  EXPECT_EQ(load_target("8+ Gen 1").soc.name, "SM8475");
}

TEST(Soc, UnknownNameListsNearestAndAll) {
  const std::string message = error_of("SM8660");
  EXPECT_THAT(message, HasSubstr("'SM8660'"));
  EXPECT_THAT(message, HasSubstr("did you mean SM8650"));
  EXPECT_THAT(message, HasSubstr("SM8750 (69)"));
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST(Soc, EmptyNameIsUnknown) {
  EXPECT_THAT(error_of(""), HasSubstr("unknown SoC ''"));
}

TEST(Soc, FiguresCarryTheirSource) {
  const Soc soc = load_target("SM8650").soc;
  EXPECT_EQ(soc.htp_arch, "v75");
  EXPECT_EQ(soc.vtcm_default_mb.value, 8.0);
  EXPECT_EQ(soc.vtcm_default_mb.source, "documented");
  EXPECT_EQ(soc.tops_int8.value, 36.0);
  EXPECT_EQ(soc.tops_int8.source, "declared");
  EXPECT_EQ(soc.ddr_theoretical_gb_per_s.value, 76.8);
  EXPECT_EQ(soc.ddr_effective_gb_per_s.value, 50.0);
  EXPECT_FALSE(soc.clock_mhz.value.has_value());
  EXPECT_EQ(soc.clock_mhz.source, "");
  EXPECT_EQ(load_target("SA8255").soc.clock_mhz.value, 1497.6);
}

TEST(Soc, EveryChipIsUsable) {
  std::set<std::string> names;
  std::set<int> models;
  const std::set<std::string> sources = {"measured", "documented", "declared"};
  for (const Soc& soc : list_socs()) {
    EXPECT_TRUE(names.insert(soc.name).second) << soc.name;
    EXPECT_TRUE(models.insert(soc.soc_model).second) << soc.name;
    EXPECT_NO_THROW((void)load_target(soc.name)) << soc.name;
    // An alias that another chip's name shadows would silently give that chip.
    for (const std::string& alias : soc.aliases) EXPECT_EQ(load_target(alias).soc.name, soc.name);
    for (const Figure* figure :
         {&soc.vtcm_default_mb, &soc.vtcm_max_mb, &soc.tops_int8, &soc.ddr_theoretical_gb_per_s,
          &soc.ddr_effective_gb_per_s, &soc.clock_mhz}) {
      if (!figure->value) continue;
      EXPECT_GT(*figure->value, 0.0) << soc.name;
      EXPECT_TRUE(sources.contains(figure->source)) << soc.name << " " << figure->source;
    }
  }
  EXPECT_GE(names.size(), 30U);
}

TEST(Soc, BadFileNamesTheEntry) {
  const std::string text = R"({"socs": [{"name": "A", "soc_model": "x"}]})";
  try {
    (void)parse_socs(text, "mine.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_THAT(error.what(), HasSubstr("mine.json: entry 0"));
  }
}

}  // namespace
}  // namespace hexquant::target
