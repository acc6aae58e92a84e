// Against the plainest model: keep everything, then cut.
#include "sandbox/output_capture.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>

namespace fathom::sandbox {
namespace {

struct Sizes {
  std::size_t head;
  std::size_t tail;
};

CapturedOutput model(const std::string& all, Sizes sizes) {
  CapturedOutput output;
  output.bytes = all.size();
  output.lines = static_cast<std::uint64_t>(std::ranges::count(all, '\n'));
  output.head = all.substr(0, sizes.head);
  const std::string rest = all.substr(output.head.size());
  output.tail = rest.substr(rest.size() - std::min(rest.size(), sizes.tail));
  output.bytes_cut = all.size() - output.head.size() - output.tail.size();
  return output;
}

TEST_CASE("what is kept of an output does not depend on how it came in pieces") {
  std::mt19937 random(1);
  for (const Sizes sizes : {Sizes{0, 0}, {0, 7}, {5, 0}, {1, 1}, {16, 64}, {100, 33}}) {
    for (int round = 0; round < 200; ++round) {
      OutputCapture capture(sizes.head, sizes.tail);
      std::string all;
      const std::size_t total = random() % 400;
      while (all.size() < total) {
        std::string piece(random() % (1 + random() % 150), '\0');
        for (char& byte : piece) byte = static_cast<char>(random() % 8 == 0 ? '\n' : random());
        capture.append(piece);
        all += piece;
        CHECK(capture.bytes() == all.size());
        CHECK(capture.is_cut() == (all.size() > sizes.head + sizes.tail));
        if (!capture.is_cut()) CHECK(capture.so_far() == all);
      }
      const CapturedOutput kept = capture.finish();
      const CapturedOutput expected = model(all, sizes);
      REQUIRE(kept.head == expected.head);
      REQUIRE(kept.tail == expected.tail);
      CHECK(kept.bytes == expected.bytes);
      CHECK(kept.lines == expected.lines);
      CHECK(kept.bytes_cut == expected.bytes_cut);
    }
  }
}

TEST_CASE("a cut output says how much is missing and where all of it is") {
  OutputCapture capture(2, 2);
  capture.append("abcdef");
  CapturedOutput output = capture.finish();
  CHECK(output.text() == "ab\n[2 of 6 bytes cut here]\nef");
  output.blob = "sha256:00";
  CHECK(output.text() == "ab\n[2 of 6 bytes cut here; all of it is sha256:00]\nef");
}

}  // namespace
}  // namespace fathom::sandbox
