#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/array_rows.h"
#include "data/dataset.h"
#include "data/preprocess.h"

namespace hexquant::data {

/// What is the same for all columns of a dataset when they meet the model.
struct BindOptions {
  const Preprocess* preprocess = nullptr;  ///< nullptr = none given
  bool native_input_files = false;
};

/// The feeds of one model input, one row a sample, bound to that input's type and shape.
class BoundColumn {
 public:
  virtual ~BoundColumn() = default;
  /// Row `row` in the input's element type: [1, ...] along a batch axis, or the whole input.
  /// Thread-safe; fresh memory. @throws Error(kInvalidData / kIo)
  [[nodiscard]] virtual Tensor load(std::int64_t row) const = 0;
  /// Finds what can be found without reading row `row` (a missing file, a wrong size).
  /// @throws Error(kInvalidData / kIo)
  virtual void check(std::int64_t row) const = 0;
  /// True if rows have a batch axis of 1 in front, so that several make one batch.
  [[nodiscard]] virtual bool stacks() const = 0;
};

/// Data for one model input as it was found in the source, before it is known what the model wants.
class Column {
 public:
  virtual ~Column() = default;
  [[nodiscard]] virtual std::int64_t rows() const = 0;
  /// "cat.jpg", "images.npy[17]"
  [[nodiscard]] virtual std::string describe(std::int64_t row) const = 0;
  /// @throws Error(kInvalidData) when this data can never fit `input`
  [[nodiscard]] virtual std::unique_ptr<const BoundColumn> bind(
      const ModelInput& input, const BindOptions& options) const = 0;
};

/// Image files in the given order.
[[nodiscard]] std::unique_ptr<Column> make_image_column(std::vector<std::filesystem::path> files);
/// Array whose first axis counts samples. Rank-4 uint8 [N,H,W,1 or 3] is images (RGB).
[[nodiscard]] std::unique_ptr<Column> make_array_column(ArrayRows array);
/// Headerless little-endian files, one a row.
[[nodiscard]] std::unique_ptr<Column> make_raw_column(std::vector<std::filesystem::path> files);

/// How one row of data becomes (a part of) a model input.
struct RowFit {
  Shape shape;          ///< of the tensor that load() gives
  bool stacks = false;  ///< `shape` has a batch axis of 1 in front
};

/// Fits a row of shape `row` to `input`: it is one entry of the input's first axis (the batch), or
/// the whole input. @throws Error(kInvalidData) naming `origin`, both shapes and the input
[[nodiscard]] RowFit fit_row(const Shape& row, const ModelInput& input, const std::string& origin);

/// "[N,3,224,224]": free dimensions by their symbol, or '?'.
[[nodiscard]] std::string input_shape_text(const ModelInput& input);

/// True if fixed dimensions of `input` equal those of `shape` and the ranks are the same; the first
/// dimension may be anything when `any_batch`.
[[nodiscard]] bool shape_fits(const Shape& shape, const ModelInput& input, bool any_batch);

/// @throws Error(kInvalidData) if a float tensor holds NaN
void check_no_nan(const Tensor& tensor, const std::string& origin);

}  // namespace hexquant::data
