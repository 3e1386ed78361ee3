#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "formats/onnx/onnx_io.h"
#include "pipeline/htp_estimate.h"
#include "pipeline/htp_model.h"
#include "runtime/htp/htp_worker_client.h"
#include "support/htp.h"
#include "target/target.h"

namespace hexquant::pipeline {
namespace {

const std::filesystem::path kModel = std::filesystem::path(HEXQUANT_SOURCE_DIR) /
                                     "tests/pipeline/estimates/digits_sa8255/model.onnx";

/// Compiles the digits model for a chip and reads what the vendor's simulator says.
HtpEstimate estimate(const std::string& soc) {
  Findings findings;
  runtime::HtpOptions options =
      htp_options({.soc = soc, .vtcm_mb = 8}, target::load_target(soc).soc, findings);
  options.estimate = true;
  options.trace = true;
  runtime::HtpWorker worker(*test::find_htp(), kModel, options);
  EXPECT_FALSE(worker.failure()) << worker.failure()->reason;
  worker.close();
  return read_htp_estimate(worker.folder(), formats::read_onnx(kModel), soc);
}

TEST(HtpEstimate, EveryOperationOfTheSimulationHasALayer) {
  HEXQUANT_NEEDS_HTP();
  for (const char* soc : {"SA8255", "SA8797"}) {  // HTP versions v73 and v81: other lanes
    const HtpEstimate result = estimate(soc);
    ASSERT_EQ(result.graphs.size(), 1U) << soc;
    const HtpGraphEstimate& graph = result.graphs[0];
    EXPECT_GT(graph.figures.cycles.value, 1000);
    EXPECT_LE(graph.figures.cycles.lower, graph.figures.cycles.value);
    EXPECT_GE(graph.figures.cycles.upper, graph.figures.cycles.value);
    EXPECT_GT(result.clock_mhz(), 500.0);
    EXPECT_FALSE(graph.trace.is_truncated);
    std::int64_t dma_read_bytes = 0;
    for (const profiling::LayerTimes& layer : graph.times.layers) {
      dma_read_bytes += layer.dma_read_bytes;
    }
    EXPECT_EQ(dma_read_bytes, graph.figures.ddr_bytes.read()) << soc;
    EXPECT_EQ(dma_read_bytes, graph.trace.dma_read_bytes) << soc;
    for (const HtpLayer& layer : graph.layers.layers) {
      EXPECT_NE(layer.kind, LayerKind::kUnknown) << layer.name;
    }
    EXPECT_GT(graph.times.busy[0], 0) << "no work on HMX";
  }
}

TEST(HtpEstimate, IsTheSameEachTime) {
  HEXQUANT_NEEDS_HTP();
  EXPECT_EQ(to_json(estimate("SA8255")), to_json(estimate("SA8255")));
}

TEST(HtpEstimate, OtherChipsHaveNone) {
  HEXQUANT_NEEDS_HTP();
  EXPECT_FALSE(estimate("SM8650").is_available());
}

}  // namespace
}  // namespace hexquant::pipeline
