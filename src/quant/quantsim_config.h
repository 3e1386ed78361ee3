#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hexquant::quant {

/// One pair of widths in which an operation can be computed.
struct QuantsimKernel {
  int act_bits = 8;        ///< 4, 8, 16 or 32
  bool act_float = false;  ///< a float type of that width
  int param_bits = 0;      ///< 0 = any, or no parameters
  bool param_float = false;
  friend bool operator==(const QuantsimKernel&, const QuantsimKernel&) = default;
};

struct QuantsimParam {
  std::optional<bool> is_quantized;
  std::optional<bool> is_symmetric;
  friend bool operator==(const QuantsimParam&, const QuantsimParam&) = default;
};

/// Bounds of the range of an operation's output.
struct QuantsimConstraints {
  double min = 0.0;
  std::optional<double> max;
  friend bool operator==(const QuantsimConstraints&, const QuantsimConstraints&) = default;
};

/// What holds for one operation type; what is absent holds as in the defaults.
struct QuantsimOp {
  std::optional<bool> is_input_quantized;
  std::optional<bool> is_output_quantized;
  std::optional<bool> is_symmetric;
  std::optional<bool> per_channel;
  std::map<std::string, QuantsimParam> params;  ///< "weight", "bias", "running_mean" ...
  std::optional<QuantsimConstraints> constraints;
  std::vector<QuantsimKernel> kernels;
  friend bool operator==(const QuantsimOp&, const QuantsimOp&) = default;
};

/// An AIMET quantization-simulation configuration: which tensors carry a quantizer and of which
/// kind. Flags that are absent are off. Source: quantsim_config_schema.py of aimet-onnx 2.42.
struct QuantsimConfig {
  std::string origin;                           ///< file name for messages
  QuantsimOp default_op;                        ///< defaults.ops, per_channel, kernels
  QuantsimParam default_param;                  ///< defaults.params
  std::optional<bool> strict_symmetric;         ///< symmetric grids without their lowest code
  std::optional<bool> unsigned_symmetric;       ///< symmetric ranges >= 0 use all codes
  std::string hw_version;                       ///< "V75"; empty = not said
  std::map<std::string, QuantsimParam> params;  ///< by kind of parameter, for all operations
  std::map<std::string, QuantsimOp> op_types;   ///< by ONNX operation type
  std::vector<std::vector<std::string>> supergroups;
  /// Patterns found by code, by name: LayerNormalization, RMSNormalization, MatmulAdd.
  std::optional<std::vector<std::string>> supergroup_passes;
  std::optional<bool> model_input_quantized;
  std::optional<bool> model_output_quantized;
};

}  // namespace hexquant::quant
