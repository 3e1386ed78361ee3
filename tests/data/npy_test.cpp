#include "data/npy.h"

#include <cmath>
#include <limits>

#include "core/float16.h"
#include "data/array_rows.h"
#include "data/convert.h"
#include "data/npz.h"
#include "data/zip_archive.h"
#include "data_testing.h"

namespace hexquant::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::span<const std::byte> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// An .npy file of format 1.0 with the given dictionary.
std::string npy_file(const std::string& dictionary, const std::string& data) {
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(dictionary.size() & 0xFF);
  out += static_cast<char>(dictionary.size() >> 8);
  return out + dictionary + data;
}

Tensor parse(const std::string& file) {
  return parse_npy(as_bytes(file), "x.npy");
}

std::string parse_error(ErrorCode code, const std::string& file) {
  return error_of(code, [&] { static_cast<void>(parse(file)); });
}

TEST(Npy, ReadsEveryElementTypeOfNumpy) {
  for (const char* name : {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                           "float16", "float32", "float64"}) {
    const Tensor tensor = read_npy(test_data("arrays/" + std::string(name) + ".npy"));
    EXPECT_EQ(dtype_name(tensor.dtype()), name);
    EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
    EXPECT_THAT(to_doubles(tensor), ElementsAre(0, 1, 2, 3, 100, 127)) << name;
  }
  const Tensor bools = read_npy(test_data("arrays/bool.npy"));
  EXPECT_EQ(bools.dtype(), DType::kBool);
  EXPECT_THAT(to_doubles(bools), ElementsAre(0, 1, 1, 1, 1, 1));
}

TEST(Npy, ReadsVersions2And3AndFortranOrder) {
  for (const char* name : {"version2", "version3", "fortran"}) {
    const Tensor tensor = read_npy(test_data("arrays/" + std::string(name) + ".npy"));
    EXPECT_EQ(tensor.shape(), (Shape{2, 3, 4}));
    const auto values = values_of<float>(tensor);
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(values[i], static_cast<float>(i)) << name;
    }
  }
  EXPECT_EQ(read_npy(test_data("arrays/scalar.npy")).shape(), Shape{});
  EXPECT_EQ(read_npy(test_data("arrays/empty.npy")).shape(), (Shape{0, 4}));
}

TEST(Npy, RejectsOtherElementTypes) {
  const auto message = [](const char* name) {
    return error_of(ErrorCode::kUnsupported, [&] {
      static_cast<void>(read_npy(test_data("arrays/" + std::string(name) + ".npy")));
    });
  };
  EXPECT_THAT(message("big_endian"), HasSubstr("big_endian.npy: element type '>f4' (big-endian)"));
  EXPECT_THAT(message("structured"), HasSubstr("structured"));
  EXPECT_THAT(message("object"), HasSubstr("'|O'"));
  EXPECT_THAT(message("text"), HasSubstr("'<U2'"));
  EXPECT_THAT(message("complex"), HasSubstr("'<c16'"));
}

TEST(Npy, WritesWhatItReads) {
  const TempFolder folder;
  const auto path = folder.path() / "x.npy";
  for (const Shape& shape : {Shape{}, Shape{6}, Shape{2, 3}, Shape{1, 2, 3, 1}, Shape{0, 3}}) {
    Tensor tensor(DType::kInt16, shape);
    for (auto& value : tensor.mutable_data<std::int16_t>()) value = -7;
    write_npy(path, tensor);
    EXPECT_EQ(read_npy(path), tensor) << shape_text(shape);
  }
  // The bytes are those of numpy.save.
  EXPECT_EQ(npy_bytes(read_npy(test_data("arrays/float32.npy"))),
            read_file(test_data("arrays/float32.npy")));
  EXPECT_EQ(npy_bytes(read_npy(test_data("arrays/scalar.npy"))),
            read_file(test_data("arrays/scalar.npy")));
  EXPECT_THAT(error_of(ErrorCode::kUnsupported,
                       [] { static_cast<void>(npy_bytes(Tensor(DType::kInt4, {2}))); }),
              HasSubstr("int4"));
}

