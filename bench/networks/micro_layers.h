#pragma once

#include <string>

#include "networks/network_builder.h"

/// Layers that the chains of micro_cases repeat: each adds one to a network and returns its result.
/// Of maps ([1, channels, size, size]) first, then of sequences ([1, tokens, features]).
namespace hexquant::networks {

using Net = NetworkBuilder;
using Value = std::string;
/// One layer of a chain.
using Layer = Value (*)(Net&, const Value&);

Value conv1x1(Net& net, const Value& x);
Value conv3x3(Net& net, const Value& x);
Value conv5x5(Net& net, const Value& x);
Value conv7x7(Net& net, const Value& x);
Value grouped(Net& net, const Value& x);
Value dilated(Net& net, const Value& x);
Value depthwise3(Net& net, const Value& x);
Value depthwise5(Net& net, const Value& x);
Value strided3(Net& net, const Value& x);
Value strided1(Net& net, const Value& x);
Value strided_depthwise(Net& net, const Value& x);
Value separable(Net& net, const Value& x);
Value expand(Net& net, const Value& x);
Value residual(Net& net, const Value& x);
Value with_multiply(Net& net, const Value& x);
Value max_pool(Net& net, const Value& x);
Value halving_pool(Net& net, const Value& x);
Value average_pool(Net& net, const Value& x);
Value scaled_by_mean(Net& net, const Value& x);
Value with_sigmoid(Net& net, const Value& x);
Value with_tanh(Net& net, const Value& x);
Value with_silu(Net& net, const Value& x);
Value with_hard_swish(Net& net, const Value& x);
Value with_leaky_relu(Net& net, const Value& x);
Value with_gelu(Net& net, const Value& x);
Value with_concat(Net& net, const Value& x);
Value with_resize(Net& net, const Value& x);
Value with_linear_resize(Net& net, const Value& x);
Value with_transposed_conv(Net& net, const Value& x);
Value with_transpose(Net& net, const Value& x);
/// Channels of two groups in turn: ShuffleNet.
Value channel_shuffle(Net& net, const Value& x);
Value channel_pad(Net& net, const Value& x);
Value strided_slice(Net& net, const Value& x);
Value mean_by_axes(Net& net, const Value& x);
/// A small image through the first layers of a classifier.
Value small_image(Net& net, const Value& x);
/// A large map that comes in, a few values that leave.
Value wide_input(Net& net, const Value& x);
/// The other way round.
Value wide_output(Net& net, const Value& x);
/// Heads of keys that serve two heads of queries each.
Value repeated_heads(Net& net, const Value& x);
Value dense(Net& net, const Value& x);
Value widening(Net& net, const Value& x);
Value narrowing(Net& net, const Value& x);
Value feed_forward(Net& net, const Value& x);
Value dense_softmax(Net& net, const Value& x);
Value dense_norm(Net& net, const Value& x);
/// Two activations: x (x^T x), in heads of 64 features.
Value self_product(Net& net, const Value& x);
/// Attention with heads of 32 features, scaled scores and a mask that all heads and rows share.
Value masked_attention(Net& net, const Value& x);

}  // namespace hexquant::networks
