#include "pipeline/optimize_check.h"

#include <cmath>

#include "evaluate/difference.h"
#include "evaluate/metrics.h"

namespace hexquant::pipeline {
namespace {

/// Rows of [N, C] outputs with the same largest element.
struct Classes {
  std::int64_t rows = 0;
  std::int64_t same = 0;

  void add(const Tensor& reference, const Tensor& other) {
    if (reference.dtype() != DType::kFloat32 || reference.rank() != 2) return;
    const std::int64_t classes = reference.shape()[1];
    if (classes < 2) return;
    const auto width = static_cast<std::size_t>(classes);
    const auto a = reference.data<float>();
    const auto b = other.data<float>();
    for (std::size_t begin = 0; begin < a.size(); begin += width) {
      ++rows;
      same += evaluate::same_argmax(a.subspan(begin, width), b.subspan(begin, width)) ? 1 : 0;
    }
  }
  [[nodiscard]] double agreement() const {
    return rows == 0 ? std::nan("") : static_cast<double>(same) / static_cast<double>(rows);
  }
};

void set_demands(OptimizeCheck& check, Closeness closeness) {
  switch (closeness) {
    case Closeness::kRounding:
      check.min_sqnr_db = kRoundingSqnrDb;
      check.enough_max_abs = kRoundingMaxAbs;
      break;
    case Closeness::kBorder:
      check.min_sqnr_db = kBorderSqnrDb;
      break;
    case Closeness::kCodes:
      check.min_sqnr_db = kCodesSqnrDb;
      break;
    case Closeness::kAnotherFunction:
      return;
  }
  if (check.on_data && !std::isnan(check.agreement)) check.min_agreement = kMinAgreement;
}

}  // namespace

bool OptimizeCheck::passed() const {
  // Written so that NaN fails.
  const bool is_tiny = enough_max_abs && !std::isnan(sqnr_db) && max_abs <= *enough_max_abs;
  if (min_sqnr_db && !is_tiny && !(sqnr_db >= *min_sqnr_db)) return false;
  return !min_agreement || agreement >= *min_agreement;
}

OptimizeCheck check_optimized(const graph::Graph& original, const graph::Graph& changed,
                              const BorderChanges& borders, const data::Dataset& dataset,
                              Closeness closeness, bool on_data, int threads,
                              ProgressSink& progress) {
  runtime::SessionOptions options;
  options.threads = threads;
  const runtime::Session before(original, options);
  const runtime::Session after(changed, options);
  evaluate::Difference difference;
  Classes classes;
  ProgressStage stage(progress, "check", dataset.size());
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const runtime::Feeds feeds = dataset.load(i);
    const std::vector<Tensor> expected = before.run(feeds);
    const std::vector<Tensor> actual = after.run(borders.feeds(feeds));
    for (std::size_t k = 0; k < expected.size(); ++k) {
      const Tensor value = borders.restored(original.outputs()[k], actual[k]);
      difference.add(expected[k], value);
      if (k == 0) classes.add(expected[k], value);
    }
    stage.step();
  }
  OptimizeCheck check;
  check.on_data = on_data;
  check.samples = dataset.size();
  check.max_abs = difference.max_abs;
  check.sqnr_db = difference.sqnr_db();
  check.agreement = classes.agreement();
  set_demands(check, closeness);
  return check;
}

}  // namespace hexquant::pipeline