TEST(Npy, ReportsTruncation) {
  const std::string whole = read_file(test_data("arrays/float32.npy"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    parse_error(ErrorCode::kInvalidData, whole.substr(0, size));
  }
  EXPECT_THAT(parse_error(ErrorCode::kInvalidData, whole.substr(0, whole.size() - 1)),
              HasSubstr("x.npy: truncated: float32 [2,3] needs 24 bytes after the header, the file "
                        "has 23"));
  EXPECT_THAT(parse_error(ErrorCode::kInvalidData, "hello"), HasSubstr("not an .npy file"));
  EXPECT_THAT(error_of(ErrorCode::kIo, [] { static_cast<void>(read_npy("/nonexistent.npy")); }),
              HasSubstr("/nonexistent.npy"));
}

TEST(Npy, ReportsDamagedHeaders) {
  const std::string data(8, '\0');
  EXPECT_EQ(parse(npy_file("{'shape':(2,),'descr':\"<f4\",'fortran_order':True}", data)).shape(),
            Shape{2});
  EXPECT_EQ(
      parse(npy_file("{'descr': '<i4', 'fortran_order': False, 'shape': (2L,)}", data)).size(), 2);
  for (const char* dictionary :
       {"", "{", "{}", "[]", "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 2}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'other': 1}",
        "{'descr: '<f4', 'fortran_order': False, 'shape': (2,)}"}) {
    EXPECT_THAT(parse_error(ErrorCode::kInvalidData, npy_file(dictionary, data)),
                HasSubstr("damaged .npy header"))
        << dictionary;
  }
  for (const char* shape : {"(4611686018427387904, 4)", "(4611686018427387904, 4, 0)"}) {
    const std::string dictionary =
        "{'descr': '<f4', 'fortran_order': False, 'shape': " + std::string(shape) + "}";
    EXPECT_THAT(parse_error(ErrorCode::kInvalidData, npy_file(dictionary, data)),
                HasSubstr("too large"));
  }
}

TEST(Npy, RejectsBoolsThatAreNone) {
  EXPECT_THAT(parse_error(ErrorCode::kInvalidData,
                          npy_file("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}",
                                   std::string("\x01\x02", 2))),
              HasSubstr("bool element 1 is stored as 2"));
}

TEST(Npz, ReadsStoredAndCompressedArchives) {
  for (const char* name : {"arrays/stored.npz", "arrays/deflated.npz"}) {
    const auto arrays = read_npz(test_data(name));
    ASSERT_EQ(arrays.size(), 3U);
    EXPECT_EQ(arrays.at("a"), read_npy(test_data("arrays/version2.npy")));
    EXPECT_EQ(arrays.at("f"), arrays.at("a"));
    EXPECT_EQ(arrays.at("b"), read_npy(test_data("arrays/int64.npy")));
  }
}

TEST(Npz, WritesWhatItReads) {
  const TempFolder folder;
  const auto path = folder.path() / "x.npz";
  const std::map<std::string, Tensor> arrays{
      {"ids", Tensor::from<std::int64_t>({2, 2}, std::vector<std::int64_t>{1, -2, 3, 4})},
      {"mask", Tensor(DType::kFloat32, {0})}};
  write_npz(path, arrays);
  EXPECT_EQ(read_npz(path), arrays);
}

TEST(Npz, EveryTruncationIsAnError) {
  for (const char* name : {"arrays/stored.npz", "arrays/deflated.npz"}) {
    const std::string whole = read_file(test_data(name));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      error_of(ErrorCode::kInvalidData,
               [&] { static_cast<void>(parse_npz(as_bytes(whole.substr(0, size)), "x.npz")); });
    }
  }
}

