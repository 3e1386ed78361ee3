#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace hexquant::quant {

/// True for the block sizes that MatMulNBits takes: powers of two from 16 on.
[[nodiscard]] bool is_nbits_block(std::int64_t block_size) noexcept;

/// A quantized graph with com.microsoft MatMulNBits in place of every MatMul, and every Gemm
/// without bias and transA, whose weight is a constant behind a block-quantized DequantizeLinear
/// (symmetric int4 or int8, blocks along the summed axis):
///
///   codes -> DequantizeLinear(block_size) -> MatMul(x, w)   =>   MatMulNBits(x, packed, scales)
///
/// Attributes K, N, bits, block_size; no accuracy_level, so that ONNX Runtime multiplies floats (at
/// level 4, its own choice when it fuses the Q/DQ form, it rounds x to 8 bits). packed is uint8
/// [N, ceil(K / block), block * bits / 8], low nibble first, codes + 2^(bits-1) (the zero point of
/// an absent input), padded with that; scales [N * ceil(K / block)]. Activations keep their Q/DQ.
/// @throws Error(kInvalidArgument) naming the node whose block size the operator does not take
/// Source: contrib operators of ONNX Runtime 1.32.
[[nodiscard]] graph::Graph use_matmul_nbits(const graph::Graph& quantized);

}  // namespace hexquant::quant
