#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "formats/encodings/diff_encodings.h"
#include "formats/encodings/encoding_table.h"
#include "formats/encodings/write_encodings.h"
#include "formats/encodings_testing.h"
#include "hexquant/error.h"
#include "support/graph_builder.h"

namespace hexquant::formats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// x -> Conv(w [2, 3, 1, 1], b) ; g: MatMul-like Gemm weight [2, 32] (transB); l: MatMul [32, 2].
graph::Graph table_graph() {
  return test::GraphBuilder()
      .input("x", {1, 3, 4, 4})
      .input("m", {1, 32})
      .constant("w", {2, 3, 1, 1})
      .constant("b", {2})
      .constant("g", {2, 32})
      .constant("l", {32, 2})
      .node("Conv", {"x", "w", "b"}, {"y"}, {1, 2, 4, 4})
      .node("Gemm", {"m", "g"}, {"n"}, {1, 2}, {{"transB", std::int64_t{1}}})
      .node("MatMul", {"m", "l"}, {"o"}, {1, 2})
      .graph();
}

Encoding make(DType type, bool symmetric, Granularity granularity, int axis,
              std::vector<float> scale, std::int32_t zero_point = 0) {
  Encoding encoding;
  encoding.type = type;
  encoding.symmetric = symmetric;
  encoding.granularity = granularity;
  encoding.axis = axis;
  encoding.zero_point.assign(scale.size(), zero_point);
  encoding.scale = std::move(scale);
  if (granularity == Granularity::kGroup) encoding.block_size = 16;
  return encoding;
}

quant::EncodingTable table() {
  quant::EncodingTable table;
  table.tensors["x"] = make(DType::kUInt8, false, Granularity::kTensor, 0, {0.5F}, 3);
  table.tensors["w"] = make(DType::kInt8, true, Granularity::kChannel, 0, {0.25F, 0.125F});
  table.tensors["b"] = make(DType::kInt32, true, Granularity::kChannel, 0, {0.125F, 0.0625F});
  table.tensors["g"] = make(DType::kInt4, true, Granularity::kGroup, 1, {1, 2, 3, 4});
  table.tensors["l"] = make(DType::kInt4, true, Granularity::kGroup, 0, {1, 0.75F, 2, 1.25F});
  table.tensors["l"].block_int_scale = {2, 3, 4, 5};
  table.tensors["l"].channel_scale = {0.5F, 0.25F};
  return table;
}

std::string golden(const std::string& version) {
  return std::string(HEXQUANT_SOURCE_DIR) + "/tests/formats/golden/table_" + version + ".encodings";
}

TEST(EncodingTableFiles, EachVersionIsItsGoldenFile) {
  for (const char* version : {"0.6.1", "1.0.0", "2.0.0"}) {
    Findings findings;
    const Json file = encodings_json(table_graph(), table(), *find_version(version), findings);
    EXPECT_EQ(to_text(file), read_file(golden(version))) << version;
    if (version == std::string("0.6.1")) {
      EXPECT_THAT(ids(findings), ElementsAre("blocks-dropped g", "blocks-dropped l"));
    } else {
      EXPECT_THAT(findings, IsEmpty());
    }
  }
}

TEST(EncodingTableFiles, GoldenFilesGiveTheTableBack) {
  const graph::Graph graph = table_graph();
  const ModelView model{graph, rules()};
  for (const char* version : {"0.6.1", "1.0.0", "2.0.0"}) {
    Findings findings;
    quant::EncodingTable expected = table();
    if (version != std::string("2.0.0")) expected.tensors.erase("b");
    if (version == std::string("0.6.1")) expected.tensors.erase("g");
    if (version == std::string("0.6.1")) expected.tensors.erase("l");
    const auto read = encoding_table(read_encodings(golden(version)), model, findings);
    EXPECT_EQ(read.tensors, expected.tensors) << version;
    EXPECT_THAT(findings, IsEmpty());
  }
}

EncodingFile parse(const std::string& text) {
  return parse_encodings(text, "file");
}

std::string in_list(const std::string& entry) {
  return R"({"encodings":[)" + entry + "]}";
}

