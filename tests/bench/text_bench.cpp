// Measures the tokenizer: bytes a second of code, prose and Chinese, beside memcpy of the same
// bytes and with the time of the pre-tokenizer alone. Run it in the root of the tree, whose sources
// it reads: `ninja -C build/release text_bench && build/release/tests/bench/text_bench`.
//
// On a 2.3 GHz Xeon core shared with other work, 8,000 merges learned from the same text, medians
// of 9 rounds, lowest and highest of six runs: code 40 to 58 MB/s, prose 35 to 57, one letter 51 to
// 80, Chinese of random ideographs 10 to 16: there each piece of 60 bytes is merged from its bytes
// and no table of whole words helps.
#include "engine/text/pretokenizer.hpp"
#include "engine/text/tokenizer.hpp"
#include "tests/support/bpe_trainer.hpp"
#include "tests/support/source_text.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>

using namespace fathom;
using namespace fathom::engine;

namespace {

constexpr int kRounds = 9;
constexpr std::size_t kMerges = 8'000;

double median_seconds(const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    work();
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(seconds);
  return seconds[seconds.size() / 2];
}

void bench(const char* name, const Tokenizer& tokenizer, const std::string& text) {
  std::string copy(text.size(), ' ');
  std::size_t pieces = 0;
  std::size_t tokens = 0;
  const double copying = median_seconds([&] {
    std::memcpy(copy.data(), text.data(), text.size());
    asm volatile("" : : "r"(copy.data()) : "memory");
  });
  const double scanning = median_seconds([&] {
    PieceScanner scanner(text);
    for (pieces = 0; !scanner.next().empty();) ++pieces;
  });
  const double encoding = median_seconds([&] { tokens = tokenizer.encode(text).size(); });
  const auto size = static_cast<double>(text.size());
  std::printf(
      "encode %-9s %6.1f MB/s   goal 20   (pre-tokenizer alone %6.1f MB/s, memcpy %8.0f MB/s; "
      "%.2f bytes a token, %.2f tokens a piece)\n",
      name, size / encoding / 1e6, size / scanning / 1e6, size / copying / 1e6,
      size / static_cast<double>(tokens),
      static_cast<double>(tokens) / static_cast<double>(pieces));
}

// Chinese is runs of ideographs without blanks: long pieces, which no table of whole words answers.
std::string random_chinese(std::size_t bytes) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < bytes) {
    for (std::size_t i = 4 + random() % 20; i > 0; --i) {
      const auto value = 0x4E00 + random() % 64 * (1 + random() % 64);
      text += static_cast<char>(0xE0 | value >> 12);
      text += static_cast<char>(0x80 | (value >> 6 & 0x3F));
      text += static_cast<char>(0x80 | (value & 0x3F));
    }
    text += "，";
  }
  return text;
}

}  // namespace

int main() {
  const std::string code = test::source_text(4'000'000);
  const std::string prose = test::slurp("ARCHITECTURE.md") + test::slurp("CONTRIBUTING.md");
  const std::string chinese = random_chinese(1'000'000);
  const Tokenizer tokenizer =
      Tokenizer::create(test::train_tokenizer(code + chinese, kMerges)).value();
  std::string much_prose;
  while (much_prose.size() < 1'000'000) much_prose += prose;
  bench("code", tokenizer, code);
  bench("prose", tokenizer, much_prose);
  bench("Chinese", tokenizer, chinese);
  bench("one letter", tokenizer, std::string(1'000'000, 'a'));
}
