#include "data/input_list.h"
#include "data/labels_csv.h"
#include "data/selection.h"
#include "data/text_lines.h"
#include "data_testing.h"

namespace hexquant::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TextLines, SkipsBlankLinesAndCountsThem) {
  const auto lines = text_lines(
      "\xEF\xBB\xBF"
      "a b \r\n\n\t\n  c\n\nd");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].text, "a b");
  EXPECT_EQ(lines[1].text, "c");
  EXPECT_EQ(lines[1].number, 4U);
  EXPECT_EQ(lines[2].text, "d");
  EXPECT_EQ(lines[2].number, 6U);
  EXPECT_THAT(text_lines(""), IsEmpty());
}

TEST(TextLines, NearestNamesComeFirst) {
  EXPECT_EQ(nearest_names("input_id", {"attention_mask", "token_type_ids", "input_ids"}),
            "'input_ids', 'token_type_ids', 'attention_mask'");
  EXPECT_EQ(nearest_names("b", {"aaaa", "bb", "cccc", "b1x"}), "'bb', 'b1x', 'aaaa', ...");
  EXPECT_EQ(nearest_names("b", {}), "(none)");
}

TEST(LabelsCsv, ReadsPathsAndLabels) {
  const auto files =
      parse_labels_csv("path,label\r\ncat.jpg,3\n\n\"a, \"\"b\"\".png\" , 12\n/abs/c.jpg,0\n",
                       "/data", "labels.csv");
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0].path, "/data/cat.jpg");
  EXPECT_EQ(files[0].label, 3);
  EXPECT_EQ(files[1].path, "/data/a, \"b\".png");
  EXPECT_EQ(files[1].label, 12);
  EXPECT_EQ(files[2].path, "/abs/c.jpg");
  EXPECT_EQ(files[2].label, 0);
}

TEST(LabelsCsv, HeaderAndLabelAreOptional) {
  EXPECT_EQ(parse_labels_csv("cat.jpg,3\n", "", "x").size(), 1U);
  const auto files = parse_labels_csv("path\ncat.jpg\n", "", "x");
  ASSERT_EQ(files.size(), 1U);
  EXPECT_FALSE(files[0].label.has_value());
  EXPECT_THAT(parse_labels_csv("", "", "x"), IsEmpty());
}

TEST(LabelsCsv, ErrorsNameTheLine) {
  const auto message = [](const char* text) {
    return error_of(ErrorCode::kInvalidData,
                    [&] { static_cast<void>(parse_labels_csv(text, "", "l.csv")); });
  };
  EXPECT_THAT(message("a.jpg,1\nb.jpg,dog\n"), HasSubstr("l.csv:2: label 'dog'"));
  EXPECT_THAT(message("a.jpg,1\n\nb.jpg,2,3\n"), HasSubstr("l.csv:3: 'b.jpg,2,3'"));
  EXPECT_THAT(message("a.jpg,1\n,2\n"), HasSubstr("l.csv:2"));
  EXPECT_THAT(message("\"a.jpg,1\n"), HasSubstr("l.csv:1: a quote is not closed"));
  EXPECT_THAT(message("a.jpg,1\nb.jpg,99999999999999999999\n"), HasSubstr("l.csv:2"));
}

TEST(InputList, ReadsNamedAndUnnamedFiles) {
  const InputList plain = parse_input_list("#out1 out2\n% out3\na.raw\n\n b.raw \n", "list.txt");
  ASSERT_EQ(plain.inferences.size(), 2U);
  EXPECT_EQ(plain.inferences[0][0].input, "");
  EXPECT_EQ(plain.inferences[1][0].path, "b.raw");
  EXPECT_THAT(plain.outputs, ElementsAre("out1", "out2", "out3"));
  const InputList named =
      parse_input_list("ids:=1/a.raw mask:=1/b.raw\nmask:=2/b.raw\tids:=2/a.raw\n", "list.txt");
  ASSERT_EQ(named.inferences.size(), 2U);
  EXPECT_EQ(named.inferences[1][0].input, "ids");  // in the order of the first line
  EXPECT_EQ(named.inferences[1][0].path, "2/a.raw");
  EXPECT_EQ(parse_input_list("in:0:=x.raw", "l").inferences[0][0].input, "in:0");
}

