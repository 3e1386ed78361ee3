#include "mixed_precision/sensitivity_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hexquant/error.h"

namespace hexquant::mixed_precision {
namespace {

using testing::ElementsAre;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

SensitivityTable sample_table() {
  SensitivityTable table;
  table.model = "net.onnx";
  table.metric = "top1";
  table.samples = 3;
  table.baseline = {{"top1", 2.0 / 3.0}, {"value", 2.0 / 3.0}};
  table.layers.push_back(
      {"conv",
       "Conv",
       "w",
       "y",
       0,
       {},
       {{{CandidateKind::kWeights, 4, kFloatBits}, {0.1, 0.3, 12.5, kNan, 0.9, 0.5}},
        {{CandidateKind::kBoth, kFloatBits, kFloatBits}, {2.0 / 3.0, 0, kInfinity, 0, 1, 1}}}});
  table.layers.push_back({"add", "Add", "", "z", -1, {}, {}});
  table.blocks.push_back({"conv .. add", "", "", "", -1, {"conv", "add"}, {}});
  return table;
}

TEST(SensitivityTable, ComesBackFromJsonTheSame) {
  const Json json = to_json(sample_table());
  const SensitivityTable table = table_from_json(parse_json(json.dump(), "t"), "t");
  EXPECT_EQ(to_json(table), json);
  EXPECT_EQ(table.layers[0].measured[1].effect.sqnr_db, kInfinity);
  EXPECT_TRUE(std::isnan(table.layers[0].measured[0].effect.kl));
  EXPECT_EQ(table.layers[1].block, -1);
  EXPECT_THAT(table.blocks[0].layers, ElementsAre("conv", "add"));
}

TEST(SensitivityTable, RefusesUnknownWidthsNamingFileAndKey) {
  Json json = to_json(sample_table());
  json["layers"][0]["candidates"][0]["weight_bits"] = 5;
  try {
    (void)table_from_json(json, "s.json");
    FAIL() << "5 bits were accepted";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "s.json: layers[0].candidates[0].weight_bits: expected 4, 8, 16 or 32, got 5");
  }
}

TEST(SensitivityTable, WorstLossLeavesOutWhatHasNone) {
  const SensitivityTable table = sample_table();
  EXPECT_DOUBLE_EQ(table.layers[0].worst_loss(), 0.3);
  EXPECT_TRUE(std::isnan(table.layers[1].worst_loss()));
}

TEST(Candidates, KindsTimesWidthsWithOneFloatRow) {
  const auto all = candidates_of(
      {CandidateKind::kWeights, CandidateKind::kActivation, CandidateKind::kBoth}, {8, 32, 8});
  EXPECT_THAT(all, ElementsAre(Candidate{CandidateKind::kWeights, 8, 32},
                               Candidate{CandidateKind::kBoth, 32, 32},
                               Candidate{CandidateKind::kActivation, 32, 8},
                               Candidate{CandidateKind::kBoth, 8, 8}));
  EXPECT_THAT(candidates_at({CandidateKind::kBoth}, 4, 8),
              ElementsAre(Candidate{CandidateKind::kBoth, 4, 8}));
  EXPECT_THROW((void)parse_kind("bias"), Error);
}

}  // namespace
}  // namespace hexquant::mixed_precision
