#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "hexquant/tensor.h"

namespace hexquant::data {

/// What a model wants to be fed: one entry for each graph input.
struct ModelInput {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<graph::Dim> shape;
};

/// Feeds of one sample by input name, batch dimension included ([1, ...] for a free batch).
using Sample = std::map<std::string, Tensor>;

/// Samples in a fixed order. `load` is thread-safe and depends on the index only.
class Dataset {
 public:
  virtual ~Dataset() = default;
  [[nodiscard]] virtual std::int64_t size() const = 0;
  /// @throws Error(kInvalidData / kIo) naming the file and what was expected
  [[nodiscard]] virtual Sample load(std::int64_t index) const = 0;
  /// Where sample `index` comes from, for messages ("cat.jpg", "images.npy[17]").
  [[nodiscard]] virtual std::string describe(std::int64_t index) const = 0;
};

enum class Sampling { kFirst, kEven, kRandom };

/// Where data comes from and which of it is used (design: options --data, --samples, --sampling,
/// --skip, --preprocess, --seed).
struct DataOptions {
  /// Folder of images, labels.csv, QNN input list, .npy, .npz, or "name:=file" entries (one each).
  std::vector<std::string> sources;
  std::filesystem::path preprocess;  ///< JSON file; empty = none given
  std::int64_t samples = 256;        ///< at most; 0 = all
  std::int64_t skip = 0;             ///< leading samples left out before anything else
  Sampling sampling = Sampling::kFirst;
  std::uint64_t seed = 0;
  bool native_input_files = false;  ///< raw files hold the model's own types, not float32
};

/// Opens the data, checks it against the model's inputs and applies the selection.
/// @throws Error(kInvalidData) on zero samples, unknown inputs, shapes that do not fit
[[nodiscard]] std::unique_ptr<Dataset> open_dataset(const DataOptions& options,
                                                    const std::vector<ModelInput>& inputs);

/// Class indices for the samples of the same DataOptions selection, in dataset order.
/// @param labels  integer .npy [N], labels.csv, or text with one integer a line; empty = take them
///                from a labels.csv that is (or lies in) the data source
/// @throws Error(kInvalidData) when their number does not fit the data, or a label is negative
[[nodiscard]] std::vector<std::int64_t> read_labels(const std::filesystem::path& labels,
                                                    const DataOptions& options);

}  // namespace hexquant::data
