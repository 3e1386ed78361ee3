#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string_view>
#include <utility>

#include "core/file_io.h"
#include "core/format.h"
#include "data/image.h"
#include "hexquant/error.h"

namespace hexquant::data {
namespace {

constexpr std::array<std::string_view, 6> kExtensions{".jpg", ".jpeg", ".png",
                                                      ".bmp", ".webp", ".ppm"};

/// Pixels of a matrix, kept alive together with it.
Image from_mat(cv::Mat mat) {
  if (!mat.isContinuous()) mat = mat.clone();
  const auto holder = std::make_shared<const cv::Mat>(std::move(mat));
  Image image;
  image.height = holder->rows;
  image.width = holder->cols;
  image.channels = holder->channels();
  image.bgr = image.channels == 3;
  image.pixels = {holder, holder->ptr()};
  return image;
}

/// True for a PNG whose IHDR says gray with 16 bits.
bool is_gray16_png(const std::string& bytes) {
  constexpr std::size_t kDepthOffset = 24;
  constexpr std::size_t kColourOffset = 25;
  return bytes.size() > kColourOffset && bytes.starts_with("\x89PNG") &&
         bytes[kDepthOffset] == 16 && bytes[kColourOffset] == 0;
}

cv::Mat decode(const std::string& bytes) {
  const cv::Mat file(1, static_cast<int>(bytes.size()), CV_8U,
                     const_cast<char*>(bytes.data()));  // OpenCV has no const view; it only reads
  if (!is_gray16_png(bytes)) {
    return cv::imdecode(file, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  }
  cv::Mat clipped;
  cv::imdecode(file, cv::IMREAD_GRAYSCALE | cv::IMREAD_ANYDEPTH).convertTo(clipped, CV_8U);
  return clipped;
}

}  // namespace

bool has_image_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

Image decode_image(const std::string& bytes, const std::string& origin) {
  check_image_file({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, origin);
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw Error(ErrorCode::kUnsupported, origin + ": image file above 2 GB");
  }
  cv::Mat mat;
  try {
    mat = decode(bytes);
  } catch (const cv::Exception& error) {
    throw Error(ErrorCode::kInvalidData,
                format("{}: cannot decode this image: {}", origin, error.err));
  }
  if (mat.empty() || mat.depth() != CV_8U || (mat.channels() != 1 && mat.channels() != 3)) {
    throw Error(ErrorCode::kInvalidData,
                origin + ": cannot decode this file: expected a JPEG, PNG, BMP, WebP or PPM image");
  }
  return from_mat(std::move(mat));
}

Image decode_image(const std::filesystem::path& path) {
  return decode_image(read_file(path), path.string());
}

}  // namespace hexquant::data
