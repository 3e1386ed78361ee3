#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "formats/onnx/onnx_io.h"
#include "hexquant/error.h"
#include "support/onnx_bytes.h"
#include "support/temp_folder.h"

namespace hexquant::formats {
namespace {

using test::identity_graph;
using test::model_bytes;
using test::ProtoBytes;
using test::TempFolder;
using test::tensor_bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace field = test::onnx_field;

graph::Graph model_with(const ProtoBytes& initializer, const std::filesystem::path& folder = {}) {
  ProtoBytes graph = identity_graph();
  return parse_onnx(model_bytes(graph.message(field::kInitializer, initializer)), "m.onnx", folder);
}

/// The initializer `w`, after it survived a round trip.
Tensor read_back(const ProtoBytes& initializer) {
  const graph::Graph graph = model_with(initializer);
  const Tensor tensor = *graph.find_initializer("w");
  EXPECT_TRUE(*parse_onnx(serialize_onnx(graph), "again").find_initializer("w") == tensor);
  return tensor;
}

std::string error_of(const ProtoBytes& initializer, ErrorCode expected = ErrorCode::kInvalidModel,
                     const std::filesystem::path& folder = {}) {
  try {
    (void)model_with(initializer, folder);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), expected) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

std::string floats(const std::vector<float>& values) {
  return ProtoBytes::pod(values);
}

// ---- storage forms

TEST(TensorStorage, Floats) {
  const ProtoBytes raw = tensor_bytes("w", 1, {2, 1}).bytes(field::kRawData, floats({1.5F, -2}));
  EXPECT_THAT(read_back(raw).data<float>(), ElementsAre(1.5F, -2));
  EXPECT_EQ(read_back(raw).shape(), (Shape{2, 1}));
  const ProtoBytes typed = tensor_bytes("w", 1, {2}).bytes(field::kFloatData, floats({1.5F, -2}));
  EXPECT_THAT(read_back(typed).data<float>(), ElementsAre(1.5F, -2));
  const ProtoBytes unpacked =
      tensor_bytes("w", 1, {2}).float32(field::kFloatData, 3).float32(field::kFloatData, 4);
  EXPECT_THAT(read_back(unpacked).data<float>(), ElementsAre(3, 4));
  const ProtoBytes doubles =
      tensor_bytes("w", 11, {1}).bytes(field::kDoubleData, ProtoBytes::pod<double>({0.1}));
  EXPECT_THAT(read_back(doubles).data<double>(), ElementsAre(0.1));
}

TEST(TensorStorage, ScalarAndEmpty) {
  const ProtoBytes scalar = tensor_bytes("w", 1, {}).bytes(field::kRawData, floats({7}));
  EXPECT_EQ(read_back(scalar).shape(), Shape{});
  EXPECT_THAT(read_back(scalar).data<float>(), ElementsAre(7));
  EXPECT_EQ(read_back(tensor_bytes("w", 1, {0, 3})).shape(), (Shape{0, 3}));
  EXPECT_EQ(read_back(tensor_bytes("w", 1, {0}).bytes(field::kRawData, "")).size(), 0);
}

TEST(TensorStorage, Int32DataHoldsTheSmallTypes) {
  const auto of_type = [](int data_type, const std::vector<std::int64_t>& values) {
    return read_back(tensor_bytes("w", data_type, {static_cast<std::int64_t>(values.size())})
                         .packed(field::kInt32Data, values));
  };
  EXPECT_THAT(of_type(2, {0, 255}).data<std::uint8_t>(), ElementsAre(0, 255));
  EXPECT_THAT(of_type(3, {-128, 127}).data<std::int8_t>(), ElementsAre(-128, 127));
  EXPECT_THAT(of_type(4, {0, 65535}).data<std::uint16_t>(), ElementsAre(0, 65535));
  EXPECT_THAT(of_type(5, {-32768, 32767}).data<std::int16_t>(), ElementsAre(-32768, 32767));
  EXPECT_THAT(of_type(6, {-5, 6}).data<std::int32_t>(), ElementsAre(-5, 6));
  EXPECT_THAT(of_type(9, {1, 0}).data<bool>(), ElementsAre(true, false));
  EXPECT_THAT(to_doubles(of_type(10, {0x3C00, 0xC000})), ElementsAre(1, -2));
  EXPECT_THAT(to_doubles(of_type(16, {0x3F80})), ElementsAre(1));
}

TEST(TensorStorage, WideIntegers) {
  const ProtoBytes int64 = tensor_bytes("w", 7, {2}).packed(field::kInt64Data, {-1, 1LL << 40});
  EXPECT_THAT(read_back(int64).data<std::int64_t>(), ElementsAre(-1, 1LL << 40));
  const ProtoBytes uint64 = tensor_bytes("w", 13, {1}).packed(field::kUint64Data, {-1});
  EXPECT_THAT(read_back(uint64).data<std::uint64_t>(), ElementsAre(~std::uint64_t{0}));
  const ProtoBytes uint32 = tensor_bytes("w", 12, {1}).packed(field::kUint64Data, {0xFFFFFFFF});
  EXPECT_THAT(read_back(uint32).data<std::uint32_t>(), ElementsAre(0xFFFFFFFFU));
}

TEST(TensorStorage, Complex) {
  const ProtoBytes single = tensor_bytes("w", 14, {1}).bytes(field::kFloatData, floats({1, 2}));
  EXPECT_EQ(read_back(single).bytes(), 8U);
  const ProtoBytes wide =
      tensor_bytes("w", 15, {1}).bytes(field::kDoubleData, ProtoBytes::pod<double>({1, 2}));
  EXPECT_EQ(read_back(wide).bytes(), 16U);
}

TEST(TensorStorage, FourBitTypesArePackedTwoToAByte) {
  // -1 = 0xF low, 7 high; -8 low.
  const ProtoBytes raw = tensor_bytes("w", 22, {3}).bytes(field::kRawData, "\x7F\x08");
  EXPECT_THAT(to_doubles(read_back(raw)), ElementsAre(-1, 7, -8));
  const ProtoBytes typed = tensor_bytes("w", 21, {3}).packed(field::kInt32Data, {0x7F, 0x08});
  EXPECT_THAT(to_doubles(read_back(typed)), ElementsAre(15, 7, 8));
  EXPECT_THAT(error_of(tensor_bytes("w", 21, {3}).packed(field::kInt32Data, {1, 2, 3})),
              HasSubstr("3 values of data, expected 2 for uint4[3]"));
}

TEST(TensorStorage, FourBitTypesRaiseTheIrVersion) {
  const graph::Graph graph = model_with(tensor_bytes("w", 22, {2}).bytes(field::kRawData, "\x7F"));
  EXPECT_EQ(graph.info.ir_version, 8);
  EXPECT_EQ(parse_onnx(serialize_onnx(graph), "again").info.ir_version, 10);
}

TEST(TensorStorage, EightBitFloatsStayOpaque) {
  const graph::Graph graph =
      model_with(tensor_bytes("w", 17, {2}).bytes(field::kRawData, "\x38\x40"));
  ASSERT_NE(graph.producer("w"), nullptr);
  EXPECT_TRUE(graph.producer("w")->has_subgraph());
  const std::string written = serialize_onnx(graph);
  EXPECT_THAT(written, HasSubstr("\x38\x40"));
  EXPECT_EQ(serialize_onnx(parse_onnx(written, "again")), written);
}

// ---- sizes that do not fit

TEST(TensorErrors, WrongAmountOfData) {
  EXPECT_EQ(error_of(tensor_bytes("w", 1, {4, 4}).bytes(field::kRawData, std::string(48, 'x'))),
            "m.onnx: initializer 'w': 48 bytes of data, expected 64 for float32[4,4]");
  EXPECT_THAT(error_of(tensor_bytes("w", 1, {2})), HasSubstr("0 values of data, expected 2"));
  EXPECT_THAT(error_of(tensor_bytes("w", 7, {1}).packed(field::kInt64Data, {1, 2})),
              HasSubstr("2 values of data, expected 1 for int64[1]"));
  // int64 values in the field of 32-bit types
  EXPECT_THAT(error_of(tensor_bytes("w", 7, {1}).packed(field::kInt32Data, {1})),
              HasSubstr("0 values"));
}

TEST(TensorErrors, HugeShapesAreRefusedBeforeMemoryIsTaken) {
  EXPECT_THAT(error_of(tensor_bytes("w", 1, {1LL << 40, 1LL << 40})), HasSubstr("too large"));
  EXPECT_THAT(error_of(tensor_bytes("w", 1, {1LL << 50})), HasSubstr("expected 1125899906842624"));
  EXPECT_THAT(error_of(tensor_bytes("w", 11, {1LL << 62})), HasSubstr("initializer 'w'"));
  EXPECT_THAT(error_of(tensor_bytes("w", 1, {-1})), HasSubstr("negative dimension"));
}

TEST(TensorErrors, ValuesThatDoNotFitTheirType) {
  EXPECT_THAT(error_of(tensor_bytes("w", 2, {1}).packed(field::kInt32Data, {256})),
              HasSubstr("value 256 does not fit uint8"));
  EXPECT_THAT(error_of(tensor_bytes("w", 3, {1}).packed(field::kInt32Data, {-129})),
              HasSubstr("value -129 does not fit int8"));
  EXPECT_THAT(error_of(tensor_bytes("w", 12, {1}).packed(field::kUint64Data, {1LL << 33})),
              HasSubstr("does not fit uint32"));
}

TEST(TensorErrors, FormsThatAreNotRead) {
  EXPECT_THAT(error_of(tensor_bytes("w", 1, {0}).message(3, ProtoBytes().number(1, 0)),
                       ErrorCode::kUnsupported),
              HasSubstr("segments"));
  ProtoBytes graph = identity_graph();
  graph.message(field::kSparse, ProtoBytes().message(1, tensor_bytes("s", 1, {1})));
  try {
    (void)parse_onnx(model_bytes(graph), "m.onnx");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr("initializer 's' is a sparse tensor"));
  }
  EXPECT_THAT(error_of(tensor_bytes("", 1, {0})), HasSubstr("an initializer has no name"));
  EXPECT_THAT(error_of(tensor_bytes("w", 0, {0})), HasSubstr("without element type"));
  EXPECT_THAT(error_of(tensor_bytes("x", 1, {0}).bytes(field::kTensorName, "y")),
              HasSubstr("'y' is defined twice"));
}

// ---- external data

ProtoBytes external(int data_type, const std::vector<std::int64_t>& dims,
                    const std::vector<std::pair<std::string, std::string>>& entries) {
  ProtoBytes tensor = tensor_bytes("w", data_type, dims);
  for (const auto& [key, value] : entries) {
    tensor.message(field::kExternalData, ProtoBytes().bytes(1, key).bytes(2, value));
  }
  return tensor.number(field::kDataLocation, 1);
}

class ExternalDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_.path() / "model" / "sub");
    write_file(here() / "w.bin", floats({1, 2, 3, 4}));
    write_file(here() / "sub" / "w.bin", floats({5}));
    write_file(folder_.path() / "secret.bin", floats({6}));
  }
  [[nodiscard]] std::filesystem::path here() const { return folder_.path() / "model"; }
  [[nodiscard]] Tensor read(const ProtoBytes& tensor) const {
    return *model_with(tensor, here()).find_initializer("w");
  }
  [[nodiscard]] std::string error(const ProtoBytes& tensor,
                                  ErrorCode code = ErrorCode::kInvalidModel) const {
    return error_of(tensor, code, here());
  }

 private:
  TempFolder folder_;
};

