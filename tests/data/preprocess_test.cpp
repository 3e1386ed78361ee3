#include "data/preprocess.h"

#include "data_testing.h"

namespace hexquant::data {
namespace {

using ::testing::HasSubstr;

std::string parse_error(const std::string& json) {
  return error_of(ErrorCode::kInvalidData,
                  [&] { static_cast<void>(parse_preprocess(json, "pre.json")); });
}

TEST(Preprocess, EmptyObjectGivesTheDefaults) {
  const Preprocess preprocess = parse_preprocess("{}", "pre.json");
  EXPECT_EQ(preprocess, Preprocess{});
  EXPECT_FALSE(preprocess.resize || preprocess.resize_shorter || preprocess.crop ||
               preprocess.layout);
  EXPECT_EQ(preprocess.interpolation, Interpolation::kBilinear);
  EXPECT_TRUE(preprocess.antialias);
  EXPECT_EQ(preprocess.color, ColorOrder::kRgb);
  EXPECT_EQ(preprocess.mean, std::vector<float>{0.0F});
  EXPECT_EQ(preprocess.std, std::vector<float>{1.0F});
}

TEST(Preprocess, ReadsEveryKey) {
  const Preprocess preprocess = parse_preprocess(
      R"({"resize": [10, 20], "crop": [8, 9], "interpolation": "bicubic", "antialias": false,
          "color": "bgr", "mean": [1, 2.5, 3], "std": [4, 5, 6], "layout": "nhwc"})",
      "pre.json");
  EXPECT_EQ(preprocess.resize, (ImageSize{10, 20}));
  EXPECT_EQ(preprocess.crop, (ImageSize{8, 9}));
  EXPECT_EQ(preprocess.interpolation, Interpolation::kBicubic);
  EXPECT_FALSE(preprocess.antialias);
  EXPECT_EQ(preprocess.color, ColorOrder::kBgr);
  EXPECT_EQ(preprocess.mean, (std::vector<float>{1, 2.5, 3}));
  EXPECT_EQ(preprocess.std, (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(preprocess.layout, ImageLayout::kNhwc);
  EXPECT_EQ(parse_preprocess(preprocess_json(preprocess), "again"), preprocess);
  const Preprocess shorter = parse_preprocess(R"({"resize": {"shorter": 7}, "crop": null})", "x");
  EXPECT_EQ(shorter.resize_shorter, 7);
  EXPECT_EQ(parse_preprocess(preprocess_json(shorter), "again"), shorter);
}

TEST(Preprocess, ErrorsNameTheKey) {
  EXPECT_THAT(parse_error(R"({"men": 1})"),
              HasSubstr("pre.json: unknown key 'men': expected resize, crop"));
  EXPECT_THAT(parse_error(R"({"resize": {"shorter": "256"}})"),
              HasSubstr("pre.json: resize.shorter: expected a whole number from 1 to 16384"));
  EXPECT_THAT(parse_error(R"({"resize": {"longer": 256}})"), HasSubstr("resize: expected null"));
  EXPECT_THAT(parse_error(R"({"resize": 256})"), HasSubstr("resize: expected null"));
  EXPECT_THAT(parse_error(R"({"crop": [224]})"), HasSubstr("crop: expected [height, width]"));
  EXPECT_THAT(parse_error(R"({"crop": [224, 0]})"), HasSubstr("crop[1]: expected a whole number"));
  EXPECT_THAT(parse_error(R"({"crop": [224.5, 1]})"), HasSubstr("crop[0]"));
  EXPECT_THAT(parse_error(R"({"crop": [18446744073709551615, 1]})"), HasSubstr("crop[0]"));
  EXPECT_THAT(parse_error(R"({"interpolation": "lanczos"})"),
              HasSubstr("interpolation: expected one of nearest, bilinear, bicubic"));
  EXPECT_THAT(parse_error(R"({"antialias": 1})"), HasSubstr("antialias: expected true or false"));
  EXPECT_THAT(parse_error(R"({"color": 3})"), HasSubstr("color: expected one of rgb, bgr, gray"));
  EXPECT_THAT(parse_error(R"({"layout": "chw"})"), HasSubstr("layout: expected one of nchw, nhwc"));
  EXPECT_THAT(parse_error(R"({"mean": "0"})"), HasSubstr("mean: expected a number or a list"));
  EXPECT_THAT(parse_error(R"({"mean": [1, null, 2]})"), HasSubstr("mean[1]: expected a number"));
  EXPECT_THAT(parse_error(R"({"mean": 1e300})"), HasSubstr("mean: expected a finite number"));
  EXPECT_THAT(parse_error(R"({"mean": [1, 2]})"), HasSubstr("mean: 2 values: expected 3"));
  EXPECT_THAT(parse_error(R"({"std": [1, 2, 3], "color": "gray"})"),
              HasSubstr("std: 3 values: expected 1"));
  EXPECT_THAT(parse_error(R"({"std": [1, 0, 3]})"), HasSubstr("std: 0: expected numbers above 0"));
  EXPECT_THAT(parse_error("[]"), HasSubstr("expected a JSON object"));
  EXPECT_THAT(parse_error("{"), HasSubstr("pre.json:1:"));
  EXPECT_THAT(parse_error(R"({"mean": 1e2300})"), HasSubstr("number overflow"));
}

TEST(Preprocess, ReadsFilesAndText) {
  const TempFolder folder;
  const auto path = folder.path() / "p.json";
  write_file(path, R"({"crop": [3, 4]})");
  EXPECT_EQ(read_preprocess(path.string()).crop, (ImageSize{3, 4}));
  EXPECT_EQ(read_preprocess(R"({"crop": [3, 4]})").crop, (ImageSize{3, 4}));
  EXPECT_THAT(error_of(ErrorCode::kIo, [] { static_cast<void>(read_preprocess("/no/p.json")); }),
              HasSubstr("/no/p.json"));
}

TEST(PreprocessFlags, ReplaceOnlyWhatIsGiven) {
  Preprocess base = parse_preprocess(R"({"resize": [9, 9], "mean": [1, 2, 3]})", "x");
  EXPECT_TRUE(PreprocessFlags{}.empty());
  EXPECT_EQ(apply_flags(base, {}), base);
  PreprocessFlags flags;
  flags.resize = "256";
  flags.crop = "224";
  flags.std = "58.5,57,57.25";
  flags.color = "bgr";
  flags.interpolation = "nearest";
  flags.antialias = false;
  flags.layout = "nhwc";
  EXPECT_FALSE(flags.empty());
  const Preprocess got = apply_flags(base, flags);
  EXPECT_EQ(got, parse_preprocess(
                     R"({"resize": {"shorter": 256}, "crop": [224, 224], "mean": [1, 2, 3],
                         "std": [58.5, 57, 57.25], "color": "bgr", "interpolation": "nearest",
                         "antialias": false, "layout": "nhwc"})",
                     "x"));
  flags = {};
  flags.resize = "48x320";
  flags.crop = "40,300";
  EXPECT_EQ(apply_flags(got, flags).resize, (ImageSize{48, 320}));
  EXPECT_EQ(apply_flags(got, flags).crop, (ImageSize{40, 300}));
  EXPECT_FALSE(apply_flags(got, flags).resize_shorter);
}

