#pragma once

#include <cstdint>

/// A metric in a shared object (`--metric so:FILE`), for what no built-in metric scores: boxes of a
/// detector, the text of an OCR pipeline.
///
/// The object exports the four functions below with C linkage. For every scored model it is loaded
/// into a process of its own, which may crash or hang without harm, and called in this order:
///
///   hexquant_metric_abi()                      is it of this version?
///   hexquant_metric_begin(labels, items)       once
///   hexquant_metric_add(state, i, outputs, n)  for each item i = 0 ... items - 1 of the data
///   hexquant_metric_end(state, &value)         once, also after a failing add; frees the state
///
///   extern "C" std::int32_t hexquant_metric_abi() { return hexquant::metric_plugin::kAbiVersion; }
///
/// Everything runs in one thread. A function that fails says why on standard error, in its last
/// line, and returns null or a number other than 0. docs/methods/metrics.md has an example. The
/// structures hold only what C has too; a plug-in in another language declares them itself.
namespace hexquant::metric_plugin {

/// Version of this interface; changed with every change of what stands below.
inline constexpr std::int32_t kAbiVersion = 1;

/// One output of the model for one item; valid during the call only.
struct Output {
  const char* name;           ///< of the model's output, zero-terminated
  std::int32_t element_type;  ///< as onnx.TensorProto.DataType: 1 float32, 6 int32, 7 int64, ...
  std::int32_t rank;          ///< number of dimensions
  const std::int64_t* shape;  ///< [rank], outermost first; the batch of the item included
  const void* data;           ///< elements, row-major
};

/// `hexquant_metric_abi`: @return kAbiVersion
using AbiFunction = std::int32_t();
/// `hexquant_metric_begin`: @param labels  path given as --labels, "" without one
/// @return state that the other functions are given; null = failed
using BeginFunction = void*(const char* labels, std::int64_t items);
/// `hexquant_metric_add`: @return 0 = done
using AddFunction = std::int32_t(void* state, std::int64_t item, const Output* outputs,
                                 std::int32_t count);
/// `hexquant_metric_end`: @param value  gets the metric: finite, higher being better
/// @return 0 = done
using EndFunction = std::int32_t(void* state, double* value);

}  // namespace hexquant::metric_plugin