TEST(ReadEncodings, SignsOfOffsetAndZeroPoint) {
  const EncodingFile file =
      parse(in_list(R"({"name":"a","output_dtype":"uint8","y_scale":0.5,"y_zero_point":10},)"
                    R"({"name":"b","output_dtype":"int8","y_scale":0.5,"y_zero_point":-118},)"
                    R"({"name":"c","output_dtype":"int16","y_scale":0.5})"));
  // The same grid, once unsigned and once signed: offset -10 both times.
  EXPECT_THAT(file.entries[0].offset, ElementsAre(-10.0));
  EXPECT_THAT(file.entries[1].offset, ElementsAre(-10.0));
  EXPECT_THAT(file.entries[2].offset, ElementsAre(-32768.0));
  EXPECT_EQ(file.entries[0].symmetric, false);
  EXPECT_EQ(file.entries[1].symmetric, false);
  EXPECT_EQ(file.entries[2].symmetric, true);
  Findings findings;
  const EncodingFile old = convert_encodings(file, EncodingsVersion::k0_6_1, nullptr, findings);
  const Json expected = {{"bitwidth", 8}, {"dtype", "int"}, {"is_symmetric", "False"},
                         {"max", 122.5},  {"min", -5.0},    {"offset", -10},
                         {"scale", 0.5}};
  EXPECT_EQ(encodings_json(old).at("activation_encodings").at("a")[0], expected);
}

TEST(ReadEncodings, OverridesMayGiveAWidthARangeOrAScaleAlone) {
  const EncodingFile file = parse(
      R"({"activation_encodings":{"w":[{"bitwidth":16,"dtype":"int"}],"f":[{"bitwidth":16,"dtype":"float"}],
          "r":[{"bitwidth":8,"min":-1.0,"max":1.55}],"s":[{"bitwidth":8,"scale":0.5,"is_symmetric":"True"}]}})");
  EXPECT_EQ(file.entries[0].kind, ScaleKind::kNone);
  EXPECT_EQ(file.entries[0].bits, 16);
  EXPECT_FALSE(has_numbers(file.entries[0]));
  EXPECT_TRUE(file.entries[1].is_float);
  EncodingEntry range = file.entries[2];
  complete_entry(range);
  // (1.55 + 1) / 255 = 0.01; 0 lies on code 100.
  EXPECT_DOUBLE_EQ(range.scale[0], 0.01);
  EXPECT_DOUBLE_EQ(range.offset[0], -100.0);
  EXPECT_THAT(file.entries[3].offset, ElementsAre(-128.0));
  const std::string again = encodings_json(file).dump();
  EXPECT_EQ(encodings_json(parse(again)).dump(), again);
  EXPECT_THAT(again, HasSubstr(R"("w":[{"bitwidth":16,"dtype":"int"}])"));
  EXPECT_THAT(again, HasSubstr(R"("s":[{"bitwidth":8,"scale":0.5,"is_symmetric":"True"}])"));
}

TEST(ReadEncodings, ShiftedZeroPointsAreKept) {
  const std::string text =
      R"({"version":"1.0.0","activation_encodings":[],"param_encodings":[{"name":"w","enc_type":"PER_TENSOR","bw":2,)"
      R"("dtype":"INT","is_sym":true,"scale":[0.5],"offset":[-2],"zero_point_shift":[0.5]}]})";
  const EncodingFile file = parse(text);
  EXPECT_THAT(file.entries[0].offset, ElementsAre(-1.5));
  EXPECT_EQ(encodings_json(file).dump(), text);
}

TEST(ReadEncodings, UnknownKeysAndTheEnvelopeSurvive) {
  const std::string text =
      R"({"producer":{"package":"p"},"excluded_layers":[],"param_encodings":{"w":[{"x":1,"bitwidth":8,"scale":0.5,"offset":-128.0},)"
      R"({"bitwidth":8,"scale":0.25,"offset":-128.0}]},"version":"0.6.1","activation_encodings":{}})";
  EXPECT_EQ(encodings_json(parse(text)).dump(), text);
}

TEST(ReadEncodings, OtherVersionsOfALayoutAreRead) {
  EXPECT_EQ(parse(R"({"version":"0.5.0","param_encodings":{}})").version, EncodingsVersion::k0_6_1);
  EXPECT_EQ(parse(R"({"version":"2.1.0","encodings":[]})").version, EncodingsVersion::k2_0_0);
}

