#include "target/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "hexquant/error.h"
#include "support/temp_folder.h"
#include "target/target.h"

namespace hexquant::target {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string data_text(const std::string& name) {
  std::ifstream file(std::string(HEXQUANT_SOURCE_DIR) + "/data/targets/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Rules rules_of(const std::string& arch) {
  return parse_rules(data_text("hexagon.json"), "hexagon.json", arch);
}

std::string error_of(const std::string& text, const std::string& arch = "v75") {
  try {
    (void)parse_rules(text, "mine.json", arch);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    return error.what();
  }
  return "";
}

TEST(Rules, BuiltInDataIsTheFile) {
  EXPECT_EQ(load_target("SM8650").rules.ops.size(), rules_of("v75").ops.size());
}

TEST(Rules, OldVersionsHaveNoSixteenBitWeights) {
  for (const char* arch : {"v68", "v69"}) {
    EXPECT_FALSE(rules_of(arch).weight_formats.contains(DType::kInt16)) << arch;
  }
  for (const char* arch : {"v73", "v75", "v79", "v81"}) {
    const Rules rules = rules_of(arch);
    EXPECT_THAT(rules.weight_formats.at(DType::kInt16).at(16),
                ElementsAre(Granularity::kTensor, Granularity::kChannel))
        << arch;
    EXPECT_FALSE(rules.weight_formats.at(DType::kInt16).contains(8)) << arch;
  }
}

TEST(Rules, SecondOperandIsInt16SymmetricFromV73) {
  EXPECT_EQ(rules_of("v69").second_operand.at(16).front().type, DType::kInt8);
  const OperandFormat preferred = rules_of("v73").second_operand.at(16).front();
  EXPECT_EQ(preferred.type, DType::kInt16);
  EXPECT_TRUE(preferred.symmetric);
  EXPECT_EQ(rules_of("v69").second_operand.at(8).front().type, DType::kUInt8);
}

TEST(Rules, OnlyV68HasNoFloat) {
  EXPECT_FALSE(rules_of("v68").has_float());
  EXPECT_TRUE(rules_of("v68").block_types.empty());
  EXPECT_TRUE(rules_of("v69").has_float());
}

TEST(Rules, OperationsHaveTheMeasuredTypes) {
  const Rules rules = rules_of("v75");
  EXPECT_THAT(rules.ops.at("HardSwish").types, ElementsAre(DType::kUInt8, DType::kUInt16));
  EXPECT_THAT(rules.ops.at("Log").types, ElementsAre(DType::kUInt8));
  EXPECT_EQ(rules.ops.at("Softmax").fixed_range, (Range{0.0F, 1.0F}));
  EXPECT_EQ(rules.ops.at("Tanh").fixed_range, (Range{-1.0F, 1.0F}));
  EXPECT_EQ(rules.ops.at("Erf").role, OpRole::kFloat);
  EXPECT_EQ(rules.ops.at("Shape").role, OpRole::kIgnored);
  EXPECT_EQ(rules.ops.at("ConvTranspose").weight->axis, WeightAxis::kSecond);
  EXPECT_EQ(rules.int16_max_code, 0x7F7F);
}

TEST(Rules, FloatOperationsSayWhy) {
  for (const auto& [name, rule] : rules_of("v75").ops) {
    EXPECT_EQ(rule.role == OpRole::kFloat, !rule.reason.empty()) << name;
    const bool has_types = rule.role != OpRole::kFloat && rule.role != OpRole::kIgnored;
    EXPECT_EQ(has_types, !rule.types.empty()) << name;
  }
}

TEST(Rules, KeyHoldsTheDomain) {
  graph::Graph graph;
  graph.add_node({"Gelu", {"x"}, {"y"}, {}, "n", "com.microsoft"});
  EXPECT_EQ(op_key(graph.nodes().front()), "com.microsoft:Gelu");
}

TEST(Rules, ErrorsNameFileAndPlace) {
  EXPECT_THAT(error_of(data_text("hexagon.json"), "v12"), HasSubstr("mine.json: no version 'v12'"));
  EXPECT_THAT(error_of("{"), HasSubstr("mine.json:1:"));
  EXPECT_THAT(error_of(R"({"versions": {"v75": {}}})"), HasSubstr("mine.json: "));
  std::string text = data_text("hexagon.json");
  const std::string role = R"("Add": {"role": "compute")";
  text.replace(text.find(role), role.size(), R"("Add": {"role": "computer")");
  EXPECT_THAT(error_of(text), HasSubstr("operation 'Add': unknown word 'computer'"));
}

TEST(Rules, FolderFromTheEnvironmentReplacesTheData) {
  const test::TempFolder folder;
  std::string socs = data_text("socs.json");
  const std::string name = R"("name": "SM8650")";
  socs.replace(socs.find(name), name.size(), R"("name": "SM9999")");
  std::ofstream(folder.path() / "socs.json") << socs;
  std::ofstream(folder.path() / "hexagon.json") << data_text("hexagon.json");
  ::setenv("HEXQUANT_TARGETS_DIR", folder.path().c_str(), 1);
  EXPECT_EQ(load_target("57").soc.name, "SM9999");
  ::setenv("HEXQUANT_TARGETS_DIR", (folder.path() / "absent").c_str(), 1);
  EXPECT_THROW((void)load_target("57"), Error);
  ::unsetenv("HEXQUANT_TARGETS_DIR");
  EXPECT_EQ(load_target("57").soc.name, "SM8650");
}

}  // namespace
}  // namespace hexquant::target