TEST(InputList, ErrorsNameTheLine) {
  const auto message = [](const char* text) {
    return error_of(ErrorCode::kInvalidData,
                    [&] { static_cast<void>(parse_input_list(text, "list.txt")); });
  };
  EXPECT_THAT(message("a:=1.raw a:=2.raw"), HasSubstr("list.txt:1: input 'a' is given twice"));
  EXPECT_THAT(message("a:=1.raw\nb:=1.raw"), HasSubstr("list.txt:2: other inputs"));
  EXPECT_THAT(message("1.raw\n1.raw 2.raw"), HasSubstr("list.txt:2: other inputs"));
  EXPECT_THAT(message("a:=1.raw 2.raw"), HasSubstr("some files have a name"));
  EXPECT_THAT(message("a:="), HasSubstr("'a:=': expected path or name:=path"));
  EXPECT_THAT(message(":=a"), HasSubstr("expected path or name:=path"));
}

TEST(InputList, PathsStartAtTheListThenAtTheWorkingDirectory) {
  const TempFolder folder;
  write_file(folder.path() / "beside.raw", "");
  write_file(folder.path() / "list.txt", "beside.raw\nnowhere.raw\ntests\n/abs.raw\n");
  const auto old = std::filesystem::current_path();
  std::filesystem::current_path(HEXQUANT_SOURCE_DIR);
  const InputList list = read_input_list(folder.path() / "list.txt");
  std::filesystem::current_path(old);
  EXPECT_EQ(list.inferences[0][0].path, folder.path() / "beside.raw");
  EXPECT_EQ(list.inferences[1][0].path, folder.path() / "nowhere.raw");
  EXPECT_EQ(list.inferences[2][0].path, "tests");
  EXPECT_EQ(list.inferences[3][0].path, "/abs.raw");
}

std::vector<std::int64_t> select(std::int64_t count, std::int64_t samples, Sampling sampling,
                                 std::int64_t skip = 0, std::uint64_t seed = 0) {
  DataOptions options;
  options.samples = samples;
  options.skip = skip;
  options.sampling = sampling;
  options.seed = seed;
  return select_samples(count, options);
}

TEST(Selection, FirstAndEven) {
  EXPECT_THAT(select(10, 3, Sampling::kFirst), ElementsAre(0, 1, 2));
  EXPECT_THAT(select(10, 3, Sampling::kFirst, 8), ElementsAre(8, 9));
  EXPECT_THAT(select(10, 4, Sampling::kEven), ElementsAre(0, 2, 5, 7));
  EXPECT_THAT(select(10, 3, Sampling::kEven, 4), ElementsAre(4, 6, 8));
  for (const Sampling sampling : {Sampling::kFirst, Sampling::kEven, Sampling::kRandom}) {
    EXPECT_THAT(select(3, 0, sampling), ElementsAre(0, 1, 2));
    EXPECT_THAT(select(3, 99, sampling), ElementsAre(0, 1, 2));
  }
}

TEST(Selection, RandomIsSortedWithoutRepetitionAndFixedBySeed) {
  // Floyd's algorithm on the standard's mt19937_64: the same on every platform.
  EXPECT_THAT(select(1000, 5, Sampling::kRandom, 0, 0), ElementsAre(310, 429, 596, 906, 991));
  EXPECT_NE(select(1000, 5, Sampling::kRandom, 0, 0), select(1000, 5, Sampling::kRandom, 0, 1));
  std::vector<int> hits(20);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto indices = select(23, 5, Sampling::kRandom, 3, seed);
    ASSERT_EQ(indices.size(), 5U);
    for (std::size_t i = 0; i < 5; ++i) {
      ASSERT_TRUE(indices[i] >= 3 && indices[i] < 23);
      ASSERT_TRUE(i == 0 || indices[i - 1] < indices[i]);
      ++hits[static_cast<std::size_t>(indices[i] - 3)];
    }
  }
  // 2000 * 5 / 20 = 500 hits each with a standard deviation of about 19.
  for (const int count : hits) EXPECT_NEAR(count, 500, 5 * 19);
}

TEST(Selection, Errors) {
  const auto message = [](ErrorCode code, std::int64_t count, std::int64_t samples,
                          std::int64_t skip) {
    return error_of(code,
                    [&] { static_cast<void>(select(count, samples, Sampling::kFirst, skip)); });
  };
  EXPECT_THAT(message(ErrorCode::kInvalidData, 5, 1, 5),
              HasSubstr("no samples left: the data has 5, and 5 are skipped"));
  message(ErrorCode::kInvalidData, 0, 0, 0);
  EXPECT_THAT(message(ErrorCode::kInvalidArgument, 5, -1, 0), HasSubstr("samples -1"));
  EXPECT_THAT(message(ErrorCode::kInvalidArgument, 5, 1, -2), HasSubstr("skip -2"));
}

}  // namespace
}  // namespace hexquant::data
