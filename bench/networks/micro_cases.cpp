#include <array>
#include <string>
#include <vector>

#include "core/format.h"
#include "networks/cases.h"
#include "networks/micro_layers.h"

namespace hexquant::networks {
namespace {

/// Input of a chain and how many layers follow.
struct Size {
  std::int64_t channels;  ///< or features of a sequence
  std::int64_t size;      ///< of a square map, or tokens
  int depth;
};

struct Chain {
  const char* kind;
  Layer layer;
  std::vector<Size> sizes;
  bool is_sequence = false;  ///< [1, tokens, features] instead of a map
  int weight_bits = 8;
  int act_bits = 8;
};

std::vector<Chain> convolution_chains() {
  return {
      {"conv1x1",
       conv1x1,
       {{8, 28, 4},
        {16, 14, 12},
        {32, 56, 2},
        {64, 28, 12},
        {96, 28, 4},
        {128, 14, 8},
        {200, 20, 5},
        {256, 28, 4},
        {512, 14, 12},
        {1024, 7, 12},
        {2048, 7, 6},
        {40, 112, 3},
        {320, 10, 1}}},
      {"conv3x3",
       conv3x3,
       {{3, 64, 2},
        {16, 28, 8},
        {32, 56, 4},
        {48, 28, 6},
        {64, 28, 12},
        {96, 28, 3},
        {128, 14, 8},
        {128, 56, 3},
        {256, 28, 4},
        {256, 7, 12},
        {512, 7, 6},
        {64, 112, 2},
        {24, 100, 5},
        {160, 20, 1}}},
      {"conv5x5", conv5x5, {{32, 28, 4}, {64, 14, 8}, {128, 28, 2}, {16, 56, 3}}},
      {"conv7x7", conv7x7, {{32, 28, 4}, {64, 14, 4}, {128, 14, 2}, {16, 56, 2}}},
      {"grouped", grouped, {{64, 28, 4}, {128, 28, 4}, {256, 14, 6}, {128, 14, 1}}},
      {"dilated", dilated, {{32, 28, 4}, {64, 28, 6}, {128, 14, 4}, {128, 28, 2}}},
      {"depthwise3",
       depthwise3,
       {{32, 28, 12},
        {64, 56, 4},
        {96, 28, 6},
        {128, 28, 4},
        {256, 28, 4},
        {384, 14, 8},
        {960, 7, 6},
        {32, 112, 2},
        {144, 56, 2},
        {40, 20, 1}}},
      {"depthwise5",
       depthwise5,
       {{32, 28, 6}, {120, 28, 4}, {240, 14, 6}, {672, 7, 4}, {64, 56, 2}}},
      {"strided3", strided3, {{3, 224, 1}, {16, 112, 3}, {64, 56, 3}, {128, 28, 2}, {32, 28, 1}}},
      {"strided1", strided1, {{64, 56, 3}, {256, 28, 2}, {32, 28, 1}}},
      {"strided_depthwise",
       strided_depthwise,
       {{32, 112, 3}, {96, 112, 1}, {144, 56, 2}, {240, 28, 2}, {576, 14, 1}}},
      {"separable",
       separable,
       {{32, 56, 4}, {64, 56, 6}, {128, 28, 6}, {256, 14, 8}, {512, 14, 6}, {96, 28, 1}}},
      {"expand", expand, {{32, 56, 3}, {64, 28, 6}, {128, 14, 6}, {256, 7, 6}, {24, 28, 2}}}};
}

std::vector<Chain> vector_chains() {
  return {
      {"residual", residual, {{32, 56, 4}, {64, 28, 6}, {128, 28, 4}, {256, 14, 4}, {16, 28, 3}}},
      {"multiply", with_multiply, {{32, 56, 3}, {128, 28, 4}, {256, 14, 4}}},
      {"max_pool", max_pool, {{32, 56, 3}, {64, 28, 4}, {128, 28, 2}, {256, 14, 3}}},
      {"halving_pool", halving_pool, {{32, 56, 2}, {64, 56, 3}, {128, 28, 2}}},
      {"average_pool", average_pool, {{32, 56, 3}, {64, 28, 4}, {128, 28, 2}}},
      {"mean", scaled_by_mean, {{32, 56, 3}, {128, 28, 3}, {256, 14, 4}, {512, 7, 3}}},
      {"sigmoid", with_sigmoid, {{32, 56, 3}, {128, 28, 4}, {256, 28, 2}}},
      {"tanh", with_tanh, {{64, 28, 3}, {128, 28, 2}}},
      {"silu", with_silu, {{32, 56, 3}, {128, 28, 4}, {64, 80, 2}}},
      {"hard_swish", with_hard_swish, {{32, 56, 3}, {128, 28, 4}, {256, 14, 4}}},
      {"leaky_relu", with_leaky_relu, {{32, 56, 3}, {128, 28, 4}, {64, 80, 2}}},
      {"gelu", with_gelu, {{64, 28, 3}, {256, 14, 3}}},
      {"concat", with_concat, {{32, 56, 3}, {128, 28, 4}, {96, 28, 3}, {256, 14, 3}}},
      {"resize", with_resize, {{32, 56, 2}, {128, 28, 3}, {64, 40, 2}}},
      {"linear_resize", with_linear_resize, {{32, 56, 2}, {128, 28, 2}}},
      {"transposed_conv", with_transposed_conv, {{32, 56, 2}, {64, 28, 3}, {128, 28, 2}}},
      {"transpose", with_transpose, {{32, 56, 2}, {128, 28, 2}, {64, 28, 3}}}};
}

std::vector<Chain> sequence_chains() {
  return {
      {"dense",
       dense,
       {{256, 1, 4},
        {1024, 1, 6},
        {256, 64, 8},
        {384, 128, 4},
        {768, 128, 3},
        {1024, 16, 4},
        {100, 50, 3}},
       true},
      {"feed_forward",
       feed_forward,
       {{128, 64, 3}, {256, 128, 3}, {384, 197, 2}, {512, 32, 3}},
       true},
      {"softmax", dense_softmax, {{128, 128, 3}, {256, 64, 4}, {384, 196, 2}}, true},
      {"layer_norm", dense_norm, {{128, 128, 3}, {256, 64, 4}, {384, 196, 2}, {768, 32, 3}}, true},
      {"attention",
       self_product,
       {{128, 64, 2}, {256, 128, 2}, {192, 196, 2}, {384, 64, 3}},
       true}};
}

/// Data that is only moved, one axis at a time. Behind all others: their place in the list says
/// which of those are kept out.
std::vector<Chain> mover_chains() {
  return {{"channel_shuffle",
           channel_shuffle,
           {{116, 40, 1}, {232, 20, 1}, {464, 10, 1}, {64, 28, 2}, {128, 28, 2}, {256, 14, 2}}},
          {"channel_pad", channel_pad, {{16, 16, 1}, {32, 8, 1}, {32, 28, 1}, {64, 14, 1}}},
          {"strided_slice", strided_slice, {{16, 32, 1}, {32, 16, 1}, {64, 56, 1}, {64, 28, 1}}},
          {"mean_by_axes", mean_by_axes, {{1280, 7, 1}, {512, 7, 1}, {256, 14, 1}, {64, 28, 1}}},
          {"small_image", small_image, {{3, 32, 1}, {1, 32, 1}, {3, 48, 1}, {3, 96, 1}}},
          {"repeated_heads",
           repeated_heads,
           {{64, 64, 1}, {64, 128, 1}, {128, 64, 1}, {32, 256, 1}},
           true,
           8,
           16}};
}

/// Borders of all sizes, and more sizes of what only a few cases show. Behind all others too.
std::vector<Chain> further_sizes() {
  return {
      {"wide_input",
       wide_input,
       {{96, 112, 1},
        {64, 112, 1},
        {128, 80, 1},
        {320, 40, 1},
        {512, 28, 1},
        {48, 56, 1},
        {256, 56, 1},
        {24, 160, 1},
        {40, 64, 1},
        {192, 96, 1}}},
      {"wide_output",
       wide_output,
       {{8, 56, 1},
        {8, 112, 1},
        {16, 56, 1},
        {16, 28, 1},
        {32, 28, 1},
        {32, 14, 1},
        {64, 7, 1},
        {8, 80, 1},
        {24, 20, 1},
        {5, 40, 1}}},
      {"wide_output_a16",
       wide_output,
       {{8, 56, 1}, {16, 28, 1}, {32, 14, 1}, {8, 80, 1}, {64, 7, 1}},
       false,
       8,
       16},
      {"layer_norm",
       dense_norm,
       {{192, 64, 1}, {768, 128, 1}, {512, 50, 1}, {256, 196, 1}, {192, 197, 2}},
       true},
      {"layer_norm_a16",
       dense_norm,
       {{128, 128, 2}, {384, 64, 2}, {768, 64, 1}, {512, 196, 1}, {192, 197, 1}, {256, 100, 1}},
       true,
       8,
       16},
      {"softmax", dense_softmax, {{128, 64, 1}, {512, 128, 1}, {196, 196, 1}, {64, 256, 1}}, true},
      {"softmax_a16", dense_softmax, {{256, 256, 1}, {197, 197, 1}, {64, 128, 1}}, true, 8, 16},
      {"attention",
       self_product,
       {{192, 64, 1}, {256, 196, 1}, {192, 197, 1}, {512, 128, 1}},
       true},
      {"attention_a16", self_product, {{192, 196, 1}, {384, 128, 1}, {256, 50, 1}}, true, 8, 16},
      {"feed_forward_a16",
       feed_forward,
       {{128, 64, 1}, {256, 128, 1}, {192, 196, 1}, {512, 64, 1}},
       true,
       8,
       16},
      {"channel_shuffle",
       channel_shuffle,
       {{116, 20, 1}, {232, 40, 1}, {96, 28, 1}, {232, 14, 1}, {128, 56, 1}, {64, 20, 1}}}};
}

/// Weights of 16 bits, and what transformers add to their matrix products. Behind all others too.
std::vector<Chain> wide_weights() {
  const std::vector<Size> attentions = {{256, 64, 1},  {512, 64, 1}, {192, 128, 1}, {256, 128, 1},
                                        {384, 96, 1},  {128, 64, 2}, {384, 64, 1},  {320, 64, 1},
                                        {384, 128, 1}, {192, 64, 1}};
  return {
      {"dense_w16", dense, {{256, 64, 2}, {384, 128, 1}, {768, 64, 1}, {256, 50, 1}}, true, 16, 16},
      {"feed_forward_w16",
       feed_forward,
       {{128, 64, 1}, {256, 128, 1}, {384, 64, 1}, {192, 196, 1}, {512, 32, 1}},
       true,
       16,
       16},
      {"widening_w16", widening, {{128, 64, 1}, {384, 64, 1}, {192, 196, 1}}, true, 16, 16},
      {"narrowing_w16", narrowing, {{512, 64, 1}, {1536, 64, 1}, {768, 196, 1}}, true, 16, 16},
      {"conv1x1_w16", conv1x1, {{64, 28, 2}, {256, 14, 2}, {128, 28, 1}}, false, 16, 16},
      {"conv3x3_w16", conv3x3, {{32, 28, 2}, {64, 28, 2}, {128, 14, 1}}, false, 16, 16},
      {"depthwise3_w16", depthwise3, {{64, 28, 2}, {128, 14, 1}, {32, 56, 1}}, false, 16, 16},
      {"masked_attention", masked_attention, attentions, true},
      {"masked_attention_a16", masked_attention, attentions, true, 8, 16}};
}

/// Other widths.
std::vector<Chain> other_widths() {
  return {
      {"conv1x1_w4", conv1x1, {{256, 28, 4}, {1024, 7, 12}, {512, 14, 6}}, false, 4, 8},
      {"dense_w4", dense, {{1024, 16, 4}, {768, 128, 3}}, true, 4, 8},
      {"conv1x1_a16",
       conv1x1,
       {{64, 28, 8}, {256, 28, 4}, {512, 14, 6}, {1024, 7, 12}, {32, 56, 4}},
       false,
       8,
       16},
      {"conv1x1_w4a16", conv1x1, {{256, 28, 4}, {1024, 7, 8}}, false, 4, 16},
      {"conv3x3_a16",
       conv3x3,
       {{32, 56, 4}, {64, 28, 8}, {128, 28, 4}, {256, 14, 4}},
       false,
       8,
       16},
      {"depthwise3_a16", depthwise3, {{32, 56, 4}, {128, 28, 6}, {384, 14, 6}}, false, 8, 16},
      {"separable_a16", separable, {{64, 56, 4}, {128, 28, 6}, {256, 14, 6}}, false, 8, 16},
      {"residual_a16", residual, {{64, 28, 4}, {128, 28, 3}}, false, 8, 16},
      {"strided3_a16", strided3, {{16, 112, 3}, {64, 56, 2}}, false, 8, 16},
      {"pool_a16", max_pool, {{64, 28, 3}, {128, 28, 2}}, false, 8, 16},
      {"concat_a16", with_concat, {{64, 28, 3}, {128, 28, 2}}, false, 8, 16},
      {"sigmoid_a16", with_sigmoid, {{64, 28, 3}, {128, 28, 2}}, false, 8, 16},
      {"dense_a16", dense, {{256, 64, 6}, {768, 128, 3}, {1024, 1, 4}}, true, 8, 16},
      {"layer_norm_a16", dense_norm, {{256, 64, 4}, {384, 196, 2}}, true, 8, 16},
      {"softmax_a16", dense_softmax, {{128, 128, 3}, {384, 64, 3}}, true, 8, 16},
      {"attention_a16", self_product, {{128, 64, 2}, {256, 128, 2}, {384, 64, 2}}, true, 8, 16},
      {"feed_forward_a16", feed_forward, {{256, 64, 3}, {384, 128, 2}}, true, 8, 16},
  };
}

std::vector<Chain> chains() {
  std::vector<Chain> all;
  for (auto* list : {convolution_chains, vector_chains, sequence_chains, other_widths}) {
    const std::vector<Chain> more = list();
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

graph::Graph make_chain(const Chain& chain, const Size& size) {
  Net net(7);
  Value x = net.input("input", chain.is_sequence ? Shape{1, size.size, size.channels}
                                                 : Shape{1, size.channels, size.size, size.size});
  for (int i = 0; i < size.depth; ++i) x = chain.layer(net, x);
  net.output(x);
  return net.graph();
}

Case chain_case(const Chain& chain, const Size& size) {
  Case item;
  item.kind = chain.kind;
  item.name = format("{}_c{}_s{}_n{}", chain.kind, size.channels, size.size, size.depth);
  item.plan.weight_bits = chain.weight_bits;
  item.plan.act_bits = chain.act_bits;
  item.make = [chain, size] { return make_chain(chain, size); };
  return item;
}

void add_chains(const std::vector<Chain>& chains, std::vector<Case>& cases) {
  for (const Chain& chain : chains) {
    for (const Size& size : chain.sizes) cases.push_back(chain_case(chain, size));
  }
}

/// Operations of one type with 8 and 16 bits in turn: a conversion between any two.
Case mixed_case(const Chain& chain, const Size& size, const char* op) {
  Case item = chain_case(chain, size);
  const graph::Graph graph = item.make();
  bool wide = false;
  for (const graph::Node& node : graph.nodes()) {
    if (!node.is(op)) continue;
    if (wide) item.plan.layer_bits.push_back({node.name(), 0, 16});
    wide = !wide;
  }
  return item;
}

/// Rows of a table that indices pick, behind them a layer.
Case embedding_case(std::int64_t rows, std::int64_t features, std::int64_t tokens, int act_bits) {
  Case item;
  item.kind = act_bits > 8 ? "embedding_a16" : "embedding";
  item.name = format("{}_r{}_c{}_s{}", item.kind, rows, features, tokens);
  item.plan.act_bits = act_bits;
  item.make = [rows, features, tokens] {
    Net net(7);
    const Value indices = net.index_input("indices", {1, tokens});
    net.output(dense(net, net.embedding(indices, rows, features)));
    return net.graph();
  };
  return item;
}

void add_further_cases(std::vector<Case>& cases) {
  for (const Size& size : {Size{256, 64, 4}, Size{384, 128, 2}, Size{512, 50, 2}}) {
    cases.push_back(mixed_case({"mixed_dense", dense, {}, true}, size, "MatMul"));
  }
  for (const Size& size : {Size{256, 64, 2}, Size{128, 128, 2}, Size{512, 64, 2}}) {
    cases.push_back(mixed_case({"mixed_softmax", masked_attention, {}, true}, size, "Softmax"));
  }
  for (const int act_bits : {8, 16}) {
    for (const std::int64_t rows : {500, 2000, 8000}) {
      cases.push_back(embedding_case(rows, 256, 64, act_bits));
    }
    cases.push_back(embedding_case(4000, 64, 128, act_bits));
    cases.push_back(embedding_case(1000, 768, 32, act_bits));
    cases.push_back(embedding_case(20000, 128, 16, act_bits));
  }
  cases.push_back(embedding_case(3000, 512, 64, 16));
}

}  // namespace

std::vector<Case> micro_cases() {
  std::vector<Case> cases;
  add_chains(chains(), cases);
  for (const Size& size : {Size{64, 28, 6}, Size{128, 28, 4}, Size{32, 56, 4}}) {
    cases.push_back(mixed_case({"mixed_8_16", conv1x1, {}}, size, "Conv"));
  }
  for (auto* list : {mover_chains, further_sizes, wide_weights}) add_chains(list(), cases);
  add_further_cases(cases);
  // Deterministic and independent of the kind: every third is kept out, every other one has
  // uint8 inputs and outputs.
  for (std::size_t i = 0; i < cases.size(); ++i) {
    cases[i].kept_out = i % 3 == 1;
    cases[i].io_on_device = i % 2 == 0;
  }
  return cases;
}

}  // namespace hexquant::networks
