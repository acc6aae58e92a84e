#include "tests/engine/text/grammar_fixture.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <array>

namespace fathom::engine::test {
namespace {

constexpr std::array<std::string_view, 86> kFragments = {
    "{\"",   "\":",   "\": ",   "\": \"",  "\":\"",   "\", \"", "\",\"",      "\"}",
    "\"}}",  "\"]",   "\"]}",   "\"],",    "\": [",   "\": {",  "\": {\"",    "}}",
    "}}}",   "},",    "}, {",   "}, {\"",  "},\n",    "}\n",    "]\n",        "]}",
    "]]",    "],",    "[\"",    "[]",      "{}",      "[[",     "[{",         "[{\"",
    ", ",    ",\n",   ",\"",    ", \"",    "{\n",     "[\n",    "\n\n",       "\n\n<",
    "\n<",   "></",   ">\n",    "\">\n",   "</",      "\">",    "\" />",      "=\"",
    "true",  "false", "null",   "tool",    "_calls",  "_c",     "tool_calls", "invoke",
    " name", "name",  "=\"",    " string", "string",  "\"true", "parameter",  "parameter>",
    "param", "eter",  "ter>\n", "invoke>", ">\n\n",   "\\n",    "\\\"",       "\\u",
    "\\\\",  "u00",   "e9",     "d83d",    "\\ude00", "-1",     "0.",         ".5",
    "e+",    "10",    "\",",    "\"\n",    "\",\n",   "\t\t"};

// Words as a code model's vocabulary has them: with a space in front, capitalised, with what often
// stands behind.
std::string word(Dice& dice) {
  static constexpr std::array<std::string_view, 40> kSyllables = {
      "re",   "con",  "in",   "ing",  "er",   "tion", "al",  "s",   "ed", "un",
      "ment", "ly",   "str",  "pro",  "get",  "set",  "val", "ue",  "id", "name",
      "to",   "from", "file", "path", "data", "list", "str", "ing", "a",  "e",
      "i",    "o",    "th",   "an",   "st",   "or",   "it",  "is",  "de", "co"};
  std::string made;
  for (std::size_t i = 0, count = 1 + dice.roll(3); i < count; ++i)
    made += kSyllables[dice.roll(kSyllables.size())];
  if (dice.chance(1, 4)) made[0] = static_cast<char>(made[0] - 'a' + 'A');
  if (dice.chance(1, 2)) made.insert(0, dice.chance(1, 8) ? "_" : " ");
  return made;
}

std::string code_point(std::uint32_t code) {
  return {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3F)),
          static_cast<char>(0x80 | (code & 0x3F))};
}

std::string random_token(Dice& dice) {
  static constexpr std::array<std::string_view, 24> kMarks = {
      "\"", ".", ",",  ":", ";", "(", ")",  "[",  "]",   "{",   "}",  "=",
      "-",  "/", "\\", "'", "<", ">", "\n", "\t", "\",", "\")", "()", " = "};
  switch (dice.roll(20)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: {  // CJK of one to three characters, sometimes cut inside one
      std::string made;
      for (std::size_t i = 0, count = 1 + dice.roll(3); i < count; ++i)
        made += code_point(0x4E00 + static_cast<std::uint32_t>(dice.roll(0x5000)));
      if (dice.chance(1, 20)) made.pop_back();
      if (dice.chance(1, 40)) made.erase(0, 1);
      return made;
    }
    case 5: {  // digits
      std::string made;
      for (std::size_t i = 0, count = 1 + dice.roll(3); i < count; ++i)
        made += static_cast<char>('0' + dice.roll(10));
      return made;
    }
    case 6:
      return std::string(kMarks[dice.roll(kMarks.size())]) + word(dice);
    case 7:
      return word(dice) + std::string(kMarks[dice.roll(kMarks.size())]);
    case 8: {
      std::string made;
      for (std::size_t i = 0, count = 1 + dice.roll(4); i < count; ++i)
        made += kMarks[dice.roll(kMarks.size())];
      return made;
    }
    case 9:  // indentation
      return (dice.chance(1, 2) ? "\n" : "") + std::string(1 + dice.roll(40), ' ');
    default: {
      std::string made = word(dice);
      if (dice.chance(1, 3)) made += word(dice);
      return made;
    }
  }
}

}  // namespace