struct BadFile {
  const char* text;
  const char* message;
};

TEST(ReadEncodings, ErrorsNameTheKey) {
  const BadFile files[] = {
      {"{\n \"encodings\": [\n  {]}", "file:3:4: not valid JSON"},
      {"[]", "file: expected an object, got a list of 0"},
      {"{}", "expected activation_encodings and param_encodings (0.6.1, 1.0.0) or encodings"},
      {R"({"encodings":{"w":[]}})", "file: encodings: expected a list, got an object"},
      {R"({"version":"3.0.0","encodings":[]})", "file: version: expected 0.6.1, 1.0.0 or 2.0.0"},
      {R"({"version":"1.0.0","encodings":[]})", "file: version: expected 2.0.0"},
      {R"({"activation_encodings":{},"param_encodings":[]})",
       "file: param_encodings: expected the"},
      {R"({"activation_encodings":{"conv1":[{"bitwidth":8,"scale":1,"offset":"x"}]}})",
       R"(file: activation_encodings.conv1[0].offset: expected a number, got "x")"},
      {R"({"activation_encodings":{"a":[]}})", "activation_encodings.a: expected a list with at"},
      {R"({"activation_encodings":{"a":[{"scale":1,"offset":0}]}})",
       R"(activation_encodings.a[0]: expected a key "bitwidth", which is missing)"},
      {R"({"activation_encodings":{"a":[{"bitwidth":99}]}})",
       "a[0].bitwidth: expected a whole number from 1 to 32, got 99"},
      {R"({"activation_encodings":{"a":[{"bitwidth":8,"scale":0,"offset":0}]}})",
       "a[0].scale: expected a number above 0, got 0"},
      {R"({"activation_encodings":{"a":[{"bitwidth":8,"scale":1}]}})",
       R"(a[0]: expected a key "offset")"},
      {R"({"activation_encodings":{"a":[{"bitwidth":8,"min":2,"max":1}]}})",
       "a[0].max: expected a number not below min (2), got 1"},
      {R"({"activation_encodings":{"a":[{"bitwidth":8,"dtype":"fix"}]}})",
       R"(a[0].dtype: expected "int" or "float", got "fix")"},
      {R"({"activation_encodings":{"a":[{"bitwidth":8,"is_symmetric":"yes"}]}})",
       R"(a[0].is_symmetric: expected true, false, "True" or "False", got "yes")"},
      {R"({"param_encodings":{"w":[{"bitwidth":8,"scale":1,"offset":0},{"bitwidth":4,"scale":1,"offset":0}]}})",
       "w[1].bitwidth: expected 8 as in [0], got 4"},
      {R"({"param_encodings":{"w":[{"bitwidth":8,"scale":1,"offset":0},{"bitwidth":8}]}})",
       "w[1]: expected the same keys as in [0]"},
      {R"({"param_encodings":{"w":[{"bitwidth":8,"scale":1,"is_symmetric":"True"},{"bitwidth":8,"scale":1,"is_symmetric":"True","offset":-128}]}})",
       "w[1]: expected the same keys as in [0]"},
      {R"({"param_encodings":[{"name":"w","enc_type":"PER_ROW","bw":8,"dtype":"INT"}]})",
       "param_encodings[0].enc_type: expected PER_TENSOR, PER_CHANNEL, PER_BLOCK or LPBQ"},
      {R"({"param_encodings":[{"name":"w","enc_type":"PER_TENSOR","bw":8,"dtype":"INT","is_sym":true,"scale":[1,2],"offset":[0,0]}]})",
       "param_encodings[0].scale: expected a list of 1, got a list of 2"},
      {R"({"param_encodings":[{"name":"w","enc_type":"PER_CHANNEL","bw":8,"dtype":"INT","is_sym":true,"scale":[1,2],"offset":[0]}]})",
       "param_encodings[0].offset: expected a list of 2"},
      {R"({"param_encodings":[{"name":"w","enc_type":"LPBQ","bw":8,"compressed_bw":4,"block_size":8,"dtype":"INT","is_sym":true,"scale":[1],"offset":[-128],"per_block_int_scale":[17]}]})",
       "per_block_int_scale[0]: expected a whole number from 1 to 16, got 17"},
      {R"({"encodings":[{"name":"a","output_dtype":"int33","y_scale":1}]})",
       "encodings[0].output_dtype: expected uint8"},
      {R"({"encodings":[{"name":"a","output_dtype":"int8","y_scale":[1,2]}]})",
       R"(encodings[0]: expected a key "axis")"},
      {R"({"encodings":[{"name":"a","output_dtype":"int8","axis":0,"block_size":8,"y_scale":[[1,2],[3]]}]})",
       "encodings[0].y_scale[1]: expected a list of 2, as before it, got a list of 1"},
      {R"({"encodings":[{"name":"a","output_dtype":"uint8","y_scale":1,"y_zero_point":[1]}]})",
       "encodings[0].y_zero_point: expected as many zero points"},
      {R"({"encodings":[{"name":"a","output_dtype":"int4","axis":1,"block_size":8,"per_block_int_scale":[[1,2]],"per_channel_float_scale":[[1,2]]}]})",
       "per_channel_float_scale: expected lists of shape [1,1]"},
  };
  for (const BadFile& file : files) {
    try {
      (void)parse(file.text);
      ADD_FAILURE() << "accepted: " << file.text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
      EXPECT_THAT(error.what(), HasSubstr(file.message));
    }
  }
}

