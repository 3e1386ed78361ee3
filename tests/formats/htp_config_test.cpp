#include "formats/htp_config/htp_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/file_io.h"
#include "hexquant/error.h"
#include "support/temp_folder.h"

namespace hexquant::formats {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::filesystem::path file(const std::string& name) {
  return std::filesystem::path(HEXQUANT_SOURCE_DIR) / "tests" / "formats" / "htp_config" / name;
}

NamedText no_inner(const std::string& name) {
  throw Error(ErrorCode::kIo, "no file " + name);
}

HtpConfig parse(const std::string& text, Findings& findings, const std::string& graph = {}) {
  return parse_htp_config({"htp.json", text}, no_inner, findings, graph);
}

HtpConfig parse(const std::string& text) {
  Findings findings;
  return parse(text, findings);
}

/// What a refused text is refused with.
std::string refusal(const std::string& text) {
  try {
    static_cast<void>(parse(text));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << error.what();
    return error.what();
  }
  return "accepted";
}

std::vector<std::string> ids(const Findings& findings) {
  std::vector<std::string> result;
  for (const Finding& finding : findings) result.push_back(finding.id);
  return result;
}

TEST(HtpConfig, ReadsTheArticlesFileAsItIsPrinted) {
  Findings findings;
  const HtpConfig config = read_htp_config(file("article.json"), findings);
  EXPECT_EQ(config.vtcm_mb, 8);
  EXPECT_EQ(config.dlbc, true);
  EXPECT_FALSE(config.dlbc_weights.has_value());
  EXPECT_EQ(config.planner.weight_cache_strategy, CacheStrategy::kGreedy);
  EXPECT_EQ(config.planner.activation_cache_strategy, CacheStrategy::kLru);
  EXPECT_EQ(config.planner.max_weight_cache_mb, 4);
  EXPECT_EQ(config.planner.prefer_vtcm_tiling, true);
  EXPECT_EQ(config.planner.max_tile_height, 64);
  EXPECT_EQ(config.planner.max_tile_width, 64);
  EXPECT_EQ(config.planner.tile_channels, 32);

  std::vector<std::string> keys;
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.id, "htp-config-not-expressible");
    EXPECT_THAT(finding.fix, HasSubstr("nearest: "));
    keys.push_back(finding.where.substr(finding.where.find(": ") + 2));
  }
  EXPECT_THAT(keys, ElementsAre("graph_config.dlbc_config.weight_cache_strategy",
                                "graph_config.dlbc_config.activation_cache_strategy",
                                "graph_config.dlbc_config.max_weight_cache_mb",
                                "graph_config.tiling_config.prefer_vtcm_tiling",
                                "graph_config.tiling_config.max_tile_height",
                                "graph_config.tiling_config.max_tile_width",
                                "graph_config.tiling_config.tile_channels"));
}

TEST(HtpConfig, WritesTheArticlesFileInTheFormTheBackendTakes) {
  Findings findings;
  const HtpConfig config = read_htp_config(file("article.json"), findings);
  const HtpConfigFiles files = write_htp_config(config, "net", "htp.json");
  EXPECT_EQ(files.inner, read_file(file("article_as_extensions.json")));
  const Json outer = parse_json(files.outer, "outer");
  EXPECT_EQ(outer["backend_extensions"]["config_file_path"], "htp.json");
  EXPECT_EQ(outer["backend_extensions"]["shared_library_path"], "libQnnHtpNetRunExtensions.so");
}

TEST(HtpConfig, ReadsBothFilesOfTheBackendExtensions) {
  Findings findings;
  const HtpConfig config = read_htp_config(file("outer.json"), findings, "net");
  EXPECT_THAT(ids(findings), IsEmpty());
  EXPECT_THAT(config.graph_names, ElementsAre("net"));
  EXPECT_EQ(config.vtcm_mb, 8);
  EXPECT_EQ(config.optimization, 3);
  EXPECT_EQ(config.hvx_threads, 4);
  EXPECT_EQ(config.dlbc, true);
  EXPECT_EQ(config.dlbc_weights, false);
  EXPECT_EQ(config.soc_model, 57);
  EXPECT_EQ(config.dsp_arch, "v75");
  EXPECT_EQ(config.pd_session, "unsigned");
  EXPECT_EQ(config.perf_profile, "burst");
  EXPECT_EQ(config.graph_options["short_depth_conv_on_hmx_off"], true);
  EXPECT_EQ(config.graph_options["finalize_config"]["P"], 1);
  EXPECT_EQ(config.device_options["profiling_level"], "linting");
  EXPECT_EQ(config.core_options["rpc_polling_time"], 9999);
  EXPECT_EQ(config.more_cores.size(), 1U);
  EXPECT_EQ(config.more_devices.size(), 1U);
  EXPECT_EQ(config.context["graph_splitting_configs"]["num_prepare_threads"], 2);
  EXPECT_EQ(config.group_context["share_resources"], true);
  EXPECT_EQ(config.memory["mem_type"], "shared_buffer");
  EXPECT_EQ(config.tool_options["context_configs"]["priority"], "normal");
  // Read alone, the inner file says the same but for what stands in the outer one.
  HtpConfig inner = read_htp_config(file("inner.json"), findings);
  inner.tool_options = config.tool_options;
  EXPECT_EQ(inner, config);
}

