#include "data/image.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "data/npz.h"
#include "data/preprocess_image.h"
#include "data/resample.h"
#include "data_testing.h"

namespace hexquant::data {
namespace {

using ::testing::HasSubstr;

constexpr int kOneGreyLevel = 1;  // what the contract allows against Pillow

Image image_of(const Tensor& pixels) {
  Image image;
  image.height = pixels.shape()[0];
  image.width = pixels.shape()[1];
  image.channels = pixels.shape()[2];
  image.pixels = {std::make_shared<const Tensor>(pixels), pixels.data<std::uint8_t>().data()};
  return image;
}

/// Largest difference between an image and RGB reference pixels; 256 if the sizes differ.
int difference(const Image& image, const Tensor& reference) {
  const Shape& shape = reference.shape();
  if (image.height != shape[0] || image.width != shape[1]) return 256;
  if (shape[2] != image.channels && image.channels != 1) return 256;
  const auto expected = reference.data<std::uint8_t>();
  const auto channels = static_cast<std::size_t>(shape[2]);
  int worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::size_t pixel = i / channels;
    const std::size_t c = i % channels;
    const std::size_t at = image.channels == 1 ? pixel : pixel * 3 + (image.bgr ? 2 - c : c);
    worst = std::max(worst, std::abs(int{image.pixels.get()[at]} - int{expected[i]}));
  }
  return worst;
}

TEST(DecodeImage, AgreesWithPillow) {
  const auto references = read_npz(test_data("images/decoded.npz"));
  ASSERT_EQ(references.size(), 18U);
  for (const auto& [name, reference] : references) {
    const Image image = decode_image(test_data("images/" + name));
    const bool exact = name != "cmyk.jpg";  // its conversion rounds differently
    EXPECT_LE(difference(image, reference), exact ? 0 : kOneGreyLevel) << name;
  }
}

TEST(DecodeImage, KnowsImageNames) {
  for (const char* name : {"a.jpg", "b.JPEG", "c.Png", "d.bmp", "e.webp", "f.PPM"}) {
    EXPECT_TRUE(has_image_extension(name)) << name;
  }
  for (const char* name : {"a.txt", "jpg", ".png", "a.jpg.npy", "a"}) {
    EXPECT_FALSE(has_image_extension(name)) << name;
  }
}

std::string decode_error(const std::string& bytes) {
  return error_of(ErrorCode::kInvalidData,
                  [&] { static_cast<void>(decode_image(bytes, "x.img")); });
}

TEST(DecodeImage, TruncatedFilesAreErrors) {
  for (const char* name : {"colour.jpg", "progressive.JPG", "oriented.jpg", "colour.png",
                           "palette.png", "colour.bmp", "colour.ppm", "lossless.webp"}) {
    const std::string whole = read_file(test_data("images/" + std::string(name)));
    for (const double part : {0.1, 0.5, 0.9}) {
      const auto size = static_cast<std::size_t>(part * static_cast<double>(whole.size()));
      EXPECT_THAT(decode_error(whole.substr(0, size)), HasSubstr("x.img")) << name << part;
    }
  }
  const std::string jpeg = read_file(test_data("images/colour.jpg"));
  EXPECT_THAT(decode_error(jpeg.substr(0, jpeg.size() - 2)),
              HasSubstr("without the end-of-image marker"));
  for (const char* name : {"images/colour.bmp", "images/colour.ppm"}) {
    const std::string plain = read_file(test_data(name));
    EXPECT_THAT(decode_error(plain.substr(0, plain.size() - 1)), HasSubstr("truncated image"));
  }
  const std::string png = read_file(test_data("images/colour.png"));
  EXPECT_THAT(decode_error(png.substr(0, png.size() - 12)), HasSubstr("without the end chunk"));
}

TEST(DecodeImage, DamagedFilesAreErrors) {
  std::string png = read_file(test_data("images/colour.png"));
  png[png.size() / 2] = static_cast<char>(png[png.size() / 2] ^ 1);
  EXPECT_THAT(decode_error(png), HasSubstr("CRC of its chunk"));
  EXPECT_THAT(decode_error(""), HasSubstr("empty file"));
  EXPECT_THAT(decode_error("no image at all"), HasSubstr("expected a JPEG"));
  EXPECT_THAT(error_of(ErrorCode::kUnsupported,
                       [] { static_cast<void>(decode_image("P6 1 #c\n1 100\nabc", "x.ppm")); }),
              HasSubstr("maximum value 100"));
  EXPECT_THAT(error_of(ErrorCode::kIo, [] { static_cast<void>(decode_image("/no/such.jpg")); }),
              HasSubstr("/no/such.jpg"));
}

struct ResizeCase {
  Interpolation interpolation;
  bool antialias;
  std::int64_t height;
  std::int64_t width;
};

/// "bilinear_17x23", "point_bilinear_17x23", "bicubic_gray_17x23"
ResizeCase parse_case(const std::string& name) {
  const auto has = [&](const char* word) { return name.find(word) != std::string::npos; };
  const std::size_t size = name.rfind('_') + 1;
  return {has("nearest")    ? Interpolation::kNearest
          : has("bilinear") ? Interpolation::kBilinear
                            : Interpolation::kBicubic,
          !has("point_"), std::stoll(name.substr(size)),
          std::stoll(name.substr(name.find('x', size) + 1))};
}

TEST(Resample, AgreesWithPillow) {
  const auto references = read_npz(test_data("images/resized.npz"));
  const Image colour = decode_image(test_data("images/colour.png"));
  const Image gray = image_of(references.at("gray"));
  int cases = 0;
  for (const auto& [name, reference] : references) {
    if (name == "gray") continue;
    const ResizeCase wanted = parse_case(name);
    const Image& source = reference.shape()[2] == 1 ? gray : colour;
    const Image resized =
        resample(source, wanted.height, wanted.width, {0, 0, wanted.height, wanted.width},
                 wanted.interpolation, wanted.antialias);
    // The convolutions repeat Pillow's arithmetic; its affine transform cuts fractions off.
    EXPECT_LE(difference(resized, reference), wanted.antialias ? 0 : kOneGreyLevel) << name;
    ++cases;
  }
  EXPECT_EQ(cases, 31);
}

TEST(Resample, WindowIsAPartOfTheWhole) {
  const Image image = decode_image(test_data("images/colour.png"));
  for (const Interpolation interpolation :
       {Interpolation::kNearest, Interpolation::kBilinear, Interpolation::kBicubic}) {
    for (const bool antialias : {false, true}) {
      const Image whole = resample(image, 30, 41, {0, 0, 30, 41}, interpolation, antialias);
      const Image part = resample(image, 30, 41, {7, 11, 9, 13}, interpolation, antialias);
      ASSERT_EQ(part.height, 9);
      ASSERT_EQ(part.width, 13);
      for (std::int64_t y = 0; y < 9; ++y) {
        EXPECT_TRUE(std::equal(part.pixels.get() + y * 13 * 3, part.pixels.get() + (y + 1) * 13 * 3,
                               whole.pixels.get() + ((y + 7) * 41 + 11) * 3));
      }
    }
  }
}

/// Slow reference of point sampling: both axes at once, in double.
double sampled(const Tensor& pixels, double y, double x, std::int64_t c, bool cubic) {
  const auto weight = [&](double d) {
    d = std::fabs(d);
    if (!cubic) return std::max(0.0, 1.0 - d);
    const double a = -0.75;
    if (d < 1) return (a + 2) * d * d * d - (a + 3) * d * d + 1;
    return d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a : 0.0;
  };
  const auto at = [&](std::int64_t row, std::int64_t column) {
    row = std::clamp<std::int64_t>(row, 0, pixels.shape()[0] - 1);
    column = std::clamp<std::int64_t>(column, 0, pixels.shape()[1] - 1);
    const auto index = static_cast<std::size_t>((row * pixels.shape()[1] + column) * 3 + c);
    return static_cast<double>(pixels.data<std::uint8_t>()[index]);
  };
  double sum = 0.0;
  const auto row = static_cast<std::int64_t>(std::floor(y));
  const auto column = static_cast<std::int64_t>(std::floor(x));
  for (std::int64_t i = row - 1; i <= row + 2; ++i) {
    for (std::int64_t j = column - 1; j <= column + 2; ++j) {
      sum += weight(static_cast<double>(i) - y) * weight(static_cast<double>(j) - x) * at(i, j);
    }
  }
  return std::clamp(sum, 0.0, 255.0);
}

TEST(Resample, PointSamplingAgreesWithASlowReference) {
  const Tensor pixels = read_npz(test_data("images/decoded.npz")).at("colour.png");
  const Image image = image_of(pixels);
  for (const auto& [height, width] : {std::pair{13, 100}, std::pair{60, 17}, std::pair{1, 1}}) {
    for (const bool cubic : {false, true}) {
      const Image resized =
          resample(image, height, width, {0, 0, height, width},
                   cubic ? Interpolation::kBicubic : Interpolation::kBilinear, false);
      for (std::int64_t i = 0; i < height * width * 3; ++i) {
        const double y = (static_cast<double>(i / 3 / width) + 0.5) * 45.0 / height - 0.5;
        const double x = (static_cast<double>(i / 3 % width) + 0.5) * 61.0 / width - 0.5;
        const double expected = sampled(pixels, y, x, i % 3, cubic);
        constexpr double kRounding = 0.5 + 1e-3;  // the float sums, then one rounding
        EXPECT_NEAR(resized.pixels.get()[i], expected, kRounding) << height << "x" << width;
      }
    }
  }
}

TEST(Resample, ConstantImageStaysConstant) {
  Tensor pixels(DType::kUInt8, {5, 7, 3});
  for (auto& value : pixels.mutable_data<std::uint8_t>()) value = 201;
  for (const bool antialias : {false, true}) {
    for (const auto interpolation : {Interpolation::kBilinear, Interpolation::kBicubic}) {
      const Image out = resample(image_of(pixels), 3, 19, {0, 0, 3, 19}, interpolation, antialias);
      for (int i = 0; i < 3 * 19 * 3; ++i) EXPECT_EQ(out.pixels.get()[i], 201);
    }
  }
}

TEST(PreprocessImage, AgreesWithPillowAndNumpy) {
  const auto references = read_npz(test_data("images/preprocessed.npz"));
  const Image image = decode_image(test_data("images/colour.jpg"));
  const std::string shape =
      R"("resize": {"shorter": 30}, "crop": [12, 15], "interpolation": "bicubic", )";
  const std::string colours =
      R"("mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375])";
  const std::map<std::string, std::string> settings{
      {"rgb_nchw", "{" + shape + colours + "}"},
      {"bgr_nhwc", "{" + shape + R"("color": "bgr", "layout": "nhwc", )" + colours + "}"},
      {"gray_nchw", "{" + shape + R"("color": "gray", "mean": 77.9, "std": [81.2]})"}};
  for (const auto& [name, json] : settings) {
    const ImagePreprocessor preprocessor(parse_preprocess(json, name), DType::kFloat32,
                                         ImageLayout::kNchw, "image");
    EXPECT_EQ(preprocessor.apply(image, "colour.jpg"), references.at(name)) << name;
  }
}

