#include "formats/net_json/qnn_numbers.h"

#include <utility>

#include "core/format.h"
#include "hexquant/error.h"

namespace hexquant::formats {
namespace {

// Source: Qnn_DataType_t, Qnn_Definition_t and Qnn_QuantizationEncoding_t of the QNN interface.
constexpr int kUndefined = 0x7FFFFFFF;
constexpr int kDefined = 1;
enum QuantizationEncoding { kScaleOffset = 0, kAxisScaleOffset = 1, kBlock = 4 };

Json scale_offsets(const Encoding& encoding) {
  Json all = Json::array();
  for (std::size_t i = 0; i < encoding.scale.size(); ++i) {
    all.push_back({{"scale", encoding.scale[i]}, {"offset", -encoding.zero_point[i]}});
  }
  return all;
}

}  // namespace

int type_number(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return 0x0008;
    case DType::kInt16:
      return 0x0016;
    case DType::kInt32:
      return 0x0032;
    case DType::kInt64:
      return 0x0064;
    case DType::kUInt8:
      return 0x0108;
    case DType::kUInt16:
      return 0x0116;
    case DType::kUInt32:
      return 0x0132;
    case DType::kUInt64:
      return 0x0164;
    case DType::kFloat16:
      return 0x0216;
    case DType::kFloat32:
      return 0x0232;
    case DType::kFloat64:
      return 0x0264;
    case DType::kBool:
      return 0x0508;
    case DType::kString:
      return 0x0608;
    default:
      return kUndefined;
  }
}

int fixed_point_number(DType dtype) {
  switch (dtype) {
    case DType::kInt4:
      return 0x0304;
    case DType::kInt8:
      return 0x0308;
    case DType::kInt16:
      return 0x0316;
    case DType::kInt32:
      return 0x0332;
    case DType::kUInt4:
      return 0x0404;
    case DType::kUInt8:
      return 0x0408;
    case DType::kUInt16:
      return 0x0416;
    default:
      break;
  }
  throw Error(ErrorCode::kInternal, "no fixed-point type for " + dtype_name(dtype));
}

Json quant_params(const Encoding& encoding) {
  Json json;
  json["definition"] = kDefined;
  switch (encoding.granularity) {
    case Granularity::kTensor:
      json["encoding"] = static_cast<int>(kScaleOffset);
      json["scale_offset"] = {{"scale", encoding.scale.at(0)},
                              {"offset", -encoding.zero_point.at(0)}};
      break;
    case Granularity::kChannel:
      json["encoding"] = static_cast<int>(kAxisScaleOffset);
      json["axis_scale_offset"] = {{"axis", encoding.axis},
                                   {"num_scale_offsets", encoding.scale.size()},
                                   {"scale_offsets", scale_offsets(encoding)}};
      break;
    case Granularity::kGroup:
      json["encoding"] = static_cast<int>(kBlock);
      json["block_scale_offset"] = {{"axis", encoding.axis},
                                    {"block_size", encoding.block_size},
                                    {"scale_offsets", scale_offsets(encoding)}};
      break;
  }
  return json;
}

Json no_quant_params() {
  return {{"definition", kUndefined},
          {"encoding", kUndefined},
          {"scale_offset", {{"scale", 0.0}, {"offset", 0}}}};
}

}  // namespace hexquant::formats
