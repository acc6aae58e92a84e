#include "runtime/net/sse.hpp"

#include "runtime/base/text.hpp"
#include "tests/support/catch.hpp"

#include <random>

using namespace fathom;
using namespace fathom::net;
using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

using Events = std::vector<SseEvent>;

Events parse_in_pieces(const std::vector<std::string_view>& pieces) {
  SseParser parser;
  Events events;
  for (const std::string_view piece : pieces) REQUIRE(parser.feed(piece, events));
  return events;
}

Events parse(std::string_view text) { return parse_in_pieces({text}); }

// The standard's algorithm over a whole buffer, written as plainly as it is specified: normalise
// the line ends, cut into lines, follow the steps. It shares nothing with the parser under test.
Events parse_whole(std::string text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  std::string lines;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    lines += text[i] == '\r' ? '\n' : text[i];
  }
  Events events;
  std::string data;
  std::string type;
  std::string id;
  for (std::size_t at = 0; lines.find('\n', at) != std::string::npos;) {
    const std::size_t end = lines.find('\n', at);
    const std::string line = lines.substr(at, end - at);
    at = end + 1;
    if (line.empty()) {
      if (!data.empty())
        events.push_back({type.empty() ? "message" : to_valid_utf8(type),
                          to_valid_utf8(data.substr(0, data.size() - 1)), to_valid_utf8(id)});
      data.clear();
      type.clear();
      continue;
    }
    const std::size_t colon = line.find(':');
    const std::string name = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(" ")) value.erase(0, 1);
    if (name == "data") data += value + "\n";
    if (name == "event") type = value;
    if (name == "id" && value.find('\0') == std::string::npos) id = value;
  }
  return events;
}

const std::string kByteOrderMark = "\xEF\xBB\xBF";

const std::vector<std::string> kCorpus = {
    "data: one\n\n",
    kByteOrderMark + "data: after a byte order mark\n\n",
    "data\xEF\xBB\xBF: not first\n\ndata: x\r\n\r\n",
    "event: delta\r\ndata: {\"a\":1}\r\n\r\nevent: done\rdata: [DONE]\r\r",
    ": keep-alive\n\n: another\n\ndata: a\ndata:b\ndata\ndata:  c\n\n",
    "id: 7\ndata: x\n\ndata: y\n\nid\ndata: z\n\n",
    "id: a\0b\ndata: x\n\n"s,
    "event: only a type\n\ndata: its type is message\n\n",
    "data: unfinished",
    "data\n\ndata\ndata\n\ndata:\n\n",
    "retry: 1500\nnonsense: x\ndata: ok\n\n\n\n",
    "data: \xFF\xE4\xBD\n\ndata: \xE4\xBD\xA0\n\n",
    "\n\r\n\r\ndata: x\n\n\r",
};

}  // namespace

TEST_CASE("events end at a blank line and carry type, data and the last id", "[runtime]") {
  CHECK(parse("event: delta\nid: 1\ndata: a\ndata: b\n\ndata: c\n\n") ==
        Events{{"delta", "a\nb", "1"}, {"message", "c", "1"}});
  CHECK(parse("data\n\ndata\ndata\n\ndata:\n\n") ==
        Events{{"message", "", ""}, {"message", "\n", ""}, {"message", "", ""}});
  CHECK(parse("data:no space\n\ndata:  two\n\n") ==
        Events{{"message", "no space", ""}, {"message", " two", ""}});
}

TEST_CASE("comments, unknown fields and an unfinished last event are not seen", "[runtime]") {
  CHECK(parse(": keep-alive\n\nfoo: bar\n\ndata: x").empty());
  CHECK(parse("event: lost\n\ndata: x\n\n") == Events{{"message", "x", ""}});
}

TEST_CASE("CR, LF and CRLF end a line alike", "[runtime]") {
  for (const char* text :
       {"data: a\ndata: b\n\n", "data: a\rdata: b\r\r", "data: a\r\ndata: b\r\n\r\n"})
    CHECK(parse(text) == Events{{"message", "a\nb", ""}});
}

TEST_CASE("an event that ends in CR does not wait for the byte after it", "[runtime]") {
  SseParser parser;
  Events events;
  REQUIRE(parser.feed("data: x\r\r", events));
  CHECK(events.size() == 1);
  REQUIRE(parser.feed("\ndata: y\r\r", events));
  CHECK(events == Events{{"message", "x", ""}, {"message", "y", ""}});
}

