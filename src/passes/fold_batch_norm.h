#pragma once

#include "graph/graph.h"
#include "passes/pass.h"

namespace hexquant::passes {

/// Folds BatchNormalization, and Mul, Div, Add, Sub by per-channel or scalar constants, into the
/// Conv, ConvTranspose, Gemm or MatMul beside them.
///
/// Backward, a chain behind the layer, each value with one reader:
/// ~~~
///   x -> Conv(W, b) -> BatchNormalization -> Mul -> Add -> y     y = s (W x + b) + t per channel
///   x -> Conv(s W, s b + t) -> y
/// ~~~
/// Forward, a chain before the layer, for what backward did not take:
/// ~~~
///   x -> BatchNormalization -> Conv(W, b) -> y                   y = W (s x + t) + b
///   x -> Conv(W s, b + W t) -> y
/// ~~~
/// Forward with a shift t is exact only without padding (a padded zero is not shifted), and never
/// for ConvTranspose or MatMul (no bias). There a chain of several nodes is shortened to one Add:
/// s x + t = s (x + t / s), the layer taking s. Backward, MatMul also leaves one Add. Run it after
/// the recognisers, which need the Add(3) behind a Conv.
///
/// All numbers are computed in double over the whole chain and rounded once to float. A weight or
/// bias with other readers is copied. A bias is made where there was none (`<node>_bias`). A
/// BatchNormalization that stays gets a finding; the HTP computes it as an operation of its own.
[[nodiscard]] PassReport fold_batch_norm(graph::Graph& graph);

}  // namespace hexquant::passes
