#include "htp/placement_matrix.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "support/htp.h"

namespace hexquant::test {
namespace {

constexpr std::uint64_t kSeed = 11;  // no rule was made with this stream
constexpr int kModels = 150;

// Reached on streams that no rule was tuned on: see docs/methods/placement.md.
constexpr double kMinNodeAgreement = 0.98;
constexpr double kMinVerdictAgreement = 0.97;
constexpr double kMaxUnexplained = 0.01;  // of the nodes

std::uint64_t number(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? fallback : std::strtoull(text, nullptr, 10);
}

/// HEXQUANT_MATRIX_SEED and HEXQUANT_MATRIX_MODELS choose another stream and length.
TEST(PlacementMatrix, PredictionAgreesWithTheVendor) {
  HEXQUANT_NEEDS_HTP();
  const std::uint64_t seed = number("HEXQUANT_MATRIX_SEED", kSeed);
  const int models = static_cast<int>(number("HEXQUANT_MATRIX_MODELS", kModels));
  const MatrixResult result = compare_placements(*find_htp(), seed, models);
  // Every disagreement is listed, explained or not.
  std::printf("%s%s", summary_text(result, seed).c_str(), disagreements_csv(result, seed).c_str());

  EXPECT_EQ(result.models, models);
  EXPECT_LE(result.not_compiled, models / 50);
  EXPECT_GE(result.node_agreement(), kMinNodeAgreement);
  EXPECT_GE(1.0 * result.equal_verdicts, kMinVerdictAgreement * models);
  EXPECT_LE(1.0 * result.unexplained(), kMaxUnexplained * result.nodes);
}

}  // namespace
}  // namespace hexquant::test
