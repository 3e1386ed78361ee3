#pragma once

namespace hexquant::runtime {

/// True if ONNX Runtime's 8-bit kernels saturate on this processor: without VNNI instructions they
/// add pairs of uint8 x int8 products in 16 bits, so that 255 * 127 * 2 comes out as 32767.
///
/// Found once for each process by running MatMul and Conv on largest codes; takes milliseconds.
/// Where it is false, session.x64quantprecision is not needed, and costs half of the speed
/// (EfficientNet-Lite0 with VNNI: 11.8 ms an image with it, 5.1 ms without).
[[nodiscard]] bool integer_kernels_saturate();

}  // namespace hexquant::runtime