EncodingFile convert(const std::string& text, const char* version, Findings& findings) {
  return convert_encodings(parse(text), *find_version(version), nullptr, findings);
}

TEST(ConvertEncodings, WhatIsLostIsNamed) {
  const std::string overrides =
      R"({"activation_encodings":{"a":[{"bitwidth":16,"dtype":"int"}]},"param_encodings":{"w":[{"bitwidth":8,"scale":1,"offset":-128,"is_symmetric":"True"},)"
      R"({"bitwidth":8,"scale":2,"offset":-128,"is_symmetric":"True"}]},"quantizer_args":{}})";
  Findings findings;
  const EncodingFile file = convert(overrides, "2.0.0", findings);
  EXPECT_THAT(ids(findings),
              ElementsAre("key-dropped quantizer_args", "width-dropped a", "axis-assumed w"));
  EXPECT_EQ(entry(file, "w").axis, 0);

  findings.clear();
  (void)convert(in_list(R"({"name":"w","output_dtype":"int8","axis":1,"y_scale":[1,2]},)"
                        R"({"name":"f","output_dtype":"float8e4m3fn","y_scale":1},)"
                        R"({"name":"h","output_dtype":"float16"})"),
                "1.0.0", findings);
  EXPECT_THAT(ids(findings),
              ElementsAre("axis-dropped w", "float-type-dropped f", "groups-guessed 2 tensors"));

  findings.clear();
  const std::string wide =
      R"({"param_encodings":[{"name":"w","enc_type":"LPBQ","bw":6,"compressed_bw":4,"block_size":8,"dtype":"INT","is_sym":true,"scale":[1],"offset":[-32],"per_block_int_scale":[4]},)"
      R"({"name":"p","enc_type":"PER_BLOCK","bw":4,"block_size":8,"dtype":"INT","is_sym":true,"scale":[1,2],"offset":[-8,-8]}]})";
  (void)convert(wide, "2.0.0", findings);
  EXPECT_THAT(ids(findings), ElementsAre("grid-bits-dropped w", "blocks-need-model p"));

  findings.clear();
  (void)convert(wide, "0.6.1", findings);
  EXPECT_THAT(ids(findings), ElementsAre("blocks-dropped w", "blocks-dropped p"));
}

TEST(ConvertEncodings, AxesComeFromTheModel) {
  const graph::Graph graph = table_graph();
  const ModelView model{graph, rules()};
  Findings findings;
  const EncodingFile file = convert_encodings(
      parse(
          R"({"param_encodings":[{"name":"l","enc_type":"PER_CHANNEL","bw":8,"dtype":"INT","is_sym":true,"scale":[1,2],"offset":[-128,-128]}]})"),
      EncodingsVersion::k2_0_0, &model, findings);
  EXPECT_EQ(entry(file, "l").axis, 1);  // MatMul [32, 2]
  EXPECT_THAT(findings, IsEmpty());
}

