#include "quant/matmul_nbits.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::quant {
namespace {

using graph::Graph;
using graph::Node;

constexpr const char* kDomain = "com.microsoft";
constexpr std::int64_t kSmallestBlock = 16;

/// Codes [K, N] or, transposed, [N, K] in blocks along K.
struct BlockWeight {
  const Tensor* codes = nullptr;
  const Tensor* scales = nullptr;
  bool transposed = false;
  std::int64_t inputs = 0;   ///< K
  std::int64_t outputs = 0;  ///< N
  std::int64_t block = 0;

  [[nodiscard]] std::int64_t blocks() const noexcept { return (inputs + block - 1) / block; }
  [[nodiscard]] int bits() const noexcept { return dtype_bits(codes->dtype()); }
};

bool is_zero(const Graph& graph, const std::string& value) {
  if (value.empty()) return true;
  const Tensor* tensor = graph.find_initializer(value);
  if (tensor == nullptr) return false;
  const std::vector<double> values = to_doubles(*tensor);
  return std::all_of(values.begin(), values.end(), [](double x) { return x == 0.0; });
}

/// Whether the node multiplies by its input 1 as it stands; true = by its transpose.
std::optional<bool> reads_transposed(const Node& node) {
  if (node.is("MatMul")) return false;
  const bool plain_gemm = node.is("Gemm") && node.input(2).empty() &&
                          node.int_attribute("transA", 0) == 0 &&
                          node.float_attribute("alpha", 1.0F) == 1.0F;
  if (!plain_gemm) return std::nullopt;
  return node.int_attribute("transB", 0) != 0;
}

std::optional<BlockWeight> find_block_weight(const Graph& graph, const Node& node) {
  const auto transposed = reads_transposed(node);
  if (!transposed) return std::nullopt;
  const Node* source = graph.producer(node.input(1));
  if (source == nullptr || source->op_type() != "DequantizeLinear") return std::nullopt;
  BlockWeight weight;
  weight.block = source->int_attribute("block_size", 0);
  weight.codes = graph.find_initializer(source->input(0));
  weight.scales = graph.find_initializer(source->input(1));
  weight.transposed = *transposed;
  if (weight.block <= 0 || weight.codes == nullptr || weight.scales == nullptr) return std::nullopt;
  const DType type = weight.codes->dtype();
  const bool fits = (type == DType::kInt4 || type == DType::kInt8) && weight.codes->rank() == 2 &&
                    source->int_attribute("axis", 1) == (*transposed ? 1 : 0) &&
                    weight.scales->dtype() == DType::kFloat32 && is_zero(graph, source->input(2));
  if (!fits) return std::nullopt;
  const Shape& shape = weight.codes->shape();
  weight.inputs = shape[*transposed ? 1 : 0];
  weight.outputs = shape[*transposed ? 0 : 1];
  return weight;
}

void check_block(const Node& node, std::int64_t block) {
  if (is_nbits_block(block)) return;
  throw Error(
      ErrorCode::kInvalidArgument,
      format("node '{}': MatMulNBits takes no blocks of {}: expected a power of two from {} "
             "on",
             node.name(), block, kSmallestBlock));
}

/// Bits of element `index` of packed codes.
unsigned raw_code(const std::byte* codes, std::int64_t index, int bits) noexcept {
  const auto byte = std::to_integer<unsigned>(codes[index * bits / 8]);
  return bits == 8 ? byte : byte >> (index % 2 * 4) & 0xFU;
}

/// Codes as [N, blocks, block * bits / 8], each with 2^(bits-1) added: its sign bit turned.
Tensor packed_codes(const BlockWeight& weight) {
  const int bits = weight.bits();
  const unsigned zero = 1U << (bits - 1);
  const std::int64_t padded = weight.blocks() * weight.block;
  const std::byte* codes = weight.codes->raw();
  Tensor packed(DType::kUInt8, {weight.outputs, weight.blocks(), weight.block * bits / 8});
  const auto bytes = packed.mutable_data<std::uint8_t>();
  for (std::int64_t n = 0; n < weight.outputs; ++n) {
    for (std::int64_t k = 0; k < padded; ++k) {
      const std::int64_t source =
          weight.transposed ? n * weight.inputs + k : k * weight.outputs + n;
      const unsigned code = k < weight.inputs ? raw_code(codes, source, bits) : 0U;
      const std::int64_t bit = (n * padded + k) * bits;
      bytes[static_cast<std::size_t>(bit / 8)] |=
          static_cast<std::uint8_t>((code ^ zero) << (bit % 8));
    }
  }
  return packed;
}

/// Scales as [N * blocks].
Tensor packed_scales(const BlockWeight& weight) {
  const auto scales = weight.scales->data<float>();
  std::vector<float> ordered;
  ordered.reserve(scales.size());
  for (std::int64_t n = 0; n < weight.outputs; ++n) {
    for (std::int64_t b = 0; b < weight.blocks(); ++b) {
      const std::int64_t source =
          weight.transposed ? n * weight.blocks() + b : b * weight.outputs + n;
      ordered.push_back(scales[static_cast<std::size_t>(source)]);
    }
  }
  return Tensor::from<float>({weight.outputs * weight.blocks()}, ordered);
}

class NBitsWriter {
 public:
  explicit NBitsWriter(Graph& graph) : graph_(graph) {}

