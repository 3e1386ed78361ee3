#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/file_io.h"

namespace hexquant::formats {

/// A piece of a mapped data file; `bytes` keeps the mapping alive.
struct DataSlice {
  std::shared_ptr<const std::byte> bytes;
  std::size_t size_bytes = 0;
};

/// The data files beside one model. Each file is mapped once, when a tensor first asks for it.
class ExternalData {
 public:
  /// @param folder  the model's folder; nullopt for bytes without a place (external data is then an
  ///                error)
  explicit ExternalData(std::optional<std::filesystem::path> folder) : folder_(std::move(folder)) {}

  /// Gives every tensor made-up values of its size, for models that are looked at for their form
  /// only. No file is opened.
  [[nodiscard]] static ExternalData made_up();

  /// Bytes that the tensor's external_data entries (location, offset, length) point to.
  /// @param what      tensor, for messages
  /// @param expected_bytes  size by type and shape; nullopt takes the entry's own length
  /// @throws Error(kIo) missing file; Error(kInvalidModel) a location outside the folder, a file
  ///         that is too short, or a length other than expected
  [[nodiscard]] DataSlice slice(const onnx::TensorProto& tensor, const std::string& what,
                                std::optional<std::size_t> expected_bytes);

 private:
  DataSlice made_up_values(std::size_t size_bytes);
  std::shared_ptr<const MappedFile> open(const std::string& location, const std::string& what);

  std::optional<std::filesystem::path> folder_;
  bool is_made_up_ = false;
  std::shared_ptr<const std::vector<float>> values_;  ///< shared by all made-up tensors
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

}  // namespace hexquant::formats
