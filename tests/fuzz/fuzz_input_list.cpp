#include <cstddef>
#include <cstdint>
#include <string>

#include "data/input_list.h"
#include "data/labels_csv.h"
#include "fuzz_support.h"

/// Text files that name data: input lists and labels.csv. All lines of a list name the same inputs.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const std::string text(reinterpret_cast<const char*>(data), size_bytes);
  hexquant::fuzz::accepts([&] {
    const auto list = hexquant::data::parse_input_list(text, "fuzz");
    for (const auto& inference : list.inferences) {
      if (inference.size() != list.inferences.front().size()) __builtin_trap();
      for (std::size_t i = 0; i < inference.size(); ++i) {
        if (inference[i].input != list.inferences.front()[i].input) __builtin_trap();
        if (inference[i].path.empty()) __builtin_trap();
      }
    }
  });
  hexquant::fuzz::accepts([&] {
    for (const auto& file : hexquant::data::parse_labels_csv(text, "folder", "fuzz")) {
      if (file.path.empty()) __builtin_trap();
    }
  });
  return 0;
}