TEST(PreprocessFlags, ErrorsNameTheFlag) {
  const auto message = [](std::optional<std::string> PreprocessFlags::*field, const char* text) {
    PreprocessFlags flags;
    flags.*field = text;
    return error_of(ErrorCode::kInvalidArgument,
                    [&] { static_cast<void>(apply_flags({}, flags)); });
  };
  EXPECT_THAT(message(&PreprocessFlags::resize, "abc"), HasSubstr("--resize 'abc'"));
  EXPECT_THAT(message(&PreprocessFlags::resize, "1,2,3"), HasSubstr("--resize '1,2,3'"));
  EXPECT_THAT(message(&PreprocessFlags::crop, "0"), HasSubstr("--crop '0'"));
  EXPECT_THAT(message(&PreprocessFlags::mean, "1,,2"), HasSubstr("--mean '1,,2'"));
  EXPECT_THAT(message(&PreprocessFlags::mean, "1,2"), HasSubstr("--mean: 2 values"));
  EXPECT_THAT(message(&PreprocessFlags::std, "0"), HasSubstr("--std: 0"));
  EXPECT_THAT(message(&PreprocessFlags::color, "cmyk"), HasSubstr("rgb, bgr, gray"));
  EXPECT_THAT(message(&PreprocessFlags::layout, "x"), HasSubstr("nchw, nhwc"));
  EXPECT_THAT(message(&PreprocessFlags::interpolation, "x"), HasSubstr("nearest, bilinear"));
}

}  // namespace
}  // namespace hexquant::data