  void replace(const Node& node, const BlockWeight& weight) {
    const Node* source = graph_.producer(node.input(1));
    const auto& [codes, scales] = packed_constants(*source, weight);
    graph::NodeSpec spec;
    spec.op_type = "MatMulNBits";
    spec.domain = kDomain;
    spec.name = node.name();
    spec.inputs = {node.input(0), codes, scales};
    spec.outputs = node.outputs();
    spec.attributes = {{"K", weight.inputs},
                       {"N", weight.outputs},
                       {"bits", std::int64_t{weight.bits()}},
                       {"block_size", weight.block}};
    graph_.erase_node(node);
    graph_.add_node(std::move(spec));
    if (graph_.uses(source->output()).empty() && !graph_.is_output(source->output())) drop(*source);
  }

 private:
  using Names = std::pair<std::string, std::string>;

  /// Several nodes may read one weight.
  const Names& packed_constants(const Node& source, const BlockWeight& weight) {
    const std::string key = source.name() + (weight.transposed ? " transposed" : "");
    const auto [position, is_new] = packed_.try_emplace(key);
    if (is_new) {
      const std::string codes = graph_.unique_name(source.input(0) + "_packed");
      graph_.add_initializer(codes, packed_codes(weight));
      const std::string scales = graph_.unique_name(source.input(1) + "_packed");
      graph_.add_initializer(scales, packed_scales(weight));
      position->second = {codes, scales};
    }
    return position->second;
  }

  /// Erases a DequantizeLinear nobody reads, and its constants.
  void drop(const Node& source) {
    const std::vector<std::string> inputs = source.inputs();
    graph_.erase_node(source);
    for (const std::string& input : inputs) {
      const bool used = input.empty() || !graph_.uses(input).empty() || graph_.is_output(input);
      if (!used && graph_.find_initializer(input) != nullptr) graph_.erase_initializer(input);
    }
  }

  Graph& graph_;
  std::map<std::string, Names> packed_;
};

}  // namespace

bool is_nbits_block(std::int64_t block_size) noexcept {
  return block_size >= kSmallestBlock && (block_size & (block_size - 1)) == 0;
}

graph::Graph use_matmul_nbits(const graph::Graph& quantized) {
  Graph graph = quantized;
  std::vector<const Node*> products;
  for (const Node& node : graph.nodes()) {
    if (find_block_weight(graph, node)) products.push_back(&node);
  }
  NBitsWriter writer(graph);
  for (const Node* node : products) {
    const auto weight = find_block_weight(graph, *node);
    check_block(*node, weight->block);
    writer.replace(*node, *weight);
  }
  if (!products.empty()) graph.opsets[kDomain] = 1;
  graph.sort();
  return graph;
}

}  // namespace hexquant::quant
