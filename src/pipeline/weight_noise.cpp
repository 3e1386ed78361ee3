#include "pipeline/weight_noise.h"

#include "formats/onnx/onnx_io.h"
#include "pipeline/granularity_analysis.h"

namespace hexquant::pipeline {

std::vector<WeightNoise> measure_weight_noise(const std::string& model, int bits,
                                              const std::string& soc) {
  const GranularityAnalysis analysis = analyze_granularity(formats::read_onnx(model), soc, bits);
  std::vector<WeightNoise> rows;
  for (const weights::GranularityRow& row : analysis.rows) {
    const auto& symmetric = row.errors[0];
    rows.push_back({row.layer, row.op, row.weight, row.shape, symmetric[0].mse(),
                    symmetric[0].sqnr_db(), symmetric[1].sqnr_db()});
  }
  return rows;
}

}  // namespace hexquant::pipeline
