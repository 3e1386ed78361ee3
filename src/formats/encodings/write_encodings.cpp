#include "formats/encodings/write_encodings.h"

#include "formats/encodings/encoding_table.h"

namespace hexquant::formats {

Json encodings_json(const graph::Graph& graph, const quant::EncodingTable& encodings,
                    EncodingsVersion version, Findings& findings) {
  EncodingFile file = encoding_file(graph, encodings, version, findings);
  file.envelope["producer"] = "hexquant";
  return encodings_json(file);
}

Json quantization_overrides(const graph::Graph& graph, const quant::EncodingTable& encodings,
                            const std::vector<std::string>& float_tensors) {
  constexpr int kFloatBits = 16;  // the only float type that the HTP computes in
  quant::EncodingTable integers = encodings;
  for (const std::string& name : float_tensors) integers.tensors.erase(name);
  Findings blocks_left_out;
  EncodingFile file = encoding_file(graph, integers, EncodingsVersion::k0_6_1, blocks_left_out);
  for (const std::string& name : float_tensors) {
    EncodingEntry entry;
    entry.name = name;
    entry.group =
        graph.find_initializer(name) == nullptr ? EntryGroup::kActivation : EntryGroup::kParameter;
    entry.is_float = true;
    entry.bits = kFloatBits;
    file.entries.push_back(std::move(entry));
  }
  return encodings_json(file);
}

}  // namespace hexquant::formats
