#include <utility>

#include "core/format.h"
#include "data/column.h"
#include "data/image_binding.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

class ImageFiles final : public BoundColumn {
 public:
  ImageFiles(const std::vector<std::filesystem::path>& files, ImageBinding binding)
      : files_(files), binding_(std::move(binding)) {}

  [[nodiscard]] Tensor load(std::int64_t row) const override {
    const std::filesystem::path& file = files_.at(static_cast<std::size_t>(row));
    return binding_.apply(decode_image(file), file.string());
  }
  void check(std::int64_t row) const override {
    const std::filesystem::path& file = files_.at(static_cast<std::size_t>(row));
    std::error_code error;
    if (std::filesystem::is_regular_file(file, error)) return;
    throw Error(ErrorCode::kIo, format("cannot read '{}': no such image file", file.string()));
  }
  [[nodiscard]] bool stacks() const override { return true; }

 private:
  const std::vector<std::filesystem::path>& files_;  // the column outlives what it bound
  ImageBinding binding_;
};

class ImageColumn final : public Column {
 public:
  explicit ImageColumn(std::vector<std::filesystem::path> files) : files_(std::move(files)) {}

  [[nodiscard]] std::int64_t rows() const override {
    return static_cast<std::int64_t>(files_.size());
  }
  [[nodiscard]] std::string describe(std::int64_t row) const override {
    return files_.at(static_cast<std::size_t>(row)).filename().string();
  }
  [[nodiscard]] std::unique_ptr<const BoundColumn> bind(const ModelInput& input,
                                                        const BindOptions& options) const override {
    const std::string origin = files_.empty() ? "images" : files_.front().parent_path().string();
    return std::make_unique<ImageFiles>(files_, ImageBinding(input, options.preprocess, origin));
  }

 private:
  std::vector<std::filesystem::path> files_;
};

}  // namespace

std::unique_ptr<Column> make_image_column(std::vector<std::filesystem::path> files) {
  return std::make_unique<ImageColumn>(std::move(files));
}

}  // namespace hexquant::data
