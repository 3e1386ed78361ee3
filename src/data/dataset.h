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

/// A number made of every value of a sample: equal samples have equal ones.
[[nodiscard]] std::uint64_t sample_digest(const Sample& sample);

/// Samples in a fixed order. `load` is thread-safe and depends on the index only.
class Dataset {
 public:
  virtual ~Dataset() = default;
  /// Number of things that `load` gives. With a fixed batch of the model, each is a whole batch of
  /// consecutive samples, and an incomplete batch at the end is left out.
  [[nodiscard]] virtual std::int64_t size() const = 0;
  /// Samples in each item: the model's fixed batch, else 1.
  [[nodiscard]] virtual std::int64_t batch_size() const { return 1; }
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
  /// JSON file, or the JSON text itself (begins with '{'); empty = none given. Images need it.
  std::filesystem::path preprocess;
  std::int64_t samples = 256;  ///< at most; 0 = all
  std::int64_t skip = 0;       ///< leading samples left out before anything else
  Sampling sampling = Sampling::kFirst;
  std::uint64_t seed = 0;
  bool native_input_files = false;  ///< raw files hold the model's own types, not float32
};

/// Opens the data, checks it against the model's inputs and applies the selection.
/// @throws Error(kInvalidData) on zero samples, unknown inputs, shapes that do not fit
[[nodiscard]] std::unique_ptr<Dataset> open_dataset(const DataOptions& options,
                                                    const std::vector<ModelInput>& inputs);

/// Class indices for the samples of the same DataOptions selection, in dataset order: label i
/// belongs to row i % batch_size() of item i / batch_size(). For image files, a labels.csv is
/// matched by path, so it may cover more files and stand in another order.
/// @param labels  integer .npy [N], labels.csv, or text with one integer a line; empty = take them
///                from a labels.csv that is (or lies in) the data source
/// @throws Error(kInvalidData) when their number does not fit the data, or a label is negative
[[nodiscard]] std::vector<std::int64_t> read_labels(const std::filesystem::path& labels,
                                                    const DataOptions& options);

/// True if the data source brings a label for every sample (a labels.csv).
[[nodiscard]] bool has_labels(const DataOptions& options);

/// @throws Error(kInvalidData) naming the first label outside [0, classes)
void check_labels(const std::vector<std::int64_t>& labels, std::int64_t classes);

}  // namespace hexquant::data