TEST(Npz, EveryDamagedContentByteIsFound) {
  for (const char* name : {"arrays/stored.npz", "arrays/deflated.npz"}) {
    const std::string whole = read_file(test_data(name));
    for (const ZipEntry& entry : read_zip_directory(as_bytes(whole), "x.npz")) {
      const auto content = extract(as_bytes(whole), entry, "x.npz");
      int unnoticed = 0;
      for (std::size_t i = 0; i < entry.compressed_bytes; ++i) {
        std::string damaged = whole;
        damaged[entry.data_offset + i] = static_cast<char>(damaged[entry.data_offset + i] ^ 0x10);
        // The last bits of a deflate stream may mean nothing.
        try {
          EXPECT_EQ(extract(as_bytes(damaged), entry, "x.npz"), content) << i;
          ++unnoticed;
        } catch (const Error&) {
        }
      }
      EXPECT_LE(unnoticed, entry.deflated ? 1 : 0);
    }
  }
}

/// Little-endian number into an archive.
void patch(std::string& archive, std::size_t offset, std::uint64_t value, int width) {
  for (int i = 0; i < width; ++i) {
    archive[offset + static_cast<std::size_t>(i)] = static_cast<char>((value >> (8 * i)) & 0xFF);
  }
}

TEST(Npz, NeverAllocatesMoreThanTheArchiveCanHold) {
  std::string archive = read_file(test_data("arrays/deflated.npz"));
  const std::size_t central = archive.find("PK\x01\x02");
  patch(archive, central + 24, 0x7FFFFFFF, 4);
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [&] { static_cast<void>(parse_npz(as_bytes(archive), "x.npz")); }),
              HasSubstr("compressed bytes cannot hold the announced 2147483647"));
}

TEST(Npz, RejectsEntriesThatShareTheirData) {
  std::string archive = zip_bytes({{"a.npy", std::string(200, 'x')}, {"b.npy", ""}});
  const std::size_t second = archive.rfind("PK\x01\x02");
  for (const std::size_t field : {20U, 24U}) patch(archive, second + field, 200, 4);
  patch(archive, second + 42, 0, 4);
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [&] { static_cast<void>(read_zip_directory(as_bytes(archive), "x.npz")); }),
              HasSubstr("overlap"));
}

TEST(Npz, RejectsWhatItCannotRead) {
  const std::string good = read_file(test_data("arrays/stored.npz"));
  const std::size_t central = good.find("PK\x01\x02");
  const auto patched = [&](std::size_t field, std::uint64_t value, ErrorCode code) {
    std::string archive = good;
    patch(archive, central + field, value, 2);
    return error_of(code, [&] { static_cast<void>(parse_npz(as_bytes(archive), "x.npz")); });
  };
  EXPECT_THAT(patched(8, 1, ErrorCode::kUnsupported), HasSubstr("encrypted"));
  EXPECT_THAT(patched(10, 12, ErrorCode::kUnsupported), HasSubstr("compression method 12"));
  const std::string twice = zip_bytes({{"a.npy", ""}, {"a.npy", ""}});
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [&] { static_cast<void>(parse_npz(as_bytes(twice), "x.npz")); }),
              HasSubstr("two entries are named 'a.npy'"));
  const std::string other = zip_bytes({{"readme.txt", "hello"}});
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [&] { static_cast<void>(parse_npz(as_bytes(other), "x.npz")); }),
              HasSubstr("x.npz[readme.txt]: not an .npy array"));
}