TEST(ConvertEncodings, OfRepeatedEntriesTheLastStays) {
  Findings findings;
  const EncodingFile file = convert(in_list(R"({"name":"a","output_dtype":"uint8","y_scale":1},)"
                                            R"({"name":"a","output_dtype":"uint8","y_scale":2})"),
                                    "0.6.1", findings);
  ASSERT_EQ(file.entries.size(), 1U);
  EXPECT_THAT(file.entries[0].scale, ElementsAre(2.0));
  EXPECT_EQ(findings.front().id, "repeated-entry");
}

TEST(ToEncoding, RefusesWhatHasNoType) {
  EncodingEntry entry =
      parse(in_list(R"({"name":"a","output_dtype":"int8","y_scale":1})")).entries[0];
  EXPECT_EQ(to_encoding(entry, {}).type, DType::kInt8);
  entry.bits = 3;
  EXPECT_THROW((void)to_encoding(entry, {}), Error);
  entry.bits = 8;
  entry.offset = {-127.5};
  EXPECT_THROW((void)to_encoding(entry, {}), Error);
}

TEST(ToEncoding, StrictAndUnsignedSymmetricGrids) {
  const auto read = [](const char* offset) {
    return to_encoding(
        parse(
            std::string(
                R"({"param_encodings":{"w":[{"bitwidth":8,"scale":1,"is_symmetric":"True","offset":)") +
            offset + "}]}}")
            .entries[0],
        {});
  };
  EXPECT_TRUE(read("-127").strict);
  EXPECT_EQ(read("-127").zero_point.front(), 0);
  EXPECT_EQ(read("-127").q_min(), -127);
  EXPECT_EQ(read("0").type, DType::kUInt8);
  EXPECT_TRUE(read("0").symmetric);
  EXPECT_EQ(read("-128").type, DType::kInt8);
}

TEST(DiffEncodings, WorstFirstWhateverTheVersions) {
  const EncodingFile before = parse(
      R"({"activation_encodings":{"gone":[{"bitwidth":8,"scale":1,"offset":0}],"same":[{"bitwidth":8,"scale":1,"offset":-10}],
          "little":[{"bitwidth":8,"scale":1,"offset":0}],"much":[{"bitwidth":8,"scale":1,"offset":0}],
          "wider":[{"bitwidth":8,"scale":1,"offset":0}],"float":[{"bitwidth":16,"dtype":"float"}]}})");
  const EncodingFile after =
      parse(in_list(R"({"name":"new","output_dtype":"uint8","y_scale":1},)"
                    R"({"name":"same","output_dtype":"uint8","y_scale":1,"y_zero_point":10},)"
                    R"({"name":"little","output_dtype":"uint8","y_scale":1.01},)"
                    R"({"name":"much","output_dtype":"uint8","y_scale":2},)"
                    R"({"name":"wider","output_dtype":"uint16","y_scale":1},)"
                    R"({"name":"float","output_dtype":"uint16","y_scale":1})"));
  std::vector<std::string> rows;
  for (const EncodingDiff& diff : diff_encodings(before, after, 0.0)) {
    rows.push_back(std::string(diff_name(diff.kind)) + " " + diff.name);
  }
  EXPECT_THAT(rows, ElementsAre("removed gone", "added new", "type float", "width wider",
                                "numbers much", "numbers little"));
  const auto tolerant = diff_encodings(before, after, 0.02);
  EXPECT_EQ(tolerant.back().name, "much");
  // [0, 255] -> [0, 510]: the end moved by half of the longer range.
  EXPECT_DOUBLE_EQ(tolerant.back().change, 0.5);
  EXPECT_EQ(tolerant.back().before, "uint8, scale 1, offset 0");
}

TEST(DiffEncodings, BlocksOfBothOrdersAreEqual) {
  const EncodingFile file = read_encodings(golden("1.0.0"));
  const EncodingFile same = read_encodings(golden("2.0.0"));
  const auto diffs = diff_encodings(file, same, 0.0);
  ASSERT_EQ(diffs.size(), 1U);
  EXPECT_EQ(diffs[0].name, "b");
  EXPECT_EQ(diffs[0].kind, DiffKind::kAdded);
}

}  // namespace
}  // namespace hexquant::formats
