#include "quant/weight_matrix.h"

namespace hexquant::quant {

std::optional<WeightMatrix> WeightMatrix::find(const graph::Graph& graph, const graph::Node& node) {
  WeightMatrix matrix;
  const Tensor* weight = graph.find_initializer(node.input(1));
  if (node.is("MatMul") && weight == nullptr) {
    matrix.weight_input_ = 0;
    weight = graph.find_initializer(node.input(0));
  }
  if (weight == nullptr || weight->dtype() != DType::kFloat32 || weight->empty()) return {};
  const Shape& shape = weight->shape();
  if (node.is("Conv") || node.is("ConvTranspose")) {
    if (shape.size() != 3 && shape.size() != 4) return {};
    matrix.groups_ = node.int_attribute("group", 1);
    if (matrix.groups_ < 1 || shape[0] % matrix.groups_ != 0) return {};
    for (std::size_t i = 2; i < shape.size(); ++i) matrix.taps_ *= shape[i];
    const bool transposed = node.is("ConvTranspose");
    const std::int64_t first = shape[0] / matrix.groups_;
    matrix.rows_ = transposed ? shape[1] : first;
    matrix.columns_ = (transposed ? first : shape[1]) * matrix.taps_;
    matrix.group_stride_ = matrix.rows_ * matrix.columns_;
    matrix.row_stride_ = transposed ? matrix.taps_ : matrix.columns_;
    matrix.channel_stride_ = transposed ? matrix.rows_ * matrix.taps_ : matrix.taps_;
    return matrix;
  }
  if (shape.size() != 2) return {};
  bool rows_first = false;  // stored [rows, columns]
  if (node.is("Gemm")) {
    if (node.float_attribute("alpha", 1.0F) != 1.0F) return {};
    if (!node.input(2).empty() && node.float_attribute("beta", 1.0F) != 1.0F) return {};
    rows_first = node.int_attribute("transB", 0) != 0;
  } else if (node.is("MatMul")) {
    rows_first = matrix.weight_input_ == 0;
  } else {
    return {};
  }
  matrix.rows_ = shape[rows_first ? 0 : 1];
  matrix.columns_ = shape[rows_first ? 1 : 0];
  matrix.row_stride_ = rows_first ? matrix.columns_ : 1;
  matrix.channel_stride_ = rows_first ? 1 : matrix.rows_;
  return matrix;
}

std::vector<float> WeightMatrix::to_matrix(std::span<const float> weight) const {
  std::vector<float> matrix;
  matrix.reserve(weight.size());
  for (std::int64_t g = 0; g < groups_; ++g) {
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = 0; c < columns_; ++c) matrix.push_back(weight[index(g, r, c)]);
    }
  }
  return matrix;
}

std::vector<float> WeightMatrix::from_matrix(std::span<const float> matrix) const {
  std::vector<float> weight(matrix.size());
  std::size_t next = 0;
  for (std::int64_t g = 0; g < groups_; ++g) {
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = 0; c < columns_; ++c) weight[index(g, r, c)] = matrix[next++];
    }
  }
  return weight;
}

}  // namespace hexquant::quant
