#include "formats/encodings/write_encodings.h"

#include "formats/encodings/encoding_table.h"

namespace hexquant::formats {

Json encodings_json(const graph::Graph& graph, const quant::EncodingTable& encodings,
                    EncodingsVersion version, Findings& findings) {
  EncodingFile file = encoding_file(graph, encodings, version, findings);
  file.envelope["producer"] = "hexquant";
  return encodings_json(file);
}

Json quantization_overrides(const graph::Graph& graph, const quant::EncodingTable& encodings) {
  Findings blocks_left_out;
  return encodings_json(encoding_file(graph, encodings, EncodingsVersion::k0_6_1, blocks_left_out));
}

}  // namespace hexquant::formats
