#include "core/shell_word.h"

#include <gtest/gtest.h>

namespace hexquant {
namespace {

TEST(ShellWord, LeavesPlainWordsAlone) {
  for (const char* word : {"out/model.onnx", "NAME=1,3,224,224", "-o", "a_b.c:d@e%f+"}) {
    EXPECT_EQ(shell_word(word), word);
  }
}

TEST(ShellWord, QuotesWhatAShellWouldRead) {
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("my nets/a.onnx"), "'my nets/a.onnx'");
  EXPECT_EQ(shell_word("$HOME;ls"), "'$HOME;ls'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
}

}  // namespace
}  // namespace hexquant
