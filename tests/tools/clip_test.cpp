#include "tools/clip.hpp"

#include "runtime/base/text.hpp"
#include "tests/support/catch.hpp"
#include "tools/tool.hpp"

#include <random>

using namespace fathom;
using namespace fathom::tools;

namespace {

std::size_t bytes_as_tokens(std::string_view text) { return text.size(); }

Clipped clip_to(std::size_t tokens, const std::string& text) {
  return clip(ToolOutput::of(text).text, {tokens, bytes_as_tokens, "/out/1.txt"});
}

std::string numbered(int lines) {
  std::string text;
  for (int i = 1; i <= lines; ++i) text += "line " + std::to_string(i) + "\n";
  return text;
}

}  // namespace

TEST_CASE("what fits is shown as it is", "[tools]") {
  const Clipped clipped = clip_to(100, "a\nb\n");
  CHECK(clipped.text == "a\nb\n");
  CHECK_FALSE(clipped.cut);
}

TEST_CASE("a long text keeps a quarter of its head and most of its tail, in whole lines",
          "[tools]") {
  const Clipped clipped = clip_to(100, numbered(100));
  CHECK(clipped.cut);
  CHECK(clipped.text ==
        "line 1\nline 2\nline 3\n"
        "[... 88 lines, 698 B cut here; all of it: /out/1.txt ...]\n"
        "line 92\nline 93\nline 94\nline 95\nline 96\nline 97\nline 98\nline 99\nline 100\n");
}

TEST_CASE("one endless line is cut inside, never inside a character", "[tools]") {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "ä";
  const Clipped clipped = clip_to(101, text);
  CHECK(clipped.cut);
  CHECK(find_invalid_utf8(clipped.text) == std::string::npos);
}

TEST_CASE("what the sandbox has dropped already is counted as cut", "[tools]") {
  sandbox::CapturedOutput output;
  output.head = numbered(3);
  output.tail = "the end\n";
  output.bytes = 1'000'000;
  output.lines = 5'000;
  output.bytes_cut = output.bytes - output.head.size() - output.tail.size();
  const Clipped clipped = clip(output, {1'000, bytes_as_tokens, ""});
  CHECK(clipped.cut);
  CHECK(clipped.text == numbered(3) + "[... 4996 lines, 977 KiB cut here ...]\nthe end\n");
}

TEST_CASE("colours, titles and progress bars cost no tokens", "[tools]") {
  CHECK(clip_to(100, "\x1b[31mred\x1b[0m \x1b]0;title\aok\n").text == "red ok\n");
  CHECK(clip_to(100, " 10%\r 50%\r100%\ndone\r\n").text == "100%\ndone\n");
  CHECK(clip_to(100, "\x1b]0;never ended\nnext\n").text == "0;never ended\nnext\n");
  CHECK(clip_to(100, std::string("a\0b\bc\n", 6)).text == "abc\n");
  CHECK(clip_to(100, "\xff\xfe\n").text == "\xEF\xBF\xBD\xEF\xBF\xBD\n");
}

TEST_CASE("whatever the bytes, the result is valid and within its bound", "[tools]") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string text(random() % 600, '\0');
    constexpr std::string_view kAlphabet = "ab \n\r\x1b[];m\a\xc3\xa4\xff";
    for (char& c : text) c = kAlphabet[random() % kAlphabet.size()];
    const std::size_t max = 8 + random() % 200;
    const Clipped clipped = clip_to(max, text);
    INFO("round " << round);
    CHECK(find_invalid_utf8(clipped.text) == std::string::npos);
    const std::size_t marker = clipped.cut ? 120 : 0;
    CHECK(clipped.text.size() <= max + marker);
  }
}
