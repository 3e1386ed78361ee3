#include "formats/overrides/overrides.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string error_of(const std::string& text) {
  try {
    (void)parse_overrides(text, "o.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    return error.what();
  }
  return "";
}

std::vector<std::string> finding_ids(const Overrides& overrides) {
  std::vector<std::string> ids;
  for (const Finding& finding : overrides.findings) ids.push_back(finding.id);
  return ids;
}

// The listing of the tutorial that the short form comes from.
TEST(Overrides, ReadsTheShortForm) {
  const Overrides overrides = parse_overrides(R"({
    "activation_encodings": {
      "/model/layer.0/attention/Softmax_output_0": {"dtype": "int16", "is_symmetric": true}},
    "param_encodings": {
      "lm_head.weight": {"dtype": "int8", "is_symmetric": true},
      "model.layers.*.self_attn.q_proj.weight": {"dtype": "int4"}, "f": {"dtype": "float16"}},
    "supergroups": [{"op_list": ["Conv", "Relu"], "fuse": true},
                    {"op_list": ["Conv", "BatchNormalization"], "fuse": false},
                    {"op_list": ["Add", "Relu", "Mul"]}]})",
                                              "o.json");
  ASSERT_EQ(overrides.entries.size(), 4U);
  EXPECT_EQ(overrides.entries[0].name, "/model/layer.0/attention/Softmax_output_0");
  EXPECT_EQ(overrides.entries[0].group, EntryGroup::kActivation);
  EXPECT_EQ(overrides.entries[0].bits, 16);
  EXPECT_EQ(overrides.entries[0].symmetric, true);
  EXPECT_FALSE(has_numbers(overrides.entries[0]));
  EXPECT_EQ(overrides.entries[1].group, EntryGroup::kParameter);
  EXPECT_EQ(overrides.entries[2].bits, 4);
  EXPECT_EQ(overrides.entries[2].symmetric, std::nullopt);
  EXPECT_TRUE(overrides.entries[3].is_float);
  EXPECT_THAT(overrides.supergroups, ElementsAre(Supergroup{{"Conv", "Relu"}, true},
                                                 Supergroup{{"Conv", "BatchNormalization"}, false},
                                                 Supergroup{{"Add", "Relu", "Mul"}, true}));
  EXPECT_THAT(finding_ids(overrides),
              ElementsAre("overrides-short-form", "overrides-wildcard", "overrides-supergroups"));
  EXPECT_THAT(overrides.findings[0].reason, HasSubstr("4 entries"));
  EXPECT_THAT(overrides.findings[1].reason, HasSubstr("1 names"));
}

TEST(Overrides, ReadsTheVendorsForm) {
  const Overrides overrides = parse_overrides(R"({
    "activation_encodings": {"a": [{"bitwidth": 16, "dtype": "int"}],
                             "b": [{"bitwidth": 16, "dtype": "float"}]},
    "param_encodings": {"w": [
      {"bitwidth": 8, "dtype": "int", "is_symmetric": "True", "offset": -128, "scale": 0.5},
      {"bitwidth": 8, "dtype": "int", "is_symmetric": "True", "offset": -128, "scale": 0.25}]}})",
                                              "o.json");
  ASSERT_EQ(overrides.entries.size(), 3U);
  EXPECT_EQ(overrides.entries[0].bits, 16);
  EXPECT_FALSE(has_numbers(overrides.entries[0]));
  EXPECT_TRUE(overrides.entries[1].is_float);
  EXPECT_THAT(overrides.entries[2].scale, ElementsAre(0.5, 0.25));
  EXPECT_EQ(overrides.entries[2].kind, ScaleKind::kChannel);
  EXPECT_THAT(overrides.findings, IsEmpty());
}

TEST(Overrides, BothFormsMayStandInOneFile) {
  const Overrides overrides = parse_overrides(R"({
    "activation_encodings": {"a": {"dtype": "int16"}, "b": [{"bitwidth": 8, "dtype": "int"}]},
    "param_encodings": {}})",
                                              "o.json");
  ASSERT_EQ(overrides.entries.size(), 2U);
  EXPECT_EQ(overrides.entries[0].bits, 16);
  EXPECT_EQ(overrides.entries[1].bits, 8);
}

TEST(Overrides, ReadsEncodingsOfOtherVersions) {
  const Overrides one = parse_overrides(R"({"version": "1.0.0", "activation_encodings": [
    {"name": "x", "enc_type": "PER_TENSOR", "bw": 8, "dtype": "INT", "is_sym": false,
     "scale": [0.5], "offset": [-3]}], "param_encodings": []})",
                                        "o.json");
  ASSERT_EQ(one.entries.size(), 1U);
  EXPECT_THAT(one.entries[0].offset, ElementsAre(-3.0));
  const Overrides two = parse_overrides(R"({"version": "2.0.0", "encodings": [
    {"name": "x", "output_dtype": "uint8", "y_scale": 0.5, "y_zero_point": 3}]})",
                                        "o.json");
  ASSERT_EQ(two.entries.size(), 1U);
  EXPECT_EQ(two.entries[0].group, EntryGroup::kUnknown);
}

TEST(Overrides, SupergroupsAloneAreAFile) {
  EXPECT_EQ(parse_overrides(R"({"supergroups": [{"op_list": ["Add", "Relu"]}]})", "o.json")
                .supergroups.size(),
            1U);
}

TEST(Overrides, RefusesWithThePlaceAndWhatWasExpected) {
  EXPECT_THAT(error_of("{\n  \"activation_encodings\": {,}}"), HasSubstr("o.json:2:"));
  EXPECT_THAT(error_of("[]"), HasSubstr("o.json: expected an object"));
  EXPECT_THAT(error_of("{}"), HasSubstr("activation_encodings"));
  EXPECT_THAT(error_of(R"({"param_encodings": {"w": {"dtype": "int7"}}})"),
              HasSubstr("param_encodings.w.dtype: expected int4, int8"));
  EXPECT_THAT(error_of(R"({"param_encodings": {"w": {"is_symmetric": true}}})"),
              HasSubstr("param_encodings.w"));
  EXPECT_THAT(error_of(R"({"param_encodings": {"w": {"dtype": "int8", "bits": 3}}})"),
              HasSubstr("param_encodings.w.bits: expected one of the keys dtype, is_symmetric"));
  EXPECT_THAT(error_of(R"({"supergroups": [{"op_list": ["Conv"]}]})"),
              HasSubstr("supergroups[0].op_list: expected two operations"));
  EXPECT_THAT(error_of(R"({"supergroups": [{"op_list": ["Conv", 1]}]})"),
              HasSubstr("supergroups[0].op_list[1]"));
  EXPECT_THAT(error_of(R"({"supergroups": [{"fuse": true}]})"), HasSubstr("op_list"));
}

}  // namespace
}  // namespace hexquant::formats