TEST(HtpConfig, WhatIsWrittenReadsTheSame) {
  Findings findings;
  const HtpConfig config = read_htp_config(file("outer.json"), findings);
  const test::TempFolder folder;
  const HtpConfigFiles files = write_htp_config(config, "net", "inner.json");
  write_file(folder.path() / "outer.json", files.outer);
  write_file(folder.path() / "inner.json", files.inner);
  EXPECT_EQ(read_htp_config(folder.path() / "outer.json", findings), config);
  EXPECT_THAT(ids(findings), IsEmpty());
  // Nothing that was said is lost: the original's keys are all there.
  const Json inner = parse_json(files.inner, "inner");
  const Json original =
      parse_json(read_file(file("inner.json")), "original", JsonComments::kPassedOver);
  EXPECT_EQ(nlohmann::json(inner["devices"]), nlohmann::json(original["devices"]));
  EXPECT_EQ(inner["graphs"][0].size(), original["graphs"][0].size());
}

TEST(HtpConfig, NothingSaidIsNothingWritten) {
  const HtpConfigFiles files = write_htp_config(HtpConfig{}, "g", "i.json");
  EXPECT_EQ(parse_json(files.inner, "inner"),
            Json({{"graphs", Json::array({{{"graph_names", Json::array({"g"})}}})}}));
}

TEST(HtpConfig, UnknownKeysAreNamedWithTheNearest) {
  EXPECT_THAT(refusal(R"({"graphs":[{"vtcm_md":8}]})"),
              HasSubstr("htp.json: graphs[0].vtcm_md: unknown key: did you mean 'vtcm_mb'?"));
  EXPECT_THAT(refusal(R"({"graph_config":{"tiling_config":{"max_tile_heigth":8}}})"),
              HasSubstr("graph_config.tiling_config.max_tile_heigth: unknown key: did you mean "
                        "'max_tile_height'?"));
  EXPECT_THAT(refusal(R"({"devices":[{"cores":[{"speed":1}]}]})"),
              HasSubstr("devices[0].cores[0].speed: unknown key: expected one of core_id, "));
  EXPECT_THAT(refusal(R"({"graphs":[],"device":[]})"), HasSubstr("did you mean 'devices'?"));
  EXPECT_THAT(refusal(R"({"context":{"graph_splitting_configs":{"threads":1}}})"),
              HasSubstr("context.graph_splitting_configs.threads: unknown key"));
}

TEST(HtpConfig, WrongTypesAndRangesAreNamed) {
  EXPECT_THAT(refusal(R"({"graphs":[{"vtcm_mb":"8"}]})"),
              HasSubstr("graphs[0].vtcm_mb: expected a whole number from 0 to 64, got \"8\""));
  EXPECT_THAT(refusal(R"({"graphs":[{"vtcm_mb":8388608}]})"), HasSubstr("from 0 to 64"));
  EXPECT_THAT(refusal(R"({"graphs":[{"O":4}]})"), HasSubstr("graphs[0].O: expected a whole number "
                                                            "from 1 to 3, got 4"));
  EXPECT_THAT(refusal(R"({"graphs":[{"O":2.5}]})"), HasSubstr("got 2.5"));
  EXPECT_THAT(refusal(R"({"graphs":[{"dlbc":2}]})"), HasSubstr("expected true, false, 0 or 1"));
  EXPECT_THAT(refusal(R"({"graphs":[{"graph_names":"net"}]})"), HasSubstr("expected a list"));
  EXPECT_THAT(refusal(R"({"graphs":[{"O":3,"finalize_config":{"P":7}}]})"),
              HasSubstr("graphs[0].finalize_config.P: expected one of 0-6, 8, 13"));
  EXPECT_THAT(refusal(R"({"devices":[{"pd_session":"secure"}]})"),
              HasSubstr("devices[0].pd_session: expected one of unsigned, signed"));
  EXPECT_THAT(refusal(R"({"devices":[{"cores":[{"rpc_polling_time":10000}]}]})"),
              HasSubstr("from 0 to 9999"));
  EXPECT_THAT(refusal(R"({"graph_config":{"dlbc_config":{"weight_cache_strategy":"fifo"}}})"),
              HasSubstr("expected one of none, greedy, lru, got \"fifo\""));
  EXPECT_THAT(refusal(R"({"context":[{},{}]})"), HasSubstr("context: expected one object"));
  EXPECT_THAT(refusal(R"({"graphs":[{"vtcm_size":1000}]})"), HasSubstr("at least 1048576"));
  EXPECT_THAT(refusal("[]"), HasSubstr("expected an object"));
}