TEST(PreprocessImage, ShorterSideKeepsTheRatioRoundedDown) {
  Preprocess preprocess;
  preprocess.resize_shorter = 256;
  Image image;
  image.height = 375;
  image.width = 500;
  EXPECT_EQ(resized_size(preprocess, image, "x"), (ImageSize{256, 341}));
  std::swap(image.height, image.width);
  EXPECT_EQ(resized_size(preprocess, image, "x"), (ImageSize{341, 256}));
  image.height = 1;
  image.width = 100;
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [&] { static_cast<void>(resized_size(preprocess, image, "x.png")); }),
              HasSubstr("x.png: 1x100 resized to a shorter side of 256"));
}

TEST(PreprocessImage, CropsAtTheCentreRoundedDown) {
  std::vector<std::uint8_t> values(5 * 6);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i);
  const Tensor pixels = Tensor::from<std::uint8_t>({5, 6, 1}, values);
  const auto crop = [&](const std::string& json) {
    const ImagePreprocessor preprocessor(parse_preprocess(json, "x"), DType::kUInt8,
                                         ImageLayout::kNchw, "image");
    return preprocessor.apply(image_of(pixels), "x.png");
  };
  // (5 - 2) / 2 = 1 from the top, (6 - 3) / 2 = 1 from the left
  EXPECT_THAT(values_of<std::uint8_t>(crop(R"({"crop": [2, 3], "color": "gray"})")),
              ::testing::ElementsAre(7, 8, 9, 13, 14, 15));
  // one gray channel feeds all colours
  EXPECT_THAT(values_of<std::uint8_t>(crop(R"({"crop": [1, 2]})")),
              ::testing::ElementsAre(14, 15, 14, 15, 14, 15));
  EXPECT_THAT(
      error_of(ErrorCode::kInvalidData, [&] { static_cast<void>(crop(R"({"crop": [6, 3]})")); }),
      HasSubstr("x.png: crop [6,3] does not fit into the 5x6 image"));
}

TEST(PreprocessImage, ElementTypes) {
  const Tensor pixels = Tensor::from<std::uint8_t>({1, 1, 1}, std::vector<std::uint8_t>{10});
  const auto apply = [&](const std::string& json, DType dtype) {
    const ImagePreprocessor preprocessor(parse_preprocess(json, "x"), dtype, ImageLayout::kNchw,
                                         "image");
    return preprocessor.apply(image_of(pixels), "x");
  };
  const std::string scaled = R"({"color": "gray", "mean": 2, "std": 4})";
  EXPECT_EQ(to_doubles(apply(scaled, DType::kFloat16)), std::vector<double>{2.0});
  EXPECT_EQ(to_doubles(apply(scaled, DType::kFloat64)), std::vector<double>{2.0});
  EXPECT_THAT(
      error_of(ErrorCode::kInvalidData, [&] { static_cast<void>(apply(scaled, DType::kUInt8)); }),
      HasSubstr("'image' is uint8, so preprocessing must have mean 0 and std 1"));
  EXPECT_THAT(
      error_of(ErrorCode::kInvalidData, [&] { static_cast<void>(apply(scaled, DType::kInt64)); }),
      HasSubstr("'image' is int64"));
}

}  // namespace
}  // namespace hexquant::data
