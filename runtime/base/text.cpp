#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

namespace fathom {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// What stands at the start of `text` (not empty): a well-formed sequence of `size` bytes, or an
// ill-formed maximal subpart of `size` bytes.
struct Sequence {
  std::size_t size;
  bool well_formed;
};

Sequence first_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {1, true};
  // The second byte's range depends on the lead: this is what rules out overlong forms and
  // surrogates.
  std::size_t size = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    // Eight ASCII bytes at a time: most of what agents read is source code.
    std::uint64_t word;
    if (text.size() - at >= sizeof word) {
      std::memcpy(&word, text.data() + at, sizeof word);
      if ((word & 0x8080808080808080u) == 0) {
        at += sizeof word;
        continue;
      }
    }
    const Sequence sequence = first_sequence(text.substr(at));
    if (!sequence.well_formed) return at;
    at += sequence.size;
  }
  return std::string_view::npos;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t good = std::min(find_invalid_utf8(text), text.size());
    out += text.substr(0, good);
    text.remove_prefix(good);
    if (text.empty()) break;
    out += kReplacement;
    text.remove_prefix(first_sequence(text).size);
  }
  return out;
}

std::string_view clip_prefix(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  // Only a code point that starts in the last three bytes can cross the cut.
  for (std::size_t back = 1; back <= 3 && back <= bytes_max; ++back) {
    const Sequence sequence = first_sequence(text.substr(bytes_max - back));
    if (sequence.well_formed && sequence.size > back) return text.substr(0, bytes_max - back);
    if (sequence.well_formed) break;
  }
  return text.substr(0, bytes_max);
}

std::string_view clip_suffix(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  const std::size_t cut = text.size() - bytes_max;
  for (std::size_t back = 1; back <= 3 && back <= cut; ++back) {
    const Sequence sequence = first_sequence(text.substr(cut - back));
    if (sequence.well_formed && sequence.size > back)
      return text.substr(cut - back + sequence.size);
    if (sequence.well_formed) break;
  }
  return text.substr(cut);
}

std::string clip_middle(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  const auto note_for = [&](std::size_t cut) {
    return "\n… [" + std::to_string(cut) + " bytes cut] …\n";
  };
  // The note's own length is taken from the budget; the widest possible number is assumed.
  const std::size_t note_size = note_for(text.size()).size();
  if (bytes_max <= note_size) return std::string(clip_suffix(text, bytes_max));
  const std::size_t kept = bytes_max - note_size;
  const std::string_view head = clip_prefix(text, kept / 4);
  const std::string_view tail = clip_suffix(text, kept - kept / 4);
  std::string out(head);
  out += note_for(text.size() - head.size() - tail.size());
  out += tail;
  return out;
}

std::string to_printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Sequence sequence = first_sequence(text);
    const auto lead = static_cast<std::uint8_t>(text[0]);
    // C0, DEL and the two-byte C1 controls U+0080..U+009F: terminals act on all of them.
    const bool c1 = sequence.size == 2 && lead == 0xC2 && static_cast<std::uint8_t>(text[1]) < 0xA0;
    const bool control = lead < 0x20 || lead == 0x7F || c1;
    if (sequence.well_formed && !control) {
      out += text.substr(0, sequence.size);
    } else {
      for (char c : text.substr(0, sequence.size)) {
        std::array<char, 5> hex;
        std::snprintf(hex.data(), hex.size(), "\\x%02x",
                      static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += hex.data();
      }
    }
    text.remove_prefix(sequence.size);
  }
  return out;
}

namespace {

// Edits that turn `a` into `b`: insert, delete, replace, or swap two neighbours (optimal string
// alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last(b.size() + 1);
  for (std::size_t j = 0; j < last.size(); ++j) last[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::vector<std::size_t> row(b.size() + 1);
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      row[j + 1] = std::min({last[j] + (a[i] == b[j] ? 0 : 1), row[j] + 1, last[j + 1] + 1});
      if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j])
        row[j + 1] = std::min(row[j + 1], before_last[j - 1] + 1);
    }
    before_last = std::exchange(last, std::move(row));
  }
  return last.back();
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  constexpr std::size_t kWordBytesMax =
      64;  // a longer word is no typo, and the distance is quadratic
  if (word.size() > kWordBytesMax) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (std::string_view candidate : candidates) {
    if (candidate.size() > kWordBytesMax) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string format_bytes(unsigned long long bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  auto value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value,
                kUnits[unit]);
  return text.data();
}

}  // namespace fathom
