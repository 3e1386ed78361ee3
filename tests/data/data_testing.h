#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/file_io.h"
#include "data/dataset.h"
#include "hexquant/error.h"
#include "support/temp_folder.h"

namespace hexquant::data {

using test::TempFolder;
using test::test_data;

/// Message of the one-line Error that `action` throws with `code`; "" (and a failure) without one.
inline std::string error_of(ErrorCode code, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_STREQ(error_code_name(error.code()), error_code_name(code)) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

/// Model input from numbers; -1 is a free dimension.
inline ModelInput model_input(const std::string& name, DType dtype, const Shape& shape) {
  ModelInput input{name, dtype, {}};
  for (const std::int64_t dim : shape) input.shape.push_back({dim, dim < 0 ? "N" : ""});
  return input;
}

/// All samples of `source`.
inline DataOptions all_of(const std::string& source) {
  DataOptions options;
  options.sources = {source};
  options.samples = 0;
  return options;
}

template <typename T>
std::vector<T> values_of(const Tensor& tensor) {
  const auto values = tensor.data<T>();
  return {values.begin(), values.end()};
}

template <typename T>
std::string raw_bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace hexquant::data