/// An archive as `good`, with its sizes, offsets and end record in zip64 form.
std::string as_zip64(const std::string& name, const std::string& content) {
  const std::string plain = zip_bytes({{name, content}});
  const std::size_t central = plain.find("PK\x01\x02");
  std::string archive = plain.substr(0, plain.size() - 22);
  patch(archive, central + 20, 0xFFFFFFFF, 4);
  patch(archive, central + 24, 0xFFFFFFFF, 4);
  patch(archive, central + 42, 0xFFFFFFFF, 4);
  patch(archive, central + 30, 28 + 6, 2);
  std::string extra(6 + 28, '\0');  // an unknown field of 2 bytes, then the zip64 one
  patch(extra, 0, 0x7777, 2);
  patch(extra, 2, 2, 2);
  patch(extra, 6, 1, 2);
  patch(extra, 8, 24, 2);
  patch(extra, 10, content.size(), 8);
  patch(extra, 18, content.size(), 8);
  patch(extra, 26, 0, 8);
  archive += extra;
  std::string end(56 + 20 + 22, '\0');
  end.replace(0, 4, "PK\x06\x06");
  patch(end, 32, 1, 8);
  patch(end, 48, central, 8);
  end.replace(56, 4, "PK\x06\x07");
  patch(end, 64, archive.size(), 8);
  end.replace(76, 4, "PK\x05\x06");
  patch(end, 86, 0xFFFF, 2);
  patch(end, 92, 0xFFFFFFFF, 4);
  return archive + end;
}

TEST(Npz, ReadsZip64) {
  const std::string content = read_file(test_data("arrays/int64.npy"));
  const auto arrays = parse_npz(as_bytes(as_zip64("b.npy", content)), "x.npz");
  EXPECT_EQ(arrays.at("b"), read_npy(test_data("arrays/int64.npy")));
}

TEST(ArrayRows, GivesTheSameRowsFromEveryKindOfFile) {
  const Tensor expected = read_npy(test_data("arrays/version2.npy"));
  std::vector<ArrayRows> all{ArrayRows::open_npy(test_data("arrays/version2.npy")),
                             ArrayRows::open_npy(test_data("arrays/fortran.npy"))};
  for (const char* name : {"arrays/stored.npz", "arrays/deflated.npz"}) {
    auto arrays = ArrayRows::open_npz(test_data(name));
    all.push_back(arrays.at("a"));
    all.push_back(arrays.at("f"));
  }
  for (const ArrayRows& array : all) {
    ASSERT_EQ(array.rows(), 2);
    EXPECT_EQ(array.row_shape(), (Shape{3, 4}));
    for (std::int64_t row = 0; row < 2; ++row) {
      const auto values = values_of<float>(array.row(row));
      ASSERT_EQ(values.size(), 12U);
      for (std::size_t i = 0; i < 12; ++i) {
        EXPECT_EQ(values[i], expected.data<float>()[static_cast<std::size_t>(row) * 12 + i]);
      }
    }
  }
  EXPECT_THAT(
      error_of(ErrorCode::kInvalidData,
               [] { static_cast<void>(ArrayRows::open_npy(test_data("arrays/scalar.npy"))); }),
      HasSubstr("first axis counts samples"));
}

TEST(ArrayRows, FileCutShortWhileOpenIsAnError) {
  const TempFolder folder;
  const auto path = folder.path() / "x.npy";
  write_npy(path, Tensor(DType::kFloat32, {4, 1000}));
  const ArrayRows array = ArrayRows::open_npy(path);
  std::filesystem::resize_file(path, 1000);
  EXPECT_THAT(error_of(ErrorCode::kIo, [&] { static_cast<void>(array.row(3)); }),
              HasSubstr("became shorter"));
}

TEST(ConvertExactly, KeepsValuesOrFails) {
  const Tensor ids = Tensor::from<std::int32_t>({3}, std::vector<std::int32_t>{-5, 0, 70000});
  EXPECT_THAT(values_of<std::int64_t>(convert_exactly(ids, DType::kInt64, "x")),
              ElementsAre(-5, 0, 70000));
  EXPECT_THAT(values_of<float>(convert_exactly(ids, DType::kFloat32, "x")),
              ElementsAre(-5.0F, 0.0F, 70000.0F));
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [&] { static_cast<void>(convert_exactly(ids, DType::kInt16, "x.npy")); }),
              HasSubstr("x.npy: element 2 is 70000, which int16 cannot hold"));
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [&] { static_cast<void>(convert_exactly(ids, DType::kUInt64, "x")); }),
              HasSubstr("element 0 is -5, which uint64 cannot hold"));
  const Tensor large = Tensor::from<std::int64_t>({1}, std::vector<std::int64_t>{(1 << 24) + 1});
  EXPECT_THAT(error_of(ErrorCode::kInvalidData,
                       [&] { static_cast<void>(convert_exactly(large, DType::kFloat32, "x")); }),
              HasSubstr("16777217"));
}

