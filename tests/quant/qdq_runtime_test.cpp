// Our arithmetic against ONNX Runtime's QuantizeLinear / DequantizeLinear, element by element.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "graph/graph.h"
#include "hexquant/encoding.h"
#include "quant/insert_qdq.h"
#include "runtime/session.h"

namespace hexquant::quant {
namespace {

using graph::Graph;

constexpr std::int64_t kCount = 1001;

graph::ValueType vector_type() {
  graph::ValueType type;
  type.dtype = DType::kFloat32;
  type.shape = std::vector<graph::Dim>{{kCount, ""}};
  return type;
}

/// x -> Identity -> y, a graph whose only arithmetic is what insert_qdq adds.
Graph identity_graph(std::int64_t opset) {
  Graph graph;
  graph.opsets[""] = opset;
  graph.add_input("x", vector_type());
  graph.add_node({"Identity", {"x"}, {"y"}, {}, "identity", ""});
  graph.add_output("y");
  graph.set_type("y", vector_type());
  return graph;
}

/// Random values, every tie of the grid's middle, both ends and beyond.
Tensor test_values(const Encoding& encoding) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> pick(
      static_cast<float>(encoding.range_min()) * 1.2F - 0.1F,
      static_cast<float>(encoding.range_max()) * 1.2F + 0.1F);
  std::vector<float> values(kCount);
  for (float& value : values) value = pick(random);
  for (int i = 0; i < 64; ++i) {
    values[static_cast<std::size_t>(i)] = (static_cast<float>(i - 32) + 0.5F) * encoding.scale[0];
  }
  return Tensor::from<float>({kCount}, values);
}

struct Case {
  DType type;
  bool symmetric;
  std::int64_t opset;
};

class QdqRuntime : public testing::TestWithParam<Case> {};

TEST_P(QdqRuntime, FakeQuantizationEqualsOnnxRuntime) {
  const Case& parameter = GetParam();
  const Encoding encoding = encoding_from_range({-1.3F, 2.7F}, parameter.type, parameter.symmetric);
  EncodingTable encodings;
  encodings.tensors["x"] = encoding;
  const Graph quantized = insert_qdq(identity_graph(parameter.opset), encodings);
  const runtime::Session session(quantized, {.optimize = false});
  const Tensor values = test_values(encoding);
  const std::vector<Tensor> outputs = session.run({{"x", values}});
  const Tensor expected = fake_quantize_tensor(values, encoding);
  for (std::size_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(outputs[0].data<float>()[i], expected.data<float>()[i])
        << "x = " << values.data<float>()[i];
  }
}

INSTANTIATE_TEST_SUITE_P(
    Types, QdqRuntime,
    testing::Values(Case{DType::kUInt8, false, 13}, Case{DType::kInt8, true, 13},
                    Case{DType::kUInt16, false, 21}, Case{DType::kInt16, true, 21},
                    Case{DType::kUInt16, false, 13}, Case{DType::kInt16, true, 13}),
    [](const auto& info) {
      return dtype_name(info.param.type) + "_opset" + std::to_string(info.param.opset);
    });

TEST(QdqRuntime, WeightsOfEveryWidthReadBack) {
  for (const DType type : {DType::kInt4, DType::kInt8, DType::kInt16}) {
    Graph graph;
    graph.opsets[""] = 21;
    graph.add_input("x", vector_type());
    std::vector<float> weights(3 * kCount);
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    for (float& weight : weights) weight = normal(random);
    graph.add_initializer("w", Tensor::from<float>({3, kCount}, weights));
    graph.add_node({"Mul", {"x", "w"}, {"y"}, {}, "mul", ""});
    graph.add_output("y");
    Encoding encoding;
    encoding.type = type;
    encoding.symmetric = true;
    encoding.granularity = Granularity::kChannel;
    encoding.axis = 0;
    for (int channel = 0; channel < 3; ++channel) {
      encoding.scale.push_back(
          encoding_from_range({-2.0F, 1.0F + static_cast<float>(channel)}, type, true).scale[0]);
      encoding.zero_point.push_back(0);
    }
    EncodingTable encodings;
    encodings.tensors["w"] = encoding;
    const runtime::Session session(insert_qdq(graph, encodings), {.optimize = false});
    const Tensor ones = Tensor::from<float>({kCount}, std::vector<float>(kCount, 1.0F));
    EXPECT_EQ(session.run({{"x", ones}})[0],
              fake_quantize_tensor(*graph.find_initializer("w"), encoding))
        << dtype_name(type);
  }
}

}  // namespace
}  // namespace hexquant::quant
