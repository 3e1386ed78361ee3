#include "core/tensor_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "hexquant/error.h"

namespace hexquant {
namespace {

using ::testing::HasSubstr;

TensorFile small_file() {
  TensorFile file;
  file.header = {{"step", 7}, {"loss", 0.1}};
  file.tensors["a"] = Tensor::from<float>({2, 2}, {1.5F, -2.0F, 0.0F, 3.25F});
  file.tensors["b/empty"] = Tensor(DType::kInt64, {0, 3});
  file.tensors["c"] = Tensor::scalar<std::int64_t>(-9);
  return file;
}

std::string refusal(const std::string& bytes, const std::string& kind = "thing", int version = 2) {
  try {
    static_cast<void>(parse_tensor_file(bytes, "state", kind, version));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    return error.what();
  }
  return "accepted";
}

TEST(TensorFile, WhatIsWrittenIsRead) {
  const std::string bytes = tensor_file_bytes(small_file(), "thing", 2);
  EXPECT_EQ(bytes.substr(0, 8), "HQTENSOR");
  const TensorFile read = parse_tensor_file(bytes, "state", "thing", 2);
  EXPECT_EQ(read.header, small_file().header);
  EXPECT_EQ(read.tensors, small_file().tensors);
}

TEST(TensorFile, RefusesAnotherKindOrVersion) {
  const std::string bytes = tensor_file_bytes(small_file(), "thing", 2);
  EXPECT_THAT(refusal(bytes, "other"), HasSubstr("holds 'thing' version 2: expected 'other'"));
  EXPECT_THAT(refusal(bytes, "thing", 3), HasSubstr("expected 'thing' version 3"));
  EXPECT_THAT(refusal("{}"), HasSubstr("state: not a file of kind 'thing'"));
}

TEST(TensorFile, EveryCutIsFound) {
  const std::string bytes = tensor_file_bytes(small_file(), "thing", 2);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(refusal(bytes.substr(0, size)), "accepted") << size;
  }
  EXPECT_THAT(refusal(bytes + "x"), HasSubstr("1 bytes behind its end"));
}

TEST(TensorFile, AChangedElementIsFound) {
  std::string bytes = tensor_file_bytes(small_file(), "thing", 2);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  EXPECT_THAT(refusal(bytes), HasSubstr("damaged"));
}

TEST(TensorFile, AHugeTensorIsRefusedBeforeItIsMade) {
  const std::string header =
      R"({"kind":"thing","version":2,"digest":"","header":{},"tensors":[)"
      R"({"name":"a","dtype":"float32","shape":[1000000000000,1000000000000]}]})";
  std::string bytes = "HQTENSOR";
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(i == 0 ? header.size() : 0);
  ASSERT_LT(header.size(), 256U);
  EXPECT_THAT(refusal(bytes + header), HasSubstr("cut short"));
}

}  // namespace
}  // namespace hexquant