std::uint64_t Dice::word() {
  std::uint64_t z = (state_ += 0x9E37'79B9'7F4A'7C15);
  z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
  z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
  return z ^ (z >> 31);
}

TestVocabulary::TestVocabulary(std::size_t size) {
  for (const std::string_view special : {"<｜begin｜>", "<｜end｜>", "</think>", "｜DSML｜"})
    tokens_.emplace_back(special);
  for (const std::string& token : tokens_) views_.push_back(token);
  for (int byte = 0; byte < 256; ++byte) add(std::string(1, static_cast<char>(byte)));
  for (const std::string_view fragment : kFragments) add(std::string(fragment));
  add("｜");  // the marker's text in ordinary tokens
  add("DSML");
  add("</｜");
  Dice dice(size);
  while (views_.size() < size) add(random_token(dice));
  auto made = GrammarVocabulary::create(view());
  ENSURE(made.has_value(), "a vocabulary with all bytes is fine");
  prepared_ = *std::move(made);
}

void TestVocabulary::add(std::string bytes) {
  if (by_bytes_.contains(bytes)) return;
  tokens_.push_back(std::move(bytes));
  views_.emplace_back(tokens_.back());
  by_bytes_.emplace(tokens_.back(), static_cast<TokenId>(views_.size() - 1));
  longest_ = std::max(longest_, tokens_.back().size());
}

VocabularyView TestVocabulary::view() const {
  return {.token_bytes = views_, .special = special_, .end_of_sequence = kEnd, .marker = kMarker};
}

std::vector<TokenId> TestVocabulary::cut(std::string_view text, Dice& dice) const {
  std::vector<TokenId> tokens;
  while (!text.empty()) {
    if (text.starts_with(kMarkerText)) {
      tokens.push_back(kMarker);
      text.remove_prefix(kMarkerText.size());
      continue;
    }
    const std::size_t most = std::min({longest_, text.size(), text.find(kMarkerText)});
    std::vector<TokenId> fitting;
    for (std::size_t n = 1; n <= most; ++n)
      if (const auto found = by_bytes_.find(text.substr(0, n)); found != by_bytes_.end())
        fitting.push_back(found->second);
    tokens.push_back(fitting[dice.roll(fitting.size())]);
    text.remove_prefix(text_of(tokens.back()).size());
  }
  return tokens;
}

std::vector<TokenId> TestVocabulary::cut_greedily(std::string_view text) const {
  std::vector<TokenId> tokens;
  while (!text.empty()) {
    if (text.starts_with(kMarkerText)) {
      tokens.push_back(kMarker);
      text.remove_prefix(kMarkerText.size());
      continue;
    }
    std::size_t n = std::min({longest_, text.size(), text.find(kMarkerText)});
    while (!by_bytes_.contains(text.substr(0, n))) --n;
    tokens.push_back(by_bytes_.at(text.substr(0, n)));
    text.remove_prefix(n);
  }
  return tokens;
}

std::vector<std::uint64_t> mask_by_force(const GrammarState& state, std::size_t vocabulary) {
  std::vector<std::uint64_t> mask((vocabulary + 63) / 64);
  for (std::size_t i = 0; i < vocabulary; ++i) {
    GrammarState copy = state;
    if (copy.accept(static_cast<TokenId>(i))) mask[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  return mask;
}

std::vector<std::uint64_t> mask_of(const GrammarState& state, std::size_t vocabulary) {
  // Garbage in front: every bit must be written.
  std::vector<std::uint64_t> mask((vocabulary + 63) / 64, 0x5555'5555'5555'5555);
  state.mask(mask);
  return mask;
}

namespace {

// A token that tends to bring the text to its end, or any that is one byte.
TokenId closing_token(std::span<const std::uint64_t> mask, Dice& dice) {
  if (has_bit(mask, TestVocabulary::kEnd)) return TestVocabulary::kEnd;
  if (has_bit(mask, TestVocabulary::kMarker)) return TestVocabulary::kMarker;
  constexpr TokenId kFirstByte = TestVocabulary::kMarker + 1;
  std::vector<TokenId> closing;
  std::vector<TokenId> single;
  for (int byte = 0; byte < 256; ++byte) {
    const TokenId token = kFirstByte + byte;
    if (!has_bit(mask, token)) continue;
    single.push_back(token);
    if (std::string_view("\"}]</>").contains(static_cast<char>(byte))) closing.push_back(token);
  }
  ENSURE(!single.empty(), "no dead end: a byte goes on from every state");
  const auto& from = closing.empty() || dice.chance(1, 5) ? single : closing;
  return from[dice.roll(from.size())];
}

}  // namespace

Walk walk(GrammarState state, const TestVocabulary& vocabulary, Dice& dice, std::size_t tokens,
          std::span<const std::string> hints) {
  constexpr std::size_t kTokensMax = 20'000;
  Walk made;
  const auto take = [&](TokenId token) {
    ENSURE(state.accept(token), "the mask allows what accept() takes");
    made.tokens.push_back(token);
    if (token != TestVocabulary::kEnd) made.text += vocabulary.text_of(token);
  };
  while (!state.ended() && made.tokens.size() < kTokensMax) {
    const auto mask = mask_of(state, vocabulary.size());
    if (made.tokens.size() < tokens && dice.chance(2, 3)) {
      std::vector<TokenId> allowed;
      for (std::size_t i = 0; i < vocabulary.size(); ++i)
        if (has_bit(mask, static_cast<TokenId>(i)) && static_cast<TokenId>(i) != vocabulary.kEnd)
          allowed.push_back(static_cast<TokenId>(i));
      if (!allowed.empty()) {
        take(allowed[dice.roll(allowed.size())]);
        continue;
      }
    }
    if (!hints.empty() && dice.chance(1, 3)) {
      const auto hint = vocabulary.cut_greedily(hints[dice.roll(hints.size())]);
      GrammarState copy = state;
      if (std::ranges::all_of(hint, [&](TokenId token) { return copy.accept(token); })) {
        for (const TokenId token : hint) take(token);
        continue;
      }
    }
    take(closing_token(mask, dice));
  }
  made.ended = state.ended();
  return made;
}

}  // namespace fathom::engine::test