TEST_F(ExternalDataTest, WholeFileOffsetAndLength) {
  EXPECT_THAT(read(external(1, {4}, {{"location", "w.bin"}})).data<float>(),
              ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(read(external(1, {2}, {{"location", "w.bin"}, {"offset", "4"}, {"length", "8"}}))
                  .data<float>(),
              ElementsAre(2, 3));
  EXPECT_THAT(read(external(1, {1}, {{"location", "sub/../sub/w.bin"}})).data<float>(),
              ElementsAre(5));
  EXPECT_EQ(read(external(1, {0}, {{"location", "w.bin"}, {"offset", "16"}})).size(), 0);
}

TEST_F(ExternalDataTest, MisalignedElementsAreMoved) {
  // Bytes 2..5 of 1.0f, 2.0f (00 00 80 3F 00 00 00 40): 80 3F 00 00.
  const Tensor tensor = read(external(6, {1}, {{"location", "w.bin"}, {"offset", "2"}}));
  EXPECT_THAT(tensor.data<std::int32_t>(), ElementsAre(0x3F80));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.raw()) % alignof(std::int32_t), 0U);
}

TEST_F(ExternalDataTest, TensorsOutliveTheGraph) {
  Tensor kept;
  {
    const graph::Graph graph = model_with(external(1, {4}, {{"location", "w.bin"}}), here());
    kept = *graph.find_initializer("w");
  }
  std::filesystem::remove(here() / "w.bin");
  EXPECT_THAT(kept.data<float>(), ElementsAre(1, 2, 3, 4));
  kept.mutable_data<float>()[0] = 9;
  EXPECT_THAT(kept.data<float>(), ElementsAre(9, 2, 3, 4));
}

