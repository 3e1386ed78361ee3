#pragma once

#include <vector>

#include "hexquant/encoding.h"
#include "quant/fake_quant.h"

namespace hexquant::weights {

/// A float scale of a channel (LPBQ) with 16 significant bits: its products with the integers of an
/// 8-bit grid are exact in float, so that code * (integer * scale) == (code * integer) * scale bit
/// for bit. Moves the scale by less than 2^-16 of itself; never denormal.
[[nodiscard]] float exact_channel_scale(float scale) noexcept;

/// Gives a group encoding with free float scales two-level ones (LPBQ): block scale = integer
/// 1 ... 2^bits times the channel's float scale, which is its largest block scale / 2^bits, as
/// exact_channel_scale.
///
/// Of the two integers around a block's own scale, the one with the smaller squared error under
/// nearest rounding is taken: the lower one clips, the upper one rounds more coarsely.
/// @param blocks    values of each block, by scale index
/// @param encoding  symmetric, kGroup; layout is its scale_layout. Gains block_int_scale and
///                  channel_scale; scale becomes their product
void use_integer_block_scales(const std::vector<std::vector<float>>& blocks,
                              const quant::ScaleLayout& layout, int bits, Encoding& encoding);

}  // namespace hexquant::weights
