#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/column.h"
#include "data/labels_csv.h"

namespace hexquant::data {

/// One column of a data source.
struct SourceColumn {
  std::string input;        ///< model input it names; "" = none
  bool name_binds = false;  ///< the user wrote the name: it must be an input of the model
  std::string origin;       ///< file or folder, for messages
  std::unique_ptr<Column> column;
};

/// Data as found, before it meets a model.
struct Sources {
  std::vector<SourceColumn> columns;
  std::int64_t rows = 0;                  ///< of every column
  std::vector<LabelledFile> image_files;  ///< in row order; empty when there are no image files
  bool has_label_file = false;            ///< image_files come from a labels.csv
};

/// Opens everything that `sources` name (see DataOptions::sources).
/// @throws Error(kInvalidData / kIo): unknown kind of file, no samples, columns of different length
[[nodiscard]] Sources open_sources(const std::vector<std::string>& sources);

}  // namespace hexquant::data