TEST(HtpConfig, ExactlyOneFormIsExpected) {
  EXPECT_THAT(refusal("{}"), HasSubstr("expected exactly one of graph_config"));
  EXPECT_THAT(refusal(R"({"graph_config":{},"graphs":[]})"), HasSubstr("expected exactly one of"));
  EXPECT_THAT(refusal(R"({"backend_extensions":{"config_file_path":"a"},"graphs":[]})"),
              HasSubstr("expected exactly one of"));
  EXPECT_THAT(refusal(R"({"backend_extensions":{"shared_library_path":"a.so"}})"),
              HasSubstr("config_file_path"));
}

TEST(HtpConfig, OptionsThatExcludeEachOtherAreRefused) {
  EXPECT_THAT(refusal(R"({"graphs":[{"dlbc_weights":1}],"context":{"weight_sharing_enabled":1}})"),
              HasSubstr("context.weight_sharing_enabled"));
  EXPECT_THAT(refusal(R"({"devices":[{"dsp_arch":"v75","cores":[{"perf_profile":)"
                      R"("llm_decode_burst"}]}]})"),
              HasSubstr("llm_decode_burst needs v79"));
  EXPECT_THAT(refusal(R"({"graph_config":{"vtcm_mb":2,"dlbc_config":{"max_weight_cache_mb":4}}})"),
              HasSubstr("expected at most vtcm_mb (2), got 4"));
  EXPECT_EQ(refusal(R"({"graph_config":{"vtcm_mb":0,"dlbc_config":{"max_weight_cache_mb":4}}})"),
            "accepted");
}

TEST(HtpConfig, VtcmSizeWins) {
  Findings findings;
  EXPECT_EQ(parse(R"({"graphs":[{"vtcm_mb":4,"vtcm_size":8388608}]})", findings).vtcm_mb, 8);
  EXPECT_THAT(ids(findings), ElementsAre("htp-config-vtcm-size-wins"));
  findings.clear();
  EXPECT_EQ(parse(R"({"graphs":[{"vtcm_size":3000000}]})", findings).vtcm_mb, 2);
  EXPECT_THAT(ids(findings), ElementsAre("htp-config-vtcm-rounded"));
  findings.clear();
  EXPECT_EQ(parse(R"({"graphs":[{"vtcm_size":0}]})", findings).vtcm_mb, 0);
  EXPECT_THAT(ids(findings), IsEmpty());
}

TEST(HtpConfig, OldNamesAreTakenAndReported) {
  Findings findings;
  const HtpConfig config = parse(
      R"({"graphs":{"fp16_relaxed_precision":1},"devices":[{"soc_id":57}],"context":[{"group_id":0}]})",
      findings);
  EXPECT_EQ(config.soc_model, 57);
  EXPECT_EQ(config.fp16_relaxed_precision, true);
  EXPECT_EQ(config.context["group_id"], 0);
  EXPECT_THAT(ids(findings), ElementsAre("htp-config-deprecated", "htp-config-deprecated",
                                         "htp-config-deprecated"));
  findings.clear();
  EXPECT_EQ(parse(R"({"devices":[{"soc_id":43,"soc_model":57}]})", findings).soc_model, 57);
  EXPECT_THAT(findings, ElementsAre(Field(&Finding::reason, HasSubstr("overruled"))));
}

TEST(HtpConfig, WhatHasNoEffectIsReported) {
  Findings findings;
  static_cast<void>(parse(R"({"graphs":[{"finalize_config":{"P":3}}]})", findings));
  EXPECT_THAT(ids(findings), ElementsAre("htp-config-no-effect"));
  findings.clear();
  static_cast<void>(parse(R"({"graphs":[{"O":1}]})", findings));
  EXPECT_THAT(ids(findings), ElementsAre("htp-config-reserved"));
}

TEST(HtpConfig, TheNamedGraphIsTaken) {
  const std::string text =
      R"({"graphs":[{"graph_names":["a"],"vtcm_mb":2},{"graph_names":["b","c"],"vtcm_mb":4}]})";
  Findings findings;
  EXPECT_EQ(parse(text, findings, "c").vtcm_mb, 4);
  EXPECT_EQ(parse(text, findings, "a").vtcm_mb, 2);
  EXPECT_EQ(parse(text, findings).vtcm_mb, 2);
  EXPECT_EQ(ids(findings).size(), 3U);
  EXPECT_THAT(ids(findings), Each("htp-config-other-graphs"));
}

TEST(HtpConfig, AMissingInnerFileIsNamed) {
  const test::TempFolder folder;
  write_file(folder.path() / "o.json",
             R"({"backend_extensions":{"config_file_path":"absent.json"}})");
  Findings findings;
  try {
    static_cast<void>(read_htp_config(folder.path() / "o.json", findings));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_THAT(error.what(), HasSubstr("o.json: backend_extensions.config_file_path"));
    EXPECT_THAT(error.what(), HasSubstr("absent.json"));
  }
}

}  // namespace
}  // namespace hexquant::formats
