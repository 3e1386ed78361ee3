#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hexquant/tensor.h"

namespace hexquant {

/// Where samples come from and which are used.
struct DataRecipe {
  /// Image folder, labels.csv, QNN input list, .npy, .npz, or "name:=file" entries.
  std::vector<std::string> sources;
  std::string preprocess;           ///< JSON file, or JSON text from '{' on; needed for images
  std::int64_t samples = 256;       ///< at most; 0 = all
  std::int64_t skip = 0;            ///< leading samples left out
  std::string sampling = "first";   ///< first | even | random
  bool native_input_files = false;  ///< raw files hold the model's own types, not float32

  /// A recipe that uses every sample.
  static DataRecipe all_samples() {
    DataRecipe data;
    data.samples = 0;
    return data;
  }
};

/// How the result is scored. Disabled: SQNR of the outputs over at most 8 calibration samples.
struct EvaluationRecipe {
  bool enabled = false;
  DataRecipe data = DataRecipe::all_samples();  ///< no sources: the calibration data
  std::string labels;  ///< .npy, labels.csv or text; may be empty when the data carries labels
  /// top1 | top5 | cosine | sqnr | spearman-pairs | perplexity | exec:PROGRAM | so:FILE; empty =
  /// top1 when labels are known, else sqnr
  std::string metric;
  std::string data_b;   ///< second element of each pair (spearman-pairs)
  std::string lengths;  ///< valid length of each row (perplexity)
};

/// Quantization-aware training behind the quantization that the rest of the recipe describes. The
/// defaults are the usual setting for fine-tuning a classifier: SGD, 10 epochs.
struct TrainingRecipe {
  bool enabled = false;
  /// Folder with a quantized model whose weights and encodings it starts from, and whose recipe
  /// the rest of this one repeats; empty = the model is quantized first.
  std::string start;
  DataRecipe data = DataRecipe::all_samples();  ///< empty preprocess: the calibration data's
  std::string labels;  ///< of the training samples: .npy, labels.csv or text
  /// cross-entropy (with labels) | distillation (from the float model, without labels) | both;
  /// auto = cross-entropy where labels are known, else distillation
  std::string loss = "auto";
  /// How outputs are compared in distillation: kl | mse; auto = kl where the metric reads classes
  std::string distance = "auto";
  double distillation_weight = 0.5;  ///< of both: (1 - w) cross-entropy + w distillation
  double block_loss = 0.0;           ///< weight of the relative error at the outputs of blocks
  /// BatchNormalization: folded | frozen (gamma and beta trained) | kept (also batch statistics)
  std::string batch_norm = "folded";
  std::string optimizer = "sgd";  ///< sgd | adam
  double learning_rate = 1e-3;
  double range_rate = 0.1;  ///< learning rate of scales and ranges, as a multiple of learning_rate
  double momentum = 0.9;    ///< sgd
  double weight_decay = 1e-4;
  double trust = 1e-3;                ///< largest step of a tensor over its norm; 0 = no limit
  double clip_gradient = 0.0;         ///< largest norm of all gradients together; 0 = no limit
  std::string schedule = "constant";  ///< constant | cosine | step
  std::int64_t epochs = 10;
  std::int64_t batch_size = 64;
  std::int64_t max_steps = 0;  ///< of all epochs together; 0 = no limit
  std::int64_t patience = 0;   ///< epochs without improvement before it ends; 0 = all
  double max_seconds = 0.0;    ///< of training; 0 = no limit
  /// Calibrated with when the recipe names no data; statistics of a kept batch_norm are theirs.
  std::int64_t calibration_batches = 100;
  std::vector<std::string> augmentation;  ///< flip | crop:N
};

/// Everything `hexquant quantize` does, as data. Stored as recipe.json beside the result; running
/// it again gives the same bytes.
struct Recipe {
  std::string model;
  DataRecipe data;
  std::map<std::string, Shape> input_shapes;  ///< fixed input shapes; others keep free dimensions
  int weight_bits = 8;                        ///< 4 | 8 | 16
  bool weight_bits_everywhere = false;        ///< 4 bits also where the HTP gains nothing from them
  int act_bits = 8;                           ///< 8 | 16
  int bias_bits = 32;                         ///< 32 | 8
  std::string granularity = "channel";        ///< tensor | channel | group:N
  /// Scales of 4-bit groups: float, or lpbq = integers 1..16 times a float for each channel.
  std::string block_scale = "float";
  /// How groups are written in model.onnx: qdq (DequantizeLinear with block_size) | matmulnbits
  std::string group_format = "qdq";
  /// symmetric: -128..127; strict: -127..127; asymmetric
  std::string weight_schema = "symmetric";
  std::string observer = "mse";  ///< min-max | percentile | mse | entropy | sqnr
  double percentile = 99.99;     ///< for the percentile observer
  /// cle | clip-search | bias-correction | gptq | adaptive-rounding (alias adaround)
  std::vector<std::string> algorithms;
  /// Whose inputs the weights are rounded for: one-pass (the float model's) | sequential (the
  /// quantized prefix's) | block (and for what follows the layer) | auto
  std::string rounding_mode = "auto";
  std::vector<std::string> keep_float;  ///< node-name patterns with '*', or op:TYPE
  /// Widths of single layers, later ones win: PATTERN=8, =a16 or =w8a16; see keep_float for PATTERN
  std::vector<std::string> layer_bits;
  /// JSON file with what single tensors are to be: QNN overrides, AIMET encodings, or the short
  /// form
  std::string overrides;
  bool allow_unmatched_overrides = false;  ///< names without a tensor are findings, not an error
  std::string config;  ///< AIMET quantsim configuration, JSON file; empty = the target's rules
  std::string soc = "SM8650";
  std::string encodings_version = "1.0.0";
  EvaluationRecipe evaluation;
  TrainingRecipe training;
  std::string prefix = "model";  ///< of the result files: PREFIX.onnx, PREFIX.encodings, ...
  std::string output;            ///< folder of the results
  std::uint64_t seed = 0;
};

}  // namespace hexquant
