#include "core/journal.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/file_io.h"
#include "hexquant/error.h"
#include "support/temp_folder.h"

namespace hexquant {
namespace {

class JournalTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "work.journal"; }
  void append_text(const std::string& text) const { std::ofstream(file(), std::ios::app) << text; }
  test::TempFolder folder_;
};

TEST_F(JournalTest, KeepsWhatWasAppended) {
  {
    Journal journal(file(), "d1");
    EXPECT_EQ(journal.find("a"), nullptr);
    journal.append("a", {{"x", 0.1}});
    EXPECT_EQ((*journal.find("a"))["x"], 0.1);
  }
  const Journal journal(file(), "d1");
  EXPECT_EQ(journal.resumed(), 1U);
  ASSERT_NE(journal.find("a"), nullptr);
  EXPECT_EQ((*journal.find("a"))["x"].get<double>(), 0.1);
}

TEST_F(JournalTest, DropsAHalfWrittenLineAndGoesOnBehindTheLastWholeOne) {
  { Journal(file(), "d1").append("a", 1); }
  append_text("{\"key\": \"b\", \"val");
  {
    Journal journal(file(), "d1");
    EXPECT_EQ(journal.resumed(), 1U);
    journal.append("c", 3);
  }
  const Journal journal(file(), "d1");
  EXPECT_EQ(journal.resumed(), 2U);
  EXPECT_EQ(journal.find("b"), nullptr);
  EXPECT_EQ(*journal.find("c"), 3);
}

TEST_F(JournalTest, BeginsAnewForOtherInput) {
  { Journal(file(), "d1").append("a", 1); }
  { Journal(file(), "d2").append("b", 2); }
  const Journal journal(file(), "d2");
  EXPECT_EQ(journal.resumed(), 1U);
  EXPECT_EQ(journal.find("a"), nullptr);
}

TEST_F(JournalTest, DoesNotOverwriteAnotherFile) {
  write_file(file(), "my notes\n");
  EXPECT_THROW(Journal(file(), "d1"), Error);
  EXPECT_EQ(read_file(file()), "my notes\n");
  write_file(file(), "{\"layers\": []}\n");
  EXPECT_THROW(Journal(file(), "d1"), Error);
}

TEST_F(JournalTest, WithoutAFileNothingIsKept) {
  Journal journal({}, "d1");
  journal.append("a", 1);
  EXPECT_EQ(*journal.find("a"), 1);
  EXPECT_EQ(journal.resumed(), 0U);
}

TEST(Digest, IsFnv1aOverLengthsAndBytes) {
  // FNV-1a of eight zero bytes (the length of nothing).
  EXPECT_EQ(Digest().add("").text(), "a8c7f832281a39c5");
  EXPECT_NE(Digest().add("ab").add("c").text(), Digest().add("a").add("bc").text());
}

}  // namespace
}  // namespace hexquant
