#include "data/dataset.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "data/npy.h"
#include "data/npz.h"
#include "data_testing.h"

namespace hexquant::data {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kGrayRaw = R"({"color": "gray"})";

Tensor floats(const Shape& shape, const std::vector<float>& values) {
  return Tensor::from<float>(shape, values);
}

Tensor int64s(const Shape& shape, const std::vector<std::int64_t>& values) {
  return Tensor::from<std::int64_t>(shape, values);
}

/// PGM-like 2x2 image whose pixels all have this value.
std::string ppm(int value) {
  return "P6\n2 2\n255\n" + std::string(12, static_cast<char>(value));
}

std::string open_error(const DataOptions& options, const std::vector<ModelInput>& inputs,
                       ErrorCode code = ErrorCode::kInvalidData) {
  return error_of(code, [&] { static_cast<void>(open_dataset(options, inputs)); });
}

std::vector<double> first_values(const Dataset& dataset, const std::string& input) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    values.push_back(to_doubles(dataset.load(i).at(input)).at(0));
  }
  return values;
}

class DatasetTest : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path at(const std::string& name) const { return folder_.path() / name; }
  std::string file(const std::string& name, const std::string& bytes) const {
    fs::create_directories(at(name).parent_path());
    write_file(at(name), bytes);
    return at(name).string();
  }
  std::string npy(const std::string& name, const Tensor& tensor) const {
    return file(name, npy_bytes(tensor));
  }
  [[nodiscard]] DataOptions images(const std::string& name) const {
    DataOptions options = all_of(at(name).string());
    options.preprocess = kGrayRaw;
    return options;
  }

  const std::vector<ModelInput> image_{model_input("image", DType::kFloat32, {-1, 1, 2, 2})};
  const std::vector<ModelInput> x_{model_input("x", DType::kFloat32, {-1, 2})};

 private:
  TempFolder folder_;
};

// ---- images

