#include <optional>
#include <utility>

#include "core/format.h"
#include "data/column.h"
#include "data/convert.h"
#include "data/image_binding.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

/// Rows that are fed as they are stored.
class StoredRows final : public BoundColumn {
 public:
  StoredRows(const ArrayRows& array, const ModelInput& input)
      : array_(array), dtype_(input.dtype), fit_(fit_row(array.row_shape(), input, array.name())) {}

  [[nodiscard]] Tensor load(std::int64_t row) const override {
    const std::string origin = format("{}[{}]", array_.name(), row);
    const Tensor tensor = convert_exactly(array_.row(row), dtype_, origin);
    check_no_nan(tensor, origin);
    return tensor.reshaped(fit_.shape);
  }
  void check(std::int64_t /*row*/) const override {}
  [[nodiscard]] bool stacks() const override { return fit_.stacks; }

 private:
  ArrayRows array_;
  DType dtype_;
  RowFit fit_;
};

/// Rows that are uint8 images [H, W, C] and go through preprocessing.
class ImageRows final : public BoundColumn {
 public:
  ImageRows(const ArrayRows& array, ImageBinding binding)
      : array_(array), binding_(std::move(binding)) {}

  [[nodiscard]] Tensor load(std::int64_t row) const override {
    const Tensor pixels = array_.row(row);
    Image image;
    image.height = pixels.shape()[0];
    image.width = pixels.shape()[1];
    image.channels = pixels.shape()[2];
    image.pixels = {std::make_shared<const Tensor>(pixels), pixels.data<std::uint8_t>().data()};
    return binding_.apply(image, format("{}[{}]", array_.name(), row));
  }
  void check(std::int64_t /*row*/) const override {}
  [[nodiscard]] bool stacks() const override { return true; }

 private:
  ArrayRows array_;
  ImageBinding binding_;
};

class ArrayColumn final : public Column {
 public:
  explicit ArrayColumn(ArrayRows array) : array_(std::move(array)) {}

  [[nodiscard]] std::int64_t rows() const override { return array_.rows(); }
  [[nodiscard]] std::string describe(std::int64_t row) const override {
    return format("{}[{}]", std::filesystem::path(array_.name()).filename().string(), row);
  }
  [[nodiscard]] std::unique_ptr<const BoundColumn> bind(const ModelInput& input,
                                                        const BindOptions& options) const override {
    if (!is_rank4_uint8()) return std::make_unique<StoredRows>(array_, input);
    const Shape& row = array_.row_shape();
    const bool channels_last = row[2] == 1 || row[2] == 3;
    if (options.preprocess == nullptr &&
        (!channels_last || (input.dtype == DType::kUInt8 && fits_as_stored(input)))) {
      return std::make_unique<StoredRows>(array_, input);
    }
    if (!channels_last || row[0] < 1 || row[1] < 1) {
      throw Error(ErrorCode::kInvalidData,
                  format("{}: shape {} of the uint8 samples cannot be preprocessed: images must be "
                         "stored as [N,H,W,3] (RGB) or [N,H,W,1]",
                         array_.name(), shape_text(row)));
    }
    return std::make_unique<ImageRows>(array_,
                                       ImageBinding(input, options.preprocess, array_.name()));
  }

 private:
  [[nodiscard]] bool is_rank4_uint8() const {
    return array_.dtype() == DType::kUInt8 && array_.row_shape().size() == 3;
  }
  [[nodiscard]] bool fits_as_stored(const ModelInput& input) const {
    Shape batched = array_.row_shape();
    batched.insert(batched.begin(), 1);
    return shape_fits(batched, input, true);
  }

  ArrayRows array_;
};

}  // namespace

std::unique_ptr<Column> make_array_column(ArrayRows array) {
  return std::make_unique<ArrayColumn>(std::move(array));
}

}  // namespace hexquant::data
