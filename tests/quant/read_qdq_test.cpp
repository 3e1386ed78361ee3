#include "quant/read_qdq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "hexquant/error.h"
#include "quant/insert_qdq.h"
#include "support/graph_builder.h"

namespace hexquant::quant {
namespace {

using graph::Graph;
using ::testing::HasSubstr;

/// x -> Gemm(w, b) -> y -> Relu -> z (output); y is an output too and read as 16 bits by the Relu.
Graph gemm_graph() {
  return test::GraphBuilder()
      .input("x", {1, 2})
      .constant("w", {3, 2})
      .constant("b", {3})
      .node("Gemm", {"x", "w", "b"}, {"y"}, {1, 3}, {{"transB", std::int64_t{1}}})
      .node("Relu", {"y"}, {"z"}, {1, 3})
      .output("z")
      .output("y")
      .graph();
}

Encoding scales(DType type, std::vector<float> scale, std::vector<std::int32_t> zero_point) {
  Encoding encoding;
  encoding.type = type;
  encoding.scale = std::move(scale);
  encoding.zero_point = std::move(zero_point);
  return encoding;
}

TensorPolicy policy_for(const Encoding& encoding, Role role) {
  TensorPolicy policy;
  policy.role = role;
  policy.type = encoding.type;
  policy.symmetric = encoding.symmetric;
  policy.strict = encoding.strict;
  policy.granularity = encoding.granularity;
  policy.axis = encoding.axis;
  policy.block_size = encoding.block_size;
  return policy;
}

class ReadQdq : public ::testing::Test {
 protected:
  ReadQdq() : graph_(gemm_graph()) {
    Encoding weight = scales(DType::kInt4, {0.125F, 0.25F, 0.5F}, {0, 0, 0});
    weight.symmetric = weight.strict = true;
    weight.granularity = Granularity::kChannel;
    add("x", scales(DType::kUInt8, {0.02F}, {7}));
    add("w", weight, Role::kWeight);
    add("y", scales(DType::kUInt8, {0.1F}, {128}));
    add("z", scales(DType::kUInt16, {0.001F}, {0}));
    table_.edges[{"z", 0}] = scales(DType::kUInt16, {0.0005F}, {1000});
    plan_.edges[{"z", 0}] = policy_for(table_.edges[{"z", 0}], Role::kActivation);
    table_.tensors["b"] = scales(DType::kInt32, {0.01F}, {0});
    plan_.biases["b"] = {"x", "w"};
  }

  void add(const std::string& name, const Encoding& encoding, Role role = Role::kActivation) {
    table_.tensors[name] = encoding;
    plan_.tensors[name] = policy_for(encoding, role);
  }
  [[nodiscard]] EncodingTable read() const {
    return read_qdq(insert_qdq(graph_, table_), graph_, plan_, "model.onnx");
  }
  [[nodiscard]] std::string refusal() const {
    try {
      static_cast<void>(read());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
      return error.what();
    }
    return "accepted";
  }

  Graph graph_;
  QuantPlan plan_;
  EncodingTable table_;
};

TEST_F(ReadQdq, GivesBackWhatWasInserted) {
  const EncodingTable read_back = read();
  table_.tensors.erase("b");  // biases follow from the others
  EXPECT_EQ(read_back.tensors, table_.tensors);
  EXPECT_EQ(read_back.edges, table_.edges);
}

TEST_F(ReadQdq, BlocksAreReadButForTwoLevels) {
  Encoding blocks = scales(DType::kInt4, {0.5F, 0.25F, 0.125F}, {0, 0, 0});
  blocks.symmetric = true;
  blocks.granularity = Granularity::kGroup;
  blocks.axis = 1;
  blocks.block_size = 2;
  add("w", blocks, Role::kWeight);
  EXPECT_EQ(read().tensors.at("w"), blocks);
  plan_.tensors["w"].block_scale_bits = 4;
  EXPECT_FALSE(read().tensors.contains("w"));
}

TEST_F(ReadQdq, NamesWhatDoesNotFit) {
  EXPECT_EQ(refusal(), "accepted");
  const auto after = [this](const std::function<void()>& change) {
    const QuantPlan plan = plan_;
    const EncodingTable table = table_;
    change();
    const std::string text = refusal();
    plan_ = plan;
    table_ = table;
    return text;
  };
  EXPECT_THAT(after([this] { table_.tensors.erase("x"); }),
              HasSubstr("model.onnx: 'x' is not quantized: expected uint8"));
  EXPECT_THAT(after([this] { plan_.tensors.erase("x"); }),
              HasSubstr("'x' is quantized: expected it to stay float"));
  EXPECT_THAT(after([this] { plan_.tensors["x"].type = DType::kUInt16; }),
              HasSubstr("'x' is uint8: expected uint16"));
  EXPECT_THAT(after([this] { plan_.tensors["w"].axis = 1; }), HasSubstr("'w' has 3 scales"));
  EXPECT_THAT(after([this] { plan_.tensors["w"].granularity = Granularity::kTensor; }),
              HasSubstr("'w' has 3 scales: expected 1"));
  EXPECT_THAT(after([this] { table_.tensors["y"].scale = {-1.0F}; }),
              HasSubstr("'y' has the scale -1: expected a positive number"));
  EXPECT_THAT(after([this] { table_.edges.clear(); }),
              HasSubstr("'y (input 0 of node z)' is not quantized: expected uint16"));
}

}  // namespace
}  // namespace hexquant::quant
