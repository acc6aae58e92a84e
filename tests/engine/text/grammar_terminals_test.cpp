#include "engine/text/grammar_terminals.hpp"

#include "tests/engine/text/grammar_fixture.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <optional>

using namespace fathom::engine;
using fathom::engine::test::Dice;

namespace {

// The state behind all of `bytes`; nothing when one is refused or the end comes early.
std::optional<std::uint8_t> run(TerminalId id, std::string_view bytes) {
  std::uint8_t state = Terminal::kStart;
  for (const char byte : bytes) {
    if (state == Terminal::kDone) return std::nullopt;
    state = terminal(id).next(state, static_cast<unsigned char>(byte));
    if (state == Terminal::kDead) return std::nullopt;
  }
  return state;
}

bool completes(TerminalId id, std::string_view bytes) {
  const auto state = run(id, bytes);
  return state && (*state == Terminal::kDone || terminal(id).states[*state].may_end);
}

std::string pieced(Dice& dice, std::span<const std::string_view> pieces) {
  std::string text;
  for (std::size_t i = 0, count = 1 + dice.roll(8); i < count; ++i)
    text += pieces[dice.roll(pieces.size())];
  return text;
}

}  // namespace

TEST_CASE("strings: the table takes what a JSON parser takes", "[engine]") {
  constexpr std::string_view kPieces[] = {"a",
                                          "\\n",
                                          "\\u0041",
                                          "\\ud83d\\ude00",
                                          "\\ud83d",
                                          "\\udc00",
                                          "\\/",
                                          "\xC3\xA9",
                                          "\xC3",
                                          "\xA9",
                                          "\xEF\xBD\x9C",
                                          "\xEF\xBD",
                                          "\xED\xA0\x80",
                                          "\xF0\x9F\x99\x82",
                                          "\xF4\x90\x80\x80",
                                          "\xE0\x80\x80",
                                          "<",
                                          "/",
                                          "D",
                                          "S",
                                          "M",
                                          "L",
                                          "\x01",
                                          "\\",
                                          "\"",
                                          "\\x",
                                          "\x7F",
                                          "<｜DSML",
                                          "｜"};
  Dice dice(1);
  int accepted = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string text = pieced(dice, kPieces) + "\"";
    const bool tagged = text.contains("<｜DSML｜") || text.contains("</｜DSML｜");
    const bool expected = nlohmann::json::accept("\"" + text) && !tagged;
    INFO(text);
    REQUIRE(completes(TerminalId::string, text) == expected);
    accepted += expected ? 1 : 0;
  }
  CHECK(accepted > 3'000);
}

TEST_CASE("numbers: the table takes what a JSON parser takes, within its digits", "[engine]") {
  constexpr std::string_view kPieces[] = {"0", "1", "9", "-", ".", "e", "E", "+", "12345678901"};
  const auto digits_fit = [](std::string_view text, std::size_t digits_max) {
    std::size_t run_length = 0;
    bool exponent = false;
    for (const char c : text) {
      const bool digit = c >= '0' && c <= '9';
      run_length = digit ? run_length + 1 : 0;
      exponent = exponent || c == 'e' || c == 'E';
      if (run_length > (exponent ? 2U : digits_max)) return false;
    }
    return true;
  };
  Dice dice(2);
  for (int i = 0; i < 60'000; ++i) {
    const std::string text = pieced(dice, kPieces);
    INFO(text);
    const bool number = nlohmann::json::accept(text) && digits_fit(text, kDigitsMax);
    REQUIRE(completes(TerminalId::number, text) == number);
    REQUIRE(completes(TerminalId::integer, text) ==
            (number && digits_fit(text, kIntegerDigitsMax) &&
             text.find_first_of(".eE") == std::string::npos));
  }
}

TEST_CASE("keys have one spelling", "[engine]") {
  CHECK(completes(TerminalId::key, "a\\\"\\\\\\n\""));
  CHECK_FALSE(run(TerminalId::key, "\\u"));
  CHECK_FALSE(run(TerminalId::key, "\\/"));
}

TEST_CASE("free text ends at the marker token and nowhere else", "[engine]") {
  CHECK(completes(TerminalId::value_text, "a < b </x </\xFF"));
  CHECK_FALSE(run(TerminalId::value_text, "a <\xFF"));
  CHECK_FALSE(run(TerminalId::value_text, "\xFF"));
  CHECK(completes(TerminalId::content, "any </p> <\xFF"));
  CHECK_FALSE(run(TerminalId::content, "</\xFF"));
  // An answer may end between characters, not inside one.
  CHECK(completes(TerminalId::content, "<｜"));
  CHECK_FALSE(completes(TerminalId::content, "\xE4\xB8"));
  CHECK_FALSE(completes(TerminalId::value_text, "a"));
}

TEST_CASE("a tag spelled in ordinary tokens is text as far as no reader takes it", "[engine]") {
  CHECK(run(TerminalId::content, "<｜DSML<｜DSML ｜DSML｜ <|DSML|"));
  CHECK_FALSE(run(TerminalId::content, "<｜DSML｜"));
  CHECK_FALSE(run(TerminalId::content, "<<｜DSML｜"));
  CHECK(run(TerminalId::content, "<｜DSML\xEF\xBD\x9D"));  // a character that begins like the bar
  CHECK(run(TerminalId::value_text, "<｜DSML｜invoke> </｜DSML｜invoke> </｜DSML｜parameter"));
  CHECK_FALSE(run(TerminalId::value_text, "</｜DSML｜parameter>"));
  CHECK_FALSE(run(TerminalId::value_text, "</｜DSML</｜DSML｜parameter>"));
  CHECK(run(TerminalId::string, "<｜DSML <｜D<"));
  CHECK_FALSE(run(TerminalId::string, "<</｜DSML｜"));
}

TEST_CASE("from every state of a table its end can be reached", "[engine]") {
  for (std::size_t t = 0; t < kTerminals; ++t) {
    const Terminal& table = terminal(static_cast<TerminalId>(t));
    std::vector<bool> ends(table.states.size());
    ends[Terminal::kDone] = true;
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = Terminal::kStart; i < table.states.size(); ++i) {
        bool end = table.states[i].may_end;
        for (const std::uint8_t next : table.states[i].next) end = end || ends[next];
        changed = changed || end != ends[i];
        ends[i] = end;
      }
    }
    for (std::size_t i = Terminal::kStart; i < table.states.size(); ++i) CHECK(ends[i]);
  }
}