TEST_CASE("an id with NUL is ignored and an empty id clears it", "[runtime]") {
  CHECK(parse("id: 1\nid: a\0b\ndata: x\n\nid\ndata: y\n\n"sv) ==
        Events{{"message", "x", "1"}, {"message", "y", ""}});
}

TEST_CASE("the reconnection time is digits or it is ignored", "[runtime]") {
  SseParser parser;
  Events events;
  REQUIRE(parser.feed("retry: 12x\nretry: -1\nretry\nretry: 99999999999999999999\n", events));
  CHECK(parser.retry() == std::nullopt);
  REQUIRE(parser.feed("id: 9\nretry: 1500\n", events));
  CHECK(parser.retry() == 1500ms);
  REQUIRE(parser.feed("retry: 86400001\n", events));
  CHECK(parser.retry() == 24h);
  REQUIRE(parser.feed("retry: 9223372036854775807\n", events));
  CHECK(parser.retry() == kSseRetryMax);
  CHECK(parser.last_event_id() == "9");
}

TEST_CASE("any cut of the stream gives the same events", "[runtime]") {
  for (const std::string& text : kCorpus) {
    INFO(to_printable(text));
    const Events whole = parse_whole(text);
    const std::string_view view = text;
    CHECK(parse(view) == whole);
    for (std::size_t i = 0; i <= view.size(); ++i)
      for (std::size_t j = i; j <= view.size(); ++j) {
        const Events cut =
            parse_in_pieces({view.substr(0, i), view.substr(i, j - i), view.substr(j)});
        if (cut != whole) FAIL("cut at " << i << " and " << j);
      }
  }
}

TEST_CASE("random streams in random pieces agree with the plain algorithm", "[runtime]") {
  std::mt19937 random(1);
  const std::vector<std::string> words = {"data", "event",        "id",        "retry", ":", ": ",
                                          " ",    "\n",           "\r",        "\r\n",  "x", "\xC3",
                                          "1",    "\xEF\xBB\xBF", "data: y\n", "\n\n"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int word = 0; word < 30; ++word) text += words[random() % words.size()];
    SseParser parser;
    Events events;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 7, rest.size());
      REQUIRE(parser.feed(rest.substr(0, size), events));
      rest.remove_prefix(size);
    }
    INFO(to_printable(text));
    REQUIRE(events == parse_whole(text));
  }
}

TEST_CASE("an event larger than its bound fails, after the events before it", "[runtime]") {
  const std::string text = "data: ok\n\ndata: 0123456789\ndata: 0123456789\n\ndata: never\n\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    SseParser parser(24);
    Events events;
    Result<> fed;
    for (std::size_t at = 0; at < text.size() && fed; at += piece)
      fed = parser.feed(std::string_view(text).substr(at, piece), events);
    CHECK(events == Events{{"message", "ok", ""}});
    CHECK(fed.error() == Error{ErrorCode::too_large, "event stream: an event is larger than 24 B"});
    CHECK_FALSE(parser.feed("data: more\n\n", events));
    CHECK(events.size() == 1);
  }
}

TEST_CASE("an id larger than its bound fails, since every later event would repeat it",
          "[runtime]") {
  SseParser parser;
  Events events;
  CHECK(parser.feed("id: " + std::string(kSseIdBytesMax, 'a') + "\n", events));
  CHECK(parser.feed("id: " + std::string(kSseIdBytesMax + 1, 'a') + "\n", events).error().message ==
        "event stream: an id is larger than 1.0 KiB");
}

TEST_CASE("an event is written with one data line for each line of its data", "[runtime]") {
  CHECK(encode_sse({"message", "a\nb\r\nc\rd", ""}) == "data: a\ndata: b\ndata: c\ndata: d\n\n");
  CHECK(encode_sse({"delta", "", "7"}) == "event: delta\nid: 7\ndata: \n\n");
  CHECK(encode_sse_comment("keep-alive") == ": keep-alive\n\n");
  CHECK(encode_sse_comment("two\nlines") == ": two\n: lines\n\n");
}

TEST_CASE("what is written is read back", "[runtime]") {
  for (const SseEvent& event : Events{{"message", "plain", ""},
                                      {"delta", "{\"x\": \"a b\"}\n\n  indented", "42"},
                                      {"message", "", ""},
                                      {"message", "\n", ""},
                                      {"message", " leading: colon\ndata: x", "a b"}}) {
    CHECK(parse(encode_sse_comment("ping\ndata: x") + encode_sse(event)) == Events{event});
  }
}
