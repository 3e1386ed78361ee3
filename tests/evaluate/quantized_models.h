#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "formats/onnx/onnx_io.h"
#include "graph/graph.h"
#include "quant/fake_quant.h"
#include "quant/insert_qdq.h"
#include "quant/quant_plan.h"
#include "runtime/session.h"
#include "support/memory_dataset.h"
#include "support/temp_folder.h"

namespace hexquant::test {

/// tests/data/models/tiny_cnn.onnx without its BatchNorm parameters in the way: float32 values.
inline graph::Graph tiny_cnn() {
  return formats::read_onnx(test_data("models/tiny_cnn.onnx"));
}

/// Images for tiny_cnn, uniform in [-1, 1].
inline MemoryDataset tiny_images(std::int64_t count) {
  std::mt19937 engine(7);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<data::Sample> samples;
  for (std::int64_t i = 0; i < count; ++i) {
    Tensor image(DType::kFloat32, {1, 3, 8, 8});
    for (float& x : image.mutable_data<float>()) x = uniform(engine);
    samples.push_back({{"image", image}});
  }
  return MemoryDataset(std::move(samples));
}

/// Values of tiny_cnn that get a Q/DQ pair: the image and all results of nodes that change values.
inline std::vector<std::string> quantized_values(const graph::Graph& graph) {
  std::vector<std::string> values = graph.inputs();
  for (const graph::Node& node : graph.nodes()) values.push_back(node.output());
  return values;
}

/// A min-max encoding of every value, and of every Conv and Gemm weight, by tensor.
inline quant::EncodingTable tiny_encodings(const graph::Graph& graph, const data::Dataset& data,
                                           DType activations, DType weights) {
  const std::vector<std::string> values = quantized_values(graph);
  const runtime::Session session(graph, {}, values);
  std::map<std::string, Range> ranges;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const std::vector<Tensor> results = session.run(data.load(i));
    for (std::size_t v = 0; v < values.size(); ++v) {
      Range& range = ranges[values[v]];
      for (const float x : results[v].data<float>()) {
        range = {std::min(range.min, x), std::max(range.max, x)};
      }
    }
  }
  quant::EncodingTable table;
  for (const auto& [name, range] : ranges) {
    table.tensors[name] = encoding_from_range(range, activations, false);
  }
  for (const graph::Node& node : graph.nodes()) {
    if (!node.is("Conv") && !node.is("Gemm")) continue;
    Range range;
    for (const float x : graph.find_initializer(node.input(1))->data<float>()) {
      range = {std::min(range.min, x), std::max(range.max, x)};
    }
    table.tensors[node.input(1)] = encoding_from_range(range, weights, true);
  }
  return table;
}

/// tiny_cnn with Q/DQ pairs everywhere.
inline graph::Graph quantized_tiny_cnn(DType activations, DType weights) {
  const graph::Graph graph = tiny_cnn();
  return quant::insert_qdq(graph, tiny_encodings(graph, tiny_images(8), activations, weights));
}

}  // namespace hexquant::test
