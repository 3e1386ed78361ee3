#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "graph/graph.h"
#include "hexquant/finding.h"
#include "hexquant/progress.h"
#include "qat/batch_norm.h"
#include "quant/quant_plan.h"

// Quantization-aware training, seen from outside: no type of LibTorch. The code behind it is in a
// library of its own, which train() of pipeline/qat_job.h loads.
namespace hexquant::qat {

/// What the network is trained towards.
enum class Loss {
  kCrossEntropy,  ///< the labels
  kDistillation,  ///< the float model's outputs; needs no labels
  kBoth           ///< (1 - distillation_weight) and distillation_weight of them
};

/// How outputs are compared with the float model's.
enum class Distance {
  kKl,  ///< KL(teacher || student) of the softmax along the last axis, mean over rows, in nats
  kMse  ///< sum of (student - teacher)^2 over that of (teacher - its mean)^2, mean over outputs
};

enum class OptimizerKind {
  kSgd,  ///< with momentum; weight decay added to the gradient, as in torch.optim.SGD
  kAdam  ///< decoupled weight decay (AdamW, Loshchilov and Hutter, arXiv:1711.05101)
};

/// Learning rate over the steps t of T.
enum class Schedule {
  kConstant,
  kCosine,  ///< rate (1 + cos(pi t / T)) / 2
  kStep     ///< rate, a tenth of it from T/2 on, a hundredth from 3T/4 on
};

struct TrainOptions {
  Loss loss = Loss::kCrossEntropy;
  Distance distance = Distance::kKl;
  double distillation_weight = 0.5;  ///< kBoth, 0 ... 1
  double block_loss = 0.0;           ///< weight of kMse at the outputs of blocks, >= 0
  OptimizerKind optimizer = OptimizerKind::kSgd;
  double learning_rate = 1e-3;
  double range_rate = 0.1;  ///< learning rate of scales and ranges over that of the weights
  double momentum = 0.9;    ///< kSgd
  double weight_decay = 1e-4;
  double trust = 1e-3;         ///< see Optimizer; 0 = no limit
  double clip_gradient = 0.0;  ///< largest Euclidean norm of all gradients; 0 = no limit
  Schedule schedule = Schedule::kConstant;
  std::int64_t epochs = 10;
  std::int64_t batch_size = 64;
  std::int64_t max_steps = 0;  ///< of all epochs together; 0 = no limit
  std::int64_t patience = 0;   ///< ends after so many epochs without improvement; 0 = never
  double max_seconds = 0.0;    ///< ends the epoch that runs; 0 = no limit
  data::Augmentation augmentation;
  std::uint64_t seed = 0;
  NormMode norm_mode = NormMode::kFolded;
  std::int64_t statistics_batches = 100;  ///< NormMode::kKept: to estimate statistics with
  int narrow_weight_bits = 4;  ///< 2: weights with int4 encodings use the codes -2 ... 1 alone
};

/// What is known of an epoch when it ended. Epoch 0 is the model before training.
struct EpochRow {
  std::int64_t epoch = 0;
  std::int64_t steps = 0;      ///< of this epoch
  double loss = 0.0;           ///< mean over its steps; NaN for epoch 0
  double value = 0.0;          ///< of the validation metric
  double learning_rate = 0.0;  ///< of its last step
  double samples_per_s = 0.0;  ///< while training, without validation
  double seconds = 0.0;        ///< training and validation
  bool is_best = false;        ///< better than every epoch before
};

/// Everything that training needs. Pointers are to things that outlive the call.
struct TrainRequest {
  const graph::Graph* teacher = nullptr;  ///< prepared float model
  const graph::Graph* start = nullptr;    ///< the same graph with the weights to begin with
  const quant::QuantPlan* plan = nullptr;
  const quant::EncodingTable* encodings = nullptr;  ///< of everything in the plan but the biases

  std::vector<BatchNorm> norms;  ///< BatchNormalizations that were folded into the graph

  const data::Dataset* data = nullptr;
  std::vector<data::ModelInput> inputs;
  std::vector<std::int64_t> labels;  ///< one a sample, see data::read_labels; empty = none
  TrainOptions options;

  /// Metric of a candidate: weights on their grids and float biases, with their encodings.
  std::function<double(const graph::Graph&, const quant::EncodingTable&)> validate;
  bool higher_is_better = true;

  /// Where the state is kept; an existing file is gone on from. Empty = nowhere.
  std::filesystem::path checkpoint;
  double checkpoint_seconds = 60.0;  ///< between two writings within an epoch
  std::string digest;                ///< of model, data and options: a state of another is refused
  int threads = 1;
  std::function<void(const EpochRow&)> on_epoch;  ///< also for those that a checkpoint brings
  ProgressSink* progress = nullptr;
};

struct TrainResult {
  graph::Graph weights;            ///< of the best epoch: on their grids, biases float
  quant::EncodingTable encodings;  ///< of the best epoch, biases left out
  std::vector<EpochRow> curve;
  std::int64_t best_epoch = 0;
  std::int64_t resumed_step = 0;  ///< step at which a checkpoint was taken up; 0 = from the start
  std::int64_t parameters = 0;    ///< elements that were trained
  std::int64_t ranges = 0;        ///< scales and limits among them
  std::string stopped;            ///< why it ended before the last step; empty when it did not
  Findings findings;
};

/// Trains and returns the best epoch by the validation metric (epoch 0, the start, included).
///
/// Results are equal bit for bit for the same request and number of threads, also when the run was
/// interrupted and taken up again from its checkpoint. A loss that is no number ends the training;
/// the best epoch until then is the result.
/// @throws Error(kUnsupported) naming every node that cannot be trained; Error(kInvalidArgument)
///         when labels are needed and absent; Error(kInvalidData) for a checkpoint of another run;
///         Error(kCancelled) with the state saved
using TrainFunction = TrainResult (*)(const TrainRequest& request);

/// Name of the entry point in the library `hexquant_qat`, a TrainFunction.
inline constexpr const char* kTrainSymbol = "hexquant_train";

}  // namespace hexquant::qat