TEST_F(DatasetTest, FolderOfImagesIsSortedByName) {
  file("d/b.ppm", ppm(20));
  file("d/C.PPM", ppm(10));
  file("d/a.ppm", ppm(30));
  file("d/notes.txt", "no image");
  file("d/.hidden.ppm", "no image");
  const auto dataset = open_dataset(images("d"), image_);
  EXPECT_EQ(dataset->batch_size(), 1);
  EXPECT_THAT(first_values(*dataset, "image"), ElementsAre(10, 30, 20));
  EXPECT_EQ(dataset->load(0).at("image").shape(), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(dataset->describe(1), "a.ppm");
}

TEST_F(DatasetTest, LabelsCsvGivesOrderAndLabels) {
  file("d/a.ppm", ppm(1));
  file("d/sub/b.ppm", ppm(2));
  file("d/labels.csv", "path,label\nsub/b.ppm,7\na.ppm,5\n");
  for (const char* source : {"d", "d/labels.csv"}) {
    const DataOptions options = images(source);
    EXPECT_THAT(first_values(*open_dataset(options, image_), "image"), ElementsAre(2, 1));
    EXPECT_TRUE(has_labels(options));
    EXPECT_THAT(read_labels("", options), ElementsAre(7, 5));
  }
  DataOptions last = images("d");
  last.skip = 1;
  EXPECT_THAT(first_values(*open_dataset(last, image_), "image"), ElementsAre(1));
  EXPECT_THAT(read_labels("", last), ElementsAre(5));
}

TEST_F(DatasetTest, SingleImageFile) {
  file("one.ppm", ppm(9));
  EXPECT_THAT(first_values(*open_dataset(images("one.ppm"), image_), "image"), ElementsAre(9));
}

TEST_F(DatasetTest, ImagesNeedPreprocessingUnlessTheInputIsUint8) {
  file("d/a.ppm", ppm(200));
  EXPECT_THAT(open_error(all_of(at("d").string()), image_),
              AllOf(HasSubstr("give --preprocess FILE"), HasSubstr("\"mean\": [123.675")));
  const auto dataset =
      open_dataset(all_of(at("d").string()), {model_input("image", DType::kUInt8, {1, 2, 2, 3})});
  EXPECT_EQ(dataset->load(0).at("image").shape(), (Shape{1, 2, 2, 3}));
  EXPECT_THAT(first_values(*dataset, "image"), ElementsAre(200));
}

TEST_F(DatasetTest, LayoutFollowsTheModelUnlessGiven) {
  file("d/a.ppm", ppm(1));
  DataOptions options = images("d");
  const std::vector<ModelInput> nhwc{model_input("image", DType::kFloat32, {-1, 2, 2, 1})};
  EXPECT_EQ(open_dataset(options, nhwc)->load(0).at("image").shape(), (Shape{1, 2, 2, 1}));
  const std::vector<ModelInput> free{model_input("image", DType::kFloat32, {-1, -1, -1, -1})};
  EXPECT_EQ(open_dataset(options, free)->load(0).at("image").shape(), (Shape{1, 1, 2, 2}));
  options.preprocess = R"({"color": "gray", "layout": "nhwc"})";
  EXPECT_EQ(open_dataset(options, free)->load(0).at("image").shape(), (Shape{1, 2, 2, 1}));
  EXPECT_THAT(open_error(options, image_),
              AllOf(HasSubstr("a.ppm: 2x2 pixels become [1,2,2,1] (nhwc)"),
                    HasSubstr("'image' expects [N,1,2,2]")));
}

TEST_F(DatasetTest, ImageErrors) {
  fs::create_directory(at("empty"));
  EXPECT_THAT(open_error(images("empty"), image_), HasSubstr("empty: no images in this folder"));
  file("bad/a.jpg", "\xFF\xD8 this is no JPEG");
  EXPECT_THAT(open_error(images("bad"), image_), HasSubstr("a.jpg: damaged or truncated JPEG"));
  file("text/a.png", "hello");
  EXPECT_THAT(open_error(images("text"), image_), HasSubstr("a.png: cannot decode this file"));
  file("lost/labels.csv", "gone.jpg,1\n");
  EXPECT_THAT(open_error(images("lost"), image_, ErrorCode::kIo), HasSubstr("gone.jpg"));
  file("none/labels.csv", "path,label\n");
  EXPECT_THAT(open_error(images("none"), image_), HasSubstr("labels.csv: no samples"));
  file("large/a.ppm", "P6\n3 2\n255\n" + std::string(18, '\1'));
  EXPECT_THAT(open_error(images("large"), image_), HasSubstr("become [1,1,2,3] (nchw)"));
  EXPECT_THAT(open_error(images("large"), {model_input("ids", DType::kFloat32, {-1, 8})}),
              HasSubstr("images cannot feed the model input 'ids' of shape [N,8]"));
  EXPECT_THAT(open_error(images("missing"), image_, ErrorCode::kIo),
              HasSubstr("missing': No such file or directory"));
}

TEST_F(DatasetTest, DamagedImageInTheMiddleIsNamedWhenItIsLoaded) {
  file("d/a.ppm", ppm(1));
  file("d/b.ppm", "P6\n2 2\n255\nxx");
  const auto dataset = open_dataset(images("d"), image_);
  EXPECT_THAT(error_of(ErrorCode::kInvalidData, [&] { static_cast<void>(dataset->load(1)); }),
              HasSubstr("b.ppm"));
}

TEST_F(DatasetTest, Uint8ArraysOfRank4AreImages) {
  Tensor pixels(DType::kUInt8, {2, 1, 1, 3});
  const std::vector<std::uint8_t> values{10, 20, 30, 40, 50, 60};
  std::copy(values.begin(), values.end(), pixels.mutable_data<std::uint8_t>().begin());
  DataOptions options = all_of(npy("i.npy", pixels));
  const std::vector<ModelInput> input{model_input("image", DType::kFloat32, {-1, 3, 1, 1})};
  EXPECT_THAT(open_error(options, input), HasSubstr("give --preprocess"));
  options.preprocess = R"({"mean": 10, "std": 2, "color": "bgr"})";
  const auto dataset = open_dataset(options, input);
  EXPECT_THAT(values_of<float>(dataset->load(1).at("image")), ElementsAre(25, 20, 15));
  EXPECT_EQ(dataset->describe(1), "i.npy[1]");
  // A uint8 model takes them as they are.
  const auto stored = open_dataset(all_of(at("i.npy").string()),
                                   {model_input("image", DType::kUInt8, {-1, 1, 1, 3})});
  EXPECT_THAT(values_of<std::uint8_t>(stored->load(0).at("image")), ElementsAre(10, 20, 30));
  const auto planar = open_dataset(all_of(at("i.npy").string()),
                                   {model_input("image", DType::kUInt8, {-1, 3, 1, 1})});
  EXPECT_EQ(planar->load(0).at("image").shape(), (Shape{1, 3, 1, 1}));
}

TEST_F(DatasetTest, Uint8ArraysInOtherOrderAreNotTakenForImages) {
  DataOptions options = all_of(npy("i.npy", Tensor(DType::kUInt8, {2, 3, 4, 5})));
  const std::vector<ModelInput> input{model_input("image", DType::kFloat32, {-1, 3, 4, 5})};
  EXPECT_EQ(open_dataset(options, input)->load(0).at("image").dtype(), DType::kFloat32);
  options.preprocess = "{}";
  EXPECT_THAT(open_error(options, input), HasSubstr("images must be stored as [N,H,W,3]"));
}

// ---- arrays

TEST_F(DatasetTest, ArrayRowsAreSamples) {
  const auto dataset = open_dataset(all_of(npy("x.npy", floats({3, 2}, {1, 2, 3, 4, 5, 6}))), x_);
  EXPECT_EQ(dataset->size(), 3);
  const Tensor sample = dataset->load(2).at("x");
  EXPECT_EQ(sample.shape(), (Shape{1, 2}));
  EXPECT_THAT(values_of<float>(sample), ElementsAre(5, 6));
}

TEST_F(DatasetTest, SamplesAreIndependentMemory) {
  const auto dataset = open_dataset(all_of(npy("x.npy", floats({1, 2}, {1, 2}))), x_);
  Tensor first = dataset->load(0).at("x");
  first.mutable_data<float>()[0] = 99;
  EXPECT_THAT(first_values(*dataset, "x"), ElementsAre(1));
}

TEST_F(DatasetTest, RowsMayHoldTheWholeInput) {
  const auto state = [&](const Shape& array, const Shape& input) {
    npy("s.npy", Tensor(DType::kFloat32, array));
    return open_dataset(all_of(at("s.npy").string()),
                        {model_input("state", DType::kFloat32, input)})
        ->load(0)
        .at("state")
        .shape();
  };
  EXPECT_EQ(state({5, 2, 1, 4}, {2, -1, 4}), (Shape{2, 1, 4}));
  EXPECT_EQ(state({5, 1, 4}, {-1, 4}), (Shape{1, 4}));
  EXPECT_EQ(state({5}, {}), Shape{});
  EXPECT_EQ(state({5}, {1}), Shape{1});
}

TEST_F(DatasetTest, ConvertsElementTypesWithoutLoss) {
  npy("ids.npy", Tensor::from<std::int32_t>({1, 2}, std::vector<std::int32_t>{7, -1}));
  EXPECT_THAT(values_of<std::int64_t>(open_dataset(all_of(at("ids.npy").string()),
                                                   {model_input("ids", DType::kInt64, {-1, 2})})
                                          ->load(0)
                                          .at("ids")),
              ElementsAre(7, -1));
  npy("half.npy", floats({1, 2}, {0.5F, 1.0F}));
  EXPECT_THAT(
      open_error(all_of(at("half.npy").string()), {model_input("ids", DType::kInt64, {-1, 2})}),
      HasSubstr("half.npy[0]: element 0 is 0.5, which int64 cannot hold"));
}

TEST_F(DatasetTest, ArrayErrors) {
  EXPECT_THAT(open_error(all_of(npy("x.npy", floats({1, 3}, {1, 2, 3}))), x_),
              HasSubstr("x.npy: one sample has shape [3], the model input 'x' expects [N,2]"));
  EXPECT_THAT(open_error(all_of(npy("nan.npy", floats({1, 2}, {1, std::nanf("")}))), x_),
              HasSubstr("nan.npy[0]: holds NaN"));
  EXPECT_THAT(open_error(all_of(npy("none.npy", Tensor(DType::kFloat32, {0, 2}))), x_),
              HasSubstr("none.npy: no samples"));
  const std::string bytes = npy_bytes(floats({2, 2}, {1, 2, 3, 4}));
  EXPECT_THAT(open_error(all_of(file("cut.npy", bytes.substr(0, bytes.size() - 3))), x_),
              HasSubstr("cut.npy: truncated"));
  EXPECT_THAT(open_error(all_of(file("x.bin", "abc")), x_), HasSubstr("unknown kind of data"));
  EXPECT_THAT(open_error(DataOptions{}, x_, ErrorCode::kInvalidArgument),
              HasSubstr("no data given"));
}

TEST_F(DatasetTest, SeveralInputsFromAnArchive) {
  const std::vector<ModelInput> inputs{model_input("ids", DType::kInt64, {-1, 2}),
                                       model_input("mask", DType::kInt64, {-1, 2})};
  const fs::path path = at("x.npz");
  write_npz(path, {{"ids", int64s({2, 2}, {1, 2, 3, 4})}, {"mask", int64s({2, 2}, {1, 1, 1, 0})}});
  const auto dataset = open_dataset(all_of(path.string()), inputs);
  EXPECT_THAT(values_of<std::int64_t>(dataset->load(1).at("ids")), ElementsAre(3, 4));
  EXPECT_THAT(values_of<std::int64_t>(dataset->load(1).at("mask")), ElementsAre(1, 0));
  EXPECT_EQ(dataset->describe(1), "x.npz[ids][1]");

  write_npz(path, {{"ids", int64s({2, 2}, {1, 2, 3, 4})}});
  EXPECT_THAT(open_error(all_of(path.string()), inputs),
              HasSubstr("no data for the model input 'mask': add mask:=file"));
  write_npz(path, {{"ids", int64s({1, 2}, {1, 2})}, {"masks", int64s({1, 2}, {1, 2})}});
  EXPECT_THAT(open_error(all_of(path.string()), inputs),
              HasSubstr("'masks' is no input of the model: the model has 'mask', 'ids'"));
  write_npz(path, {{"ids", int64s({2, 2}, {1, 2, 3, 4})}, {"mask", int64s({1, 2}, {1, 1})}});
  EXPECT_THAT(open_error(all_of(path.string()), inputs), HasSubstr("x.npz: 1 samples, but"));
  write_npz(path, {});
  EXPECT_THAT(open_error(all_of(path.string()), inputs), HasSubstr("no arrays"));
}

TEST_F(DatasetTest, OneArrayFeedsOneInputWhateverItsName) {
  write_npz(at("x.npz"), {{"arr_0", floats({1, 2}, {8, 9})}});
  EXPECT_THAT(first_values(*open_dataset(all_of(at("x.npz").string()), x_), "x"), ElementsAre(8));
}

TEST_F(DatasetTest, NamedSources) {
  const std::vector<ModelInput> inputs{model_input("a", DType::kFloat32, {-1, 1}),
                                       model_input("b", DType::kFloat32, {-1, 1})};
  const std::string one = npy("one.npy", floats({2, 1}, {1, 2}));
  const std::string two = npy("two.npy", floats({2, 1}, {3, 4}));
  DataOptions options;
  options.sources = {"b:=" + one, "a:=" + two};
  const auto dataset = open_dataset(options, inputs);
  EXPECT_THAT(first_values(*dataset, "a"), ElementsAre(3, 4));
  EXPECT_THAT(first_values(*dataset, "b"), ElementsAre(1, 2));
  options.sources = {"b:=" + one, two};  // the one without a name takes what is left
  EXPECT_THAT(first_values(*open_dataset(options, inputs), "a"), ElementsAre(3, 4));
  options.sources = {one};
  EXPECT_THAT(open_error(options, inputs), HasSubstr("no data for the model inputs 'a', 'b'"));
  options.sources = {"c:=" + one, "a:=" + two};
  EXPECT_THAT(open_error(options, inputs), HasSubstr("'c' is no input of the model"));
  options.sources = {"a:=" + one, "a:=" + two};
  EXPECT_THAT(open_error(options, inputs), HasSubstr("'a' is given twice"));
  options.sources = {":=" + one};
  EXPECT_THAT(open_error(options, inputs), HasSubstr("expected a file, a folder or name:=file"));
  options.sources = {"z:=" + one};
  EXPECT_THAT(open_error(options, {inputs[0]}), HasSubstr("'z' is no input of the model"));
}

TEST_F(DatasetTest, NamedSourceTakesItsArrayFromAnArchive) {
  const fs::path path = at("x.npz");
  write_npz(path, {{"x", floats({1, 2}, {8, 9})}, {"labels", int64s({1}, {3})}});
  EXPECT_THAT(first_values(*open_dataset(all_of("x:=" + path.string()), x_), "x"), ElementsAre(8));
  EXPECT_THAT(open_error(all_of("y:=" + path.string()), x_), HasSubstr("no array named 'y'"));
}

// ---- raw files

TEST_F(DatasetTest, InputListOfRawFloats) {
  file("raw/0.raw", raw_bytes<float>({1, 2}));
  file("raw/1.raw", raw_bytes<float>({3, 4}));
  const DataOptions options = all_of(file("raw/list.txt", "#output\n0.raw\n1.raw\n"));
  const auto dataset = open_dataset(options, x_);
  EXPECT_THAT(first_values(*dataset, "x"), ElementsAre(1, 3));
  EXPECT_EQ(dataset->load(0).at("x").shape(), (Shape{1, 2}));
  EXPECT_EQ(dataset->describe(1), "1.raw");
}

TEST_F(DatasetTest, InputListWithSeveralInputs) {
  const std::vector<ModelInput> inputs{model_input("ids", DType::kInt64, {-1, 2}),
                                       model_input("mask", DType::kFloat32, {1, 1})};
  file("ids.raw", raw_bytes<float>({5, 6}));
  file("mask.raw", raw_bytes<float>({0.5F}));
  const auto named = open_dataset(all_of(file("a.txt", "mask:=mask.raw ids:=ids.raw")), inputs);
  EXPECT_THAT(values_of<std::int64_t>(named->load(0).at("ids")), ElementsAre(5, 6));
  EXPECT_THAT(first_values(*named, "mask"), ElementsAre(0.5));
  const auto ordered = open_dataset(all_of(file("b.txt", "ids.raw mask.raw")), inputs);
  EXPECT_THAT(first_values(*ordered, "mask"), ElementsAre(0.5));
}

TEST_F(DatasetTest, NativeRawFiles) {
  file("ids.raw", raw_bytes<std::int64_t>({5, 1LL << 40}));
  DataOptions options = all_of(file("list.txt", "ids.raw"));
  const std::vector<ModelInput> inputs{model_input("ids", DType::kInt64, {-1, 2})};
  EXPECT_THAT(
      open_error(options, inputs),
      AllOf(HasSubstr("ids.raw: 16 bytes: expected 8 bytes, float32 [1,2]"), HasSubstr("native")));
  options.native_input_files = true;
  EXPECT_THAT(values_of<std::int64_t>(open_dataset(options, inputs)->load(0).at("ids")),
              ElementsAre(5, 1LL << 40));
}

TEST_F(DatasetTest, RawFileGivesOneFreeDimension) {
  file("a.raw", raw_bytes<float>({1, 2, 3, 4, 5, 6}));
  const DataOptions options = all_of(file("list.txt", "a.raw"));
  EXPECT_EQ(open_dataset(options, {model_input("x", DType::kFloat32, {-1, -1, 2})})
                ->load(0)
                .at("x")
                .shape(),
            (Shape{1, 3, 2}));
  EXPECT_THAT(open_error(options, {model_input("x", DType::kFloat32, {-1, -1, 4})}),
              HasSubstr("24 bytes: expected 16 bytes, float32 [1,1,4]"));
  EXPECT_THAT(open_error(options, {model_input("x", DType::kFloat32, {-1, -1, -1})}),
              HasSubstr("more than one free dimension [N,N,N]: fix them with --input-shape"));
}

TEST_F(DatasetTest, RawErrors) {
  file("ok.raw", raw_bytes<float>({1, 2}));
  file("short.raw", raw_bytes<float>({1}));
  file("half.raw", raw_bytes<float>({1, 0.5F}));
  file("empty.raw", "");
  const auto message = [&](const std::string& list, ErrorCode code = ErrorCode::kInvalidData) {
    return open_error(all_of(file("list.txt", list)), x_, code);
  };
  EXPECT_THAT(message("ok.raw\nshort.raw"),
              HasSubstr("short.raw: 4 bytes: expected 8 bytes, float32 [1,2] for the model input "
                        "'x'"));
  EXPECT_THAT(message("empty.raw"), HasSubstr("empty.raw: 0 bytes: expected 8 bytes"));
  EXPECT_THAT(message("ok.raw\ngone.raw", ErrorCode::kIo), HasSubstr("gone.raw"));
  EXPECT_THAT(message("# only outputs\n"), HasSubstr("no inferences in this input list"));
  EXPECT_THAT(message("y:=ok.raw z:=ok.raw"), HasSubstr("'y' is no input of the model"));
  EXPECT_THAT(
      open_error(all_of(file("ids.txt", "half.raw")), {model_input("ids", DType::kInt64, {1, 2})}),
      HasSubstr("half.raw: element 1 is 0.5, which int64 cannot hold"));
}

// ---- batches

TEST_F(DatasetTest, FixedBatchStacksConsecutiveSamples) {
  const std::vector<ModelInput> inputs{model_input("x", DType::kFloat32, {2, 2})};
  const std::string path = npy("x.npy", floats({5, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  const auto dataset = open_dataset(all_of(path), inputs);
  EXPECT_EQ(dataset->batch_size(), 2);
  EXPECT_EQ(dataset->size(), 2);  // the fifth sample has no partner
  EXPECT_EQ(dataset->load(1).at("x").shape(), (Shape{2, 2}));
  EXPECT_THAT(values_of<float>(dataset->load(1).at("x")), ElementsAre(5, 6, 7, 8));
  EXPECT_EQ(dataset->describe(1), "x.npy[2] .. x.npy[3]");
  DataOptions one = all_of(path);
  one.samples = 1;
  EXPECT_THAT(open_error(one, inputs),
              HasSubstr("1 samples cannot fill the model's fixed batch of 2"));
}

TEST_F(DatasetTest, FixedBatchOfImagesAndRawFiles) {
  for (const int value : {1, 2, 3, 4}) file("d/" + std::to_string(value) + ".ppm", ppm(value));
  const auto dataset =
      open_dataset(images("d"), {model_input("image", DType::kFloat32, {2, 1, 2, 2})});
  EXPECT_EQ(dataset->size(), 2);
  EXPECT_THAT(values_of<float>(dataset->load(1).at("image")), ElementsAre(3, 3, 3, 3, 4, 4, 4, 4));

  const std::vector<ModelInput> inputs{model_input("x", DType::kFloat32, {2, 1})};
  file("a.raw", raw_bytes<float>({1}));
  file("b.raw", raw_bytes<float>({2}));
  const auto single = open_dataset(all_of(file("single.txt", "a.raw\nb.raw\n")), inputs);
  EXPECT_EQ(single->size(), 1);
  EXPECT_EQ(single->batch_size(), 2);
  EXPECT_THAT(values_of<float>(single->load(0).at("x")), ElementsAre(1, 2));
  file("ab.raw", raw_bytes<float>({3, 4}));
  const auto whole = open_dataset(all_of(file("whole.txt", "ab.raw\n")), inputs);
  EXPECT_EQ(whole->batch_size(), 1);
  EXPECT_THAT(values_of<float>(whole->load(0).at("x")), ElementsAre(3, 4));
}

TEST_F(DatasetTest, RowsOfWholeBatchesAreNotStacked) {
  const auto dataset = open_dataset(all_of(npy("x.npy", Tensor(DType::kFloat32, {3, 4, 2}))),
                                    {model_input("x", DType::kFloat32, {4, 2})});
  EXPECT_EQ(dataset->size(), 3);
  EXPECT_EQ(dataset->batch_size(), 1);
}

// ---- labels

TEST_F(DatasetTest, LabelFiles) {
  const DataOptions options = all_of(npy("x.npy", Tensor(DType::kFloat32, {3, 2})));
  EXPECT_FALSE(has_labels(options));
  npy("l.npy", int64s({3}, {4, 5, 6}));
  EXPECT_THAT(read_labels(at("l.npy"), options), ElementsAre(4, 5, 6));
  npy("column.npy", Tensor::from<std::uint8_t>({3, 1}, std::vector<std::uint8_t>{1, 2, 3}));
  EXPECT_THAT(read_labels(at("column.npy"), options), ElementsAre(1, 2, 3));
  file("l.txt", "7\n8\n\n9\n");
  EXPECT_THAT(read_labels(at("l.txt"), options), ElementsAre(7, 8, 9));
  file("l.csv", "path,label\na,1\nb,2\nc,3\n");
  EXPECT_THAT(read_labels(at("l.csv"), options), ElementsAre(1, 2, 3));
  DataOptions even = options;
  even.samples = 2;
  even.skip = 1;
  even.sampling = Sampling::kEven;
  EXPECT_THAT(read_labels(at("l.npy"), even), ElementsAre(5, 6));
}

TEST_F(DatasetTest, LabelsOfImagesAreMatchedByPath) {
  file("d/a.ppm", ppm(1));
  file("d/b.ppm", ppm(2));
  file("all.csv", "d/b.ppm,2\nd/other.ppm,3\nd/../d/a.ppm,1\n");
  EXPECT_THAT(read_labels(at("all.csv"), images("d")), ElementsAre(1, 2));
  file("part.csv", "d/b.ppm,2\n");
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [&] { static_cast<void>(read_labels(at("part.csv"), images("d"))); }),
              HasSubstr("part.csv: no label for sample 0 (a.ppm)"));
}

TEST_F(DatasetTest, LabelErrors) {
  const DataOptions options = all_of(npy("x.npy", Tensor(DType::kFloat32, {2, 2})));
  const auto message = [&](const std::string& path, ErrorCode code = ErrorCode::kInvalidData) {
    return error_of(code, [&] { static_cast<void>(read_labels(path, options)); });
  };
  EXPECT_THAT(message(""), HasSubstr("no labels: give --labels"));
  EXPECT_THAT(message(file("three.txt", "1\n2\n3\n")),
              HasSubstr("three.txt: 3 labels for 2 samples"));
  EXPECT_THAT(message(file("minus.txt", "1\n-2\n")),
              HasSubstr("minus.txt: label -2 of sample 1 (x.npy[1]): expected 0 or more"));
  EXPECT_THAT(message(file("word.txt", "1\ndog\n")), HasSubstr("word.txt:2: 'dog'"));
  EXPECT_THAT(message(npy("f.npy", floats({2}, {1, 2}))), HasSubstr("f.npy: float32 [2]"));
  EXPECT_THAT(message(npy("m.npy", int64s({1, 2}, {1, 2}))), HasSubstr("m.npy: int64 [1,2]"));
  EXPECT_THAT(message("/no/labels.txt", ErrorCode::kIo), HasSubstr("/no/labels.txt"));
  check_labels({0, 9}, 10);
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [] {
                         check_labels({0, 10}, 10);
                       }),
              HasSubstr("label 10 of sample 1: the model has 10 classes, expected 0 to 9"));
}

// ---- threads

TEST_F(DatasetTest, LoadsFromSeveralThreads) {
  file("d/a.ppm", ppm(1));
  file("d/b.ppm", ppm(2));
  std::vector<float> values(200);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const auto arrays = open_dataset(all_of(npy("x.npy", floats({100, 2}, values))), x_);
  const auto pictures = open_dataset(images("d"), image_);
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (std::int64_t i = 0; i < 100; ++i) {
          wrong += arrays->load(i).at("x").data<float>()[1] != static_cast<float>(2 * i + 1);
          wrong +=
              pictures->load(i % 2).at("image").data<float>()[3] != static_cast<float>(i % 2 + 1);
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace hexquant::data
