#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/htp/htp_installation.h"

// Prediction against the vendor's compiler over random small QDQ models.
namespace hexquant::test {

/// A node on which the two differ. Without a node: one side rejects the model, the other does not.
struct Disagreement {
  int model = 0;
  std::string htp_arch;
  std::string node;
  std::string op_type;
  std::string vendor;     ///< unit_name, or "rejected" / "accepted"
  std::string predicted;  ///< the same
  std::string vendor_reason;
  std::string predicted_reason;
  std::string cause;  ///< one of the known causes of docs/methods/placement.md; empty = unexplained
};

struct MatrixResult {
  int models = 0;
  int not_compiled = 0;  ///< of `models`: crashed or past the time limit; not compared
  int nodes = 0;         ///< compared: all but Q and DQ
  int equal_nodes = 0;
  int equal_verdicts = 0;  ///< models that both reject or both take
  std::vector<Disagreement> disagreements;

  [[nodiscard]] double node_agreement() const {
    return nodes == 0 ? 0.0 : 1.0 * equal_nodes / nodes;
  }
  [[nodiscard]] int unexplained() const;
};

/// Compiles models 0 .. count-1 of the stream `seed` and compares node by node.
[[nodiscard]] MatrixResult compare_placements(const runtime::HtpInstallation& installation,
                                              std::uint64_t seed, int count);

/// One line for each disagreement, with a header.
[[nodiscard]] std::string disagreements_csv(const MatrixResult& result, std::uint64_t seed);
/// Figures and the number of disagreements by cause.
[[nodiscard]] std::string summary_text(const MatrixResult& result, std::uint64_t seed);

}  // namespace hexquant::test