TEST(ConvertExactly, FloatsToIntegers) {
  const auto from_floats = [](std::vector<float> values, DType dtype) {
    const Shape shape{static_cast<std::int64_t>(values.size())};
    return convert_exactly(Tensor::from<float>(shape, values), dtype, "x");
  };
  EXPECT_THAT(values_of<std::int64_t>(from_floats({0.0F, -0.0F, 101.0F, -3.0F}, DType::kInt64)),
              ElementsAre(0, 0, 101, -3));
  EXPECT_THAT(values_of<std::uint8_t>(from_floats({255.0F}, DType::kUInt8)), ElementsAre(255));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {0.5F, 256.0F, -1.0F, nan, infinity}) {
    EXPECT_THROW(static_cast<void>(from_floats({bad}, DType::kUInt8)), Error) << bad;
  }
  for (const float bad : {9223372036854775808.0F, nan, -infinity}) {
    EXPECT_THROW(static_cast<void>(from_floats({bad}, DType::kInt64)), Error) << bad;
  }
  EXPECT_THAT(values_of<bool>(from_floats({0.0F, 1.0F}, DType::kBool)), ElementsAre(false, true));
  EXPECT_THROW(static_cast<void>(from_floats({2.0F}, DType::kBool)), Error);
}

TEST(ConvertExactly, FloatsMayBeRoundedButNotOverflow) {
  const Tensor doubles = Tensor::from<double>({2}, std::vector<double>{0.1, 1e30});
  EXPECT_THAT(values_of<float>(convert_exactly(doubles, DType::kFloat32, "x")),
              ElementsAre(0.1F, 1e30F));
  EXPECT_THROW(static_cast<void>(convert_exactly(doubles, DType::kFloat16, "x")), Error);
  const Tensor huge = Tensor::from<double>({1}, std::vector<double>{1e39});
  EXPECT_THROW(static_cast<void>(convert_exactly(huge, DType::kFloat32, "x")), Error);
  EXPECT_THROW(static_cast<void>(convert_exactly(huge, DType::kString, "x")), Error);
}

TEST(Float16, EveryHalfSurvivesTheWayThroughFloat) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float value = float16_to_float(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(float16_to_float(float_to_float16(value))));
    } else {
      ASSERT_EQ(float_to_float16(value), bits);
    }
  }
}

TEST(Float16, RoundsToNearestEven) {
  EXPECT_EQ(float_to_float16(1.0F + 0x1p-11F), 0x3C00);     // tie, down to even
  EXPECT_EQ(float_to_float16(1.0F + 0x3p-11F), 0x3C02);     // tie, up to even
  EXPECT_EQ(float_to_float16(1.0F + 0x1.01p-11F), 0x3C01);  // above the tie
  EXPECT_EQ(float_to_float16(0x1p-25F), 0x0000);            // tie below the smallest
  EXPECT_EQ(float_to_float16(0x1.8p-25F), 0x0001);
  EXPECT_EQ(float_to_float16(2047.9999F / 2048.0F), 0x3C00);  // carries into the exponent
  EXPECT_EQ(float_to_float16(65519.0F), 0x7BFF);
  EXPECT_EQ(float_to_float16(65520.0F), 0x7C00);
  EXPECT_EQ(float_to_float16(-65520.0F), 0xFC00);
}

}  // namespace
}  // namespace hexquant::data