TEST_F(ExternalDataTest, EscapesAreRefused) {
  for (const std::string& location :
       {std::string("../secret.bin"), std::string("sub/../../secret.bin"),
        std::string("/etc/passwd"), std::string("..")}) {
    EXPECT_THAT(error(external(1, {1}, {{"location", location}})),
                HasSubstr("lies outside the model's folder"))
        << location;
  }
  EXPECT_THAT(error(external(1, {1}, {{"location", std::string("w.bin\0x", 7)}})),
              HasSubstr("zero byte"));
}

TEST_F(ExternalDataTest, ErrorsNameModelTensorAndFile) {
  const std::string missing = error(external(1, {1}, {{"location", "none.bin"}}), ErrorCode::kIo);
  EXPECT_THAT(missing, HasSubstr("m.onnx: initializer 'w': external data: cannot read"));
  EXPECT_THAT(missing, HasSubstr("none.bin"));
  EXPECT_THAT(error(external(1, {1}, {{"location", "sub"}}), ErrorCode::kIo), HasSubstr("sub"));
  EXPECT_THAT(error(external(1, {5}, {{"location", "w.bin"}})),
              HasSubstr("'w.bin' is too short: 16 bytes at offset 0, needs 20"));
  EXPECT_THAT(error(external(1, {1}, {{"location", "w.bin"}, {"offset", "17"}})),
              HasSubstr("starts at byte 17 of 'w.bin', which has 16 bytes"));
  EXPECT_THAT(error(external(1, {1}, {{"location", "w.bin"}, {"offset", "18446744073709551615"}})),
              HasSubstr("starts at byte"));
  EXPECT_THAT(error(external(1, {1}, {{"location", "w.bin"}, {"length", "8"}})),
              HasSubstr("8 bytes of external data, expected 4"));
  EXPECT_THAT(error(external(1, {1}, {{"location", "w.bin"}, {"offset", "-4"}})),
              HasSubstr("offset '-4' is not a number"));
  EXPECT_THAT(error(external(1, {1}, {{"location", "w.bin"}, {"length", "4 "}})),
              HasSubstr("length '4 ' is not a number"));
  EXPECT_THAT(error(external(1, {1}, {})), HasSubstr("without a location"));
  EXPECT_THAT(error_of(external(1, {1}, {{"location", "w.bin"}})),
              HasSubstr("the model has no folder"));
}

TEST_F(ExternalDataTest, DataInsideSubgraphsIsEmbedded) {
  const ProtoBytes branch = ProtoBytes()
                                .message(1, test::node_bytes("Identity", {"w"}, {"z"}))
                                .message(5, external(1, {1}, {{"location", "sub/w.bin"}}))
                                .message(12, test::value_bytes("z", 1, {1}));
  const ProtoBytes value = ProtoBytes().bytes(1, "then_branch").number(20, 5).message(6, branch);
  ProtoBytes graph = identity_graph();
  graph.message(field::kNode, test::node_bytes("If", {"x"}, {"q"}, "if").message(5, value));
  const graph::Graph read = parse_onnx(model_bytes(graph), "m.onnx", here());
  const auto& opaque =
      std::get<graph::OpaqueAttribute>(*read.producer("q")->find_attribute("then_branch"));
  EXPECT_THAT(opaque.serialized, HasSubstr(floats({5})));
  EXPECT_EQ(opaque.serialized.find("w.bin"), std::string::npos);
}

}  // namespace
}  // namespace hexquant::formats
