#include "engine/local/stop_strings.hpp"

#include "engine/local/counter_random.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

using namespace fathom::engine;

namespace {

using Stops = std::vector<std::string>;

StopStrings matcher(const Stops& stops) { return StopStrings::create(stops).value(); }

std::string error_of(const Stops& stops) {
  const auto result = StopStrings::create(stops);
  return result ? "" : result.error().message;
}

struct Outcome {
  std::string text;
  std::optional<std::size_t> stop;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// What a search in the whole text finds: the stop string that ends first, of those the longest.
Outcome plain_search(const Stops& stops, const std::string& text) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < stops.size(); ++i)
      if (text.substr(0, end).ends_with(stops[i]) &&
          (!best || stops[i].size() > stops[*best].size()))
        best = i;
    if (best) return {text.substr(0, end - stops[*best].size()), best};
  }
  return {text, std::nullopt};
}

// The longest suffix that begins a stop string without being one.
std::size_t plain_held(const Stops& stops, const std::string& text) {
  std::size_t held = 0;
  for (const std::string& stop : stops)
    for (std::size_t n = 1; n < stop.size(); ++n)
      if (text.ends_with(stop.substr(0, n))) held = std::max(held, n);
  return held;
}

Outcome pushed(StopStrings found, std::initializer_list<std::string_view> pieces) {
  Outcome outcome;
  for (const std::string_view piece : pieces) {
    const auto release = found.push(piece);
    outcome.text += release.text;
    outcome.stop = release.stop;
  }
  outcome.text += found.finish();
  return outcome;
}

}  // namespace

TEST_CASE("text without a stop string is released, at the latest at the end", "[engine]") {
  StopStrings found = matcher({"END"});
  CHECK(found.push("say EN").text == "say ");
  CHECK(found.held_bytes() == 2);
  CHECK(found.push("ough").text == "ENough");
  CHECK(found.push("E").text.empty());
  CHECK(found.finish() == "E");
  CHECK(matcher({}).push("any").text == "any");
}

TEST_CASE("a stop string ends the text wherever it is cut", "[engine]") {
  const Stops stops = {"\n\n", "</end>", "<", "</e"};
  const std::vector<std::pair<Stops, std::string>> cases = {
      {{"</end>"}, "a </en </end> b"}, {{"aab"}, "aaab"},
      {{"abab", "ba"}, "xabab"},       {{"x", "yx"}, "zyx"},
      {{"né", "é!"}, "uné!"},          {{"abcd", "bc"}, "abcd"},
      {{"abcd", "bc"}, "abxbc"},       {{"aaaa"}, "aaabaaaaa"},
      {{"END"}, "no such thing EN"},   {{"a"}, "a"},
      {{"ab", "ab"}, "xxab rest"}};
  for (const auto& [strings, text] : cases) {
    INFO(text);
    const Outcome expected = plain_search(strings, text);
    for (std::size_t i = 0; i <= text.size(); ++i)
      for (std::size_t j = i; j <= text.size(); ++j) {
        const std::string_view view = text;
        CHECK(pushed(matcher(strings),
                     {view.substr(0, i), view.substr(i, j - i), view.substr(j)}) == expected);
      }
  }
}

TEST_CASE("random texts: the release is exact after every byte", "[engine]") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    std::uint64_t draws = 0;
    const auto random = [&](std::size_t bound) {
      return static_cast<std::size_t>(uniform_at(seed, draws++) * static_cast<double>(bound));
    };
    const auto word = [&](std::size_t length) {
      std::string text;
      for (std::size_t i = 0; i < length; ++i) text += static_cast<char>('a' + random(2));
      return text;
    };
    Stops stops;
    for (std::size_t i = 0, count = 1 + random(3); i < count; ++i)
      stops.push_back(word(2 + random(5)));
    const std::string text = word(40);
    const Outcome expected = plain_search(stops, text);
    StopStrings found = matcher(stops);
    std::string released;
    for (std::size_t i = 0; i < text.size() && !found.push("").stop; ++i) {
      StopStrings branch = found;
      (void)branch.push("ab");  // a copy goes its own way
      const auto release = found.push(text.substr(i, 1));
      released += release.text;
      if (!release.stop) CHECK(released.size() + plain_held(stops, text.substr(0, i + 1)) == i + 1);
    }
    released += found.finish();
    CHECK(released == expected.text);
    CHECK(found.push("").stop == expected.stop);
  }
}

TEST_CASE("after a stop string nothing more is released", "[engine]") {
  StopStrings found = matcher({"stop"});
  CHECK(found.push("one stop two").text == "one ");
  CHECK(found.push("three").text.empty());
  CHECK(found.push("three").stop == 0U);
  CHECK(found.finish().empty());
}

TEST_CASE("stop strings that cannot work are refused", "[engine]") {
  CHECK(error_of({"a", ""}) == "stop[1]: an empty string would stop everything (leave it out)");
  CHECK(error_of(Stops(17, "a")) == "stop: 17 strings are more than 16");
  CHECK(error_of({std::string(513, 'a')}) == "stop[0]: 513 bytes are more than 512");
  CHECK(error_of({"\xC3"}) == "stop[0]: not UTF-8");
  CHECK(error_of(Stops(16, std::string(512, 'a'))).empty());
}
