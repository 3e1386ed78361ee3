#include <cstring>
#include <optional>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "data/column.h"
#include "data/convert.h"
#include "data/npy.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

std::uintmax_t file_bytes(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size_bytes = std::filesystem::file_size(path, error);
  if (error) {
    throw Error(ErrorCode::kIo, format("cannot read '{}': {}", path.string(), error.message()));
  }
  return size_bytes;
}

/// Shape of the tensor in a raw file of `elements` elements: a free batch is 1, and one further
/// free dimension follows from the size. @throws Error when the shape cannot be known
Shape shape_for(const ModelInput& input, std::uintmax_t elements, const std::string& origin) {
  Shape shape;
  std::optional<std::size_t> free_axis;
  std::int64_t known = 1;
  for (std::size_t axis = 0; axis < input.shape.size(); ++axis) {
    const graph::Dim& dim = input.shape[axis];
    shape.push_back(dim.is_fixed() ? dim.value : 1);
    known *= shape.back();
    if (dim.is_fixed() || axis == 0) continue;
    if (free_axis) {
      throw Error(ErrorCode::kInvalidData,
                  format("{}: a raw file has no shape, and the model input '{}' has more than one "
                         "free dimension {}: fix them with --input-shape",
                         origin, input.name, input_shape_text(input)));
    }
    free_axis = axis;
  }
  if (free_axis && known > 0) {
    shape[*free_axis] = static_cast<std::int64_t>(elements) / known;
  }
  return shape;
}

class RawFiles final : public BoundColumn {
 public:
  RawFiles(const std::vector<std::filesystem::path>& files, const ModelInput& input, bool native)
      : files_(files), input_(input), stored_(native ? input.dtype : DType::kFloat32) {
    if (dtype_bits(stored_) < 8) {
      throw Error(ErrorCode::kUnsupported,
                  format("model input '{}' is {}: raw files cannot feed it", input.name,
                         dtype_name(stored_)));
    }
    // A fixed batch is stacked from single samples unless the files hold whole batches.
    if (!input.shape.empty()) {
      Shape whole = shape_of(files_.front());
      const bool batched = whole[0] > 1 && bytes_of(whole) == file_bytes(files_.front());
      stacks_ = !batched;
    }
  }

  [[nodiscard]] Tensor load(std::int64_t row) const override {
    const std::filesystem::path& file = files_.at(static_cast<std::size_t>(row));
    const Shape shape = checked_shape(file);
    const std::string bytes = read_file(file);
    Tensor tensor(stored_, shape);
    if (bytes.size() != tensor.bytes()) fail_size(file, bytes.size(), shape);
    if (!bytes.empty()) std::memcpy(tensor.mutable_raw(), bytes.data(), bytes.size());
    check_bools(tensor, file.string());
    check_no_nan(tensor, file.string());
    return convert_exactly(tensor, input_.dtype, file.string());
  }
  void check(std::int64_t row) const override {
    static_cast<void>(checked_shape(files_.at(static_cast<std::size_t>(row))));
  }
  [[nodiscard]] bool stacks() const override { return stacks_; }

 private:
  [[nodiscard]] std::uintmax_t bytes_of(const Shape& shape) const {
    return static_cast<std::uintmax_t>(element_count(shape)) *
           static_cast<std::uintmax_t>(dtype_bits(stored_) / 8);
  }
  [[nodiscard]] Shape shape_of(const std::filesystem::path& file) const {
    return shape_for(input_, file_bytes(file) / static_cast<unsigned>(dtype_bits(stored_) / 8),
                     file.string());
  }
  [[nodiscard]] Shape checked_shape(const std::filesystem::path& file) const {
    Shape shape = shape_of(file);
    if (stacks_) shape[0] = 1;
    const std::uintmax_t found = file_bytes(file);
    if (found != bytes_of(shape) || found == 0) fail_size(file, found, shape);
    return shape;
  }
  [[noreturn]] void fail_size(const std::filesystem::path& file, std::uintmax_t found,
                              const Shape& shape) const {
    throw Error(
        ErrorCode::kInvalidData,
        format("{}: {} bytes: expected {} bytes, {} {} for the model input '{}'{}", file.string(),
               found, bytes_of(shape), dtype_name(stored_), shape_text(shape), input_.name,
               stored_ == input_.dtype ? ""
                                       : format(" (or {} elements with native input files)",
                                                dtype_name(input_.dtype))));
  }

  const std::vector<std::filesystem::path>& files_;  // the column outlives what it bound
  ModelInput input_;
  DType stored_;
  bool stacks_ = false;
};

class RawColumn final : public Column {
 public:
  explicit RawColumn(std::vector<std::filesystem::path> files) : files_(std::move(files)) {}

  [[nodiscard]] std::int64_t rows() const override {
    return static_cast<std::int64_t>(files_.size());
  }
  [[nodiscard]] std::string describe(std::int64_t row) const override {
    return files_.at(static_cast<std::size_t>(row)).filename().string();
  }
  [[nodiscard]] std::unique_ptr<const BoundColumn> bind(const ModelInput& input,
                                                        const BindOptions& options) const override {
    return std::make_unique<RawFiles>(files_, input, options.native_input_files);
  }

 private:
  std::vector<std::filesystem::path> files_;
};

}  // namespace

std::unique_ptr<Column> make_raw_column(std::vector<std::filesystem::path> files) {
  return std::make_unique<RawColumn>(std::move(files));
}

}  // namespace hexquant::data
