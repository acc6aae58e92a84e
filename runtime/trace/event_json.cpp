// Measured: see the head of tests/bench/trace_bench.cpp.
#include "runtime/trace/event_json.hpp"

#include "runtime/base/text.hpp"

#include <simdjson.h>
#include <xxhash.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <utility>

namespace fathom::trace {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr int kJsonDepthMax = 64;
constexpr std::string_view kSumKey = R"(,"xxh3":")";
constexpr std::size_t kSumDigits = 16;
constexpr std::size_t kSumBytes =
    kSumKey.size() + kSumDigits + 2;  // with the closing quote and brace

// ---- encoding ----

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> text;
  const char* const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

void append_hex(std::string& out, std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<char, 16> text;
  for (std::size_t i = text.size(); i-- > 0; value >>= 4) text[i] = kDigits[value & 15];
  out.append(text.data(), text.size());
}

// YYYY-MM-DDTHH:MM:SS.uuuuuuZ
constexpr std::size_t kTimeBytes = 27;

void append_time(std::string& out, WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  auto digits = [&out](std::uint64_t value, int width) {
    std::array<char, 8> text;
    for (int i = width; i-- > 0; value /= 10)
      text[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
    out.append(text.data(), static_cast<std::size_t>(width));
  };
  const auto micros = static_cast<std::uint64_t>((time - day).count());
  digits(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
  out += '-';
  digits(static_cast<unsigned>(date.month()), 2);
  out += '-';
  digits(static_cast<unsigned>(date.day()), 2);
  out += 'T';
  digits(micros / 3'600'000'000, 2);
  out += ':';
  digits(micros / 60'000'000 % 60, 2);
  out += ':';
  digits(micros / 1'000'000 % 60, 2);
  out += '.';
  digits(micros % 1'000'000, 6);
  out += 'Z';
}

std::string_view name_of(Durability durability) {
  return durability == Durability::durable ? "durable" : "ephemeral";
}

void append_envelope(std::string& out, const Event& event) {
  out += R"({"v":1,"run":")";
  event.run.value.append_to(out);
  out += R"(","stream":")";
  out += event.stream;
  out += R"(","seq":)";
  append_number(out, event.at.seq);
  if (event.at.sub != 0) {
    out += R"(,"sub":)";
    append_number(out, event.at.sub);
  }
  out += R"(,"ts":")";
  append_time(out, event.ts);
  out += R"(","mono_ns":)";
  append_number(out, static_cast<std::uint64_t>(event.mono_ns));
  out += R"(,"type":")";
  out += event.what.type;
  if (event.what.span.value != 0) {
    out += R"(","span":")";
    append_hex(out, event.what.span.value);
  }
  if (event.what.parent.value != 0) {
    out += R"(","parent":")";
    append_hex(out, event.what.parent.value);
  }
  out += '"';
  if (event.what.cause != 0) {
    out += R"(,"cause":)";
    append_number(out, event.what.cause);
  }
  out += R"(,"durability":")";
  out += name_of(event.durability);
  out += R"(","data":)";
}

// ---- decoding ----

// A reason to refuse; `where` is the key it happened at.
std::unexpected<Error> refuse(std::string_view where, std::string_view why) {
  return fail(ErrorCode::bad_data, "event field '" + std::string(where) + "': " + std::string(why));
}

std::unexpected<Error> refuse(std::string_view where, simdjson::error_code error) {
  return refuse(where, simdjson::error_message(error));
}

// True when nothing follows what was read.
bool is_at_end(ondemand::document& document) {
  const char* at = nullptr;
  return document.current_location().get(at) == simdjson::OUT_OF_BOUNDS;
}

// Walks everything inside `value`, because on-demand parsing checks only what is asked for.
simdjson::error_code check_all(ondemand::value value, int depth) {
  if (depth > kJsonDepthMax) return simdjson::DEPTH_ERROR;
  ondemand::json_type type;
  if (auto error = value.type().get(type)) return error;
  switch (type) {
    case ondemand::json_type::object: {
      ondemand::object object;
      if (auto error = value.get_object().get(object)) return error;
      for (auto field : object) {
        std::string_view key;
        if (auto error = field.unescaped_key().get(key)) return error;
        ondemand::value inner;
        if (auto error = field.value().get(inner)) return error;
        if (auto error = check_all(inner, depth + 1)) return error;
      }
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::array: {
      ondemand::array array;
      if (auto error = value.get_array().get(array)) return error;
      for (auto element : array) {
        ondemand::value inner;
        if (auto error = element.get(inner)) return error;
        if (auto error = check_all(inner, depth + 1)) return error;
      }
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::string: {
      std::string_view text;
      return value.get_string().get(text);
    }
    case ondemand::json_type::number: {
      // As a double, because integers of any size are legal JSON and survive as text.
      double number;
      return value.get_double().get(number);
    }
    case ondemand::json_type::boolean: {
      bool truth;
      return value.get_bool().get(truth);
    }
    case ondemand::json_type::null: {
      bool null;
      if (auto error = value.is_null().get(null)) return error;
      return null ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
    }
  }
  return simdjson::TAPE_ERROR;
}

Result<std::uint64_t> parse_hex(std::string_view where, std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  const bool upper = text.find_first_of("ABCDEF") != std::string_view::npos;  // one spelling only
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size() || upper)
    return refuse(where, "not 16 hexadecimal digits");
  return value;
}

Result<WallTime> parse_time(std::string_view text) {
  const auto bad = [&] {
    return refuse("ts", "not a UTC time such as 2026-01-31T23:59:59.000000Z");
  };
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd.ddddddZ";
  static_assert(kForm.size() == kTimeBytes);
  if (text.size() != kForm.size()) return bad();
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == 'd' ? !digit : text[i] != kForm[i]) return bad();
  }
  const auto number = [&](std::size_t at, std::size_t width) {
    int value = 0;
    for (char c : text.substr(at, width)) value = value * 10 + (c - '0');
    return value;
  };
  const std::chrono::year_month_day date{std::chrono::year{number(0, 4)},
                                         std::chrono::month{static_cast<unsigned>(number(5, 2))},
                                         std::chrono::day{static_cast<unsigned>(number(8, 2))}};
  const int hour = number(11, 2);
  const int minute = number(14, 2);
  const int second = number(17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return bad();
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + std::chrono::microseconds(number(20, 6));
}

// The keys of the envelope, in the order they are written. The bit of each is set once it was seen.
namespace keys {
enum Index : unsigned {
  v,
  run,
  stream,
  seq,
  sub,
  ts,
  mono_ns,
  type,
  span,
  parent,
  cause,
  durability,
  data,
  xxh3
};
}  // namespace keys
constexpr std::array<std::string_view, 14> kKeys = {
    "v",    "run",  "stream", "seq",   "sub",        "ts",   "mono_ns",
    "type", "span", "parent", "cause", "durability", "data", "xxh3"};
constexpr unsigned kRequired = (1u << keys::v) | (1u << keys::run) | (1u << keys::stream) |
                               (1u << keys::seq) | (1u << keys::ts) | (1u << keys::mono_ns) |
                               (1u << keys::type) | (1u << keys::durability) | (1u << keys::data);

// The keys come in order, so the search starts behind the last one found: one comparison each.
int find_key(std::string_view key, unsigned after) {
  for (unsigned i = 0; i < kKeys.size(); ++i) {
    const unsigned at = (after + i) % kKeys.size();
    if (kKeys[at] == key) return static_cast<int>(at);
  }
  return -1;
}

Result<std::uint64_t> get_number(unsigned key, ondemand::value& value) {
  std::uint64_t number = 0;
  if (auto error = value.get_uint64().get(number)) return refuse(kKeys[key], error);
  return number;
}

Result<std::string_view> get_text(unsigned key, ondemand::value& value) {
  std::string_view text;
  if (auto error = value.get_string().get(text)) return refuse(kKeys[key], error);
  return text;
}

// Takes the text of the object as it stands, after checking all of it.
Result<> read_data(ondemand::document& document, ondemand::value& value, std::string& data) {
  const char* begin = value.raw_json_token().data();
  if (*begin != '{') return refuse("data", "not an object");
  if (auto error = check_all(value, 1)) return refuse("data", error);
  const char* end = nullptr;
  if (auto error = document.current_location().get(end)) return refuse("data", error);
  while (end[-1] != '}') --end;  // the parser stands at the next token: go back over blanks
  data.assign(begin, end);
  return {};
}

Result<> read_number_field(unsigned key, ondemand::value& value, Event& event) {
  const std::uint64_t number = TRY(get_number(key, value));
  switch (key) {
    case keys::v:
      if (number != kEventVersion)
        return refuse("v", "version " + std::to_string(number) + " is not " +
                               std::to_string(kEventVersion) + ": written by a newer fathom");
      break;
    case keys::seq:
      event.at.seq = number;
      break;
    case keys::sub:
      if (number == 0) return refuse("sub", "counted from 1");
      event.at.sub = number;
      break;
    case keys::mono_ns:
      if (number > INT64_MAX) return refuse("mono_ns", "out of range");
      event.mono_ns = static_cast<std::int64_t>(number);
      break;
    default:
      if (number == 0) return refuse("cause", "counted from 1");
      event.what.cause = number;
  }
  return {};
}

Result<> read_text_field(unsigned key, ondemand::value& value, Event& event) {
  const std::string_view text = TRY(get_text(key, value));
  switch (key) {
    case keys::run:
      event.run = TRY(RunId::parse(text));
      break;
    case keys::stream:
      if (!is_stream_name(text)) return refuse("stream", "not a stream name");
      event.stream = text;
      break;
    case keys::ts:
      event.ts = TRY(parse_time(text));
      break;
    case keys::type:
      if (!is_event_type(text)) return refuse("type", "not an event type such as 'tool.started'");
      event.what.type = text;
      break;
    case keys::span:
      event.what.span.value = TRY(parse_hex("span", text));
      break;
    case keys::parent:
      event.what.parent.value = TRY(parse_hex("parent", text));
      break;
    default:
      if (text != "durable" && text != "ephemeral")
        return refuse("durability", "neither 'durable' nor 'ephemeral'");
      event.durability = text == "durable" ? Durability::durable : Durability::ephemeral;
  }
  return {};
}

Result<> read_field(unsigned key, ondemand::value& value, Event& event) {
  switch (key) {
    case keys::v:
    case keys::seq:
    case keys::sub:
    case keys::mono_ns:
    case keys::cause:
      return read_number_field(key, value, event);
    case keys::xxh3:
      TRY(get_text(key, value));  // the checksum itself was verified on the bytes
      return {};
    default:
      return read_text_field(key, value, event);
  }
}

// Verifies the checksum that ends `line`; true when there is one.
Result<bool> check_sum(std::string_view line) {
  if (line.size() <= kSumBytes) return false;
  const std::string_view tail = line.substr(line.size() - kSumBytes);
  if (!tail.starts_with(kSumKey) || !tail.ends_with("\"}")) return false;
  const std::uint64_t want = TRY(parse_hex("xxh3", tail.substr(kSumKey.size(), kSumDigits)));
  if (XXH3_64bits(line.data(), line.size() - kSumBytes) != want)
    return refuse("xxh3", "the checksum does not match: the line was damaged or edited");
  return true;
}

Result<> check_whole(const Event& event, unsigned seen) {
  for (unsigned key = 0; key < kKeys.size(); ++key)
    if ((kRequired & (1u << key)) && !(seen & (1u << key))) return refuse(kKeys[key], "missing");
  if ((event.at.sub != 0) != (event.durability == Durability::ephemeral))
    return refuse("sub", "belongs to ephemeral events and to them alone");
  if (event.durability == Durability::durable && event.at.seq == 0)
    return refuse("seq", "counted from 1");
  const auto known = durability_of(event.what.type);
  if (known && *known != event.durability)
    return refuse("durability",
                  "'" + event.what.type + "' is always " + std::string(name_of(*known)));
  return {};
}

// What can be refused without looking into the data.
Result<> check_envelope(const Event& event) {
  if (!is_stream_name(event.stream)) return refuse("stream", "not a stream name");
  if (!is_event_type(event.what.type)) return refuse("type", "not an event type");
  if (event.mono_ns < 0) return refuse("mono_ns", "out of range");
  if (event.what.data.find('\n') != std::string::npos) return refuse("data", "not on one line");
  const auto year =
      std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(event.ts)).year();
  if (year < std::chrono::year{0} || year > std::chrono::year{9999})
    return refuse("ts", "out of range");
  return {};
}

}  // namespace

struct EventCodec::Parsers {
  ondemand::parser line;
  ondemand::parser data;
};

EventCodec::EventCodec() : parsers_(std::make_unique<Parsers>()) {}
EventCodec::~EventCodec() = default;
EventCodec::EventCodec(EventCodec&&) noexcept = default;
EventCodec& EventCodec::operator=(EventCodec&&) noexcept = default;

Result<Event> EventCodec::decode(std::string_view line) {
  if (line.size() >= kEventBytesMax) return fail(ErrorCode::too_large, "event larger than 64 KiB");
  scratch_.assign(line);
  scratch_.append(kPadding, ' ');
  return decode_padded(std::string_view(scratch_).substr(0, line.size()), scratch_.size());
}

Result<Event> EventCodec::decode_padded(std::string_view line, std::size_t readable) {
  static_assert(kPadding >= simdjson::SIMDJSON_PADDING);
  const bool summed = TRY(check_sum(line));
  return read_fields(line, readable, summed);
}

Result<Event> EventCodec::read_fields(std::string_view line, std::size_t readable, bool summed) {
  // JSON allows line ends between tokens; a line of a journal has none.
  if (line.find('\n') != std::string_view::npos) return refuse("{", "not on one line");
  ondemand::document document;
  if (auto error = parsers_->line.iterate(line.data(), line.size(), readable).get(document))
    return refuse("{", error);
  ondemand::object object;
  if (auto error = document.get_object().get(object)) return refuse("{", error);
  Event event;
  unsigned seen = 0;
  unsigned next = 0;
  for (auto field : object) {
    std::string_view name;
    if (auto error = field.unescaped_key().get(name)) return refuse("{", error);
    const int found = find_key(name, next);
    if (found < 0)
      return refuse(to_printable(clip_prefix(name, kEventTypeBytesMax)), "unknown key");
    const auto key = static_cast<unsigned>(found);
    if (seen & (1u << key)) return refuse(name, "given twice");
    if (key == keys::xxh3 && !summed) return refuse(name, "not at the end of the line");
    seen |= 1u << key;
    next = key + 1;
    ondemand::value value;
    if (auto error = field.value().get(value)) return refuse(kKeys[key], error);
    TRY(key == keys::data ? read_data(document, value, event.what.data)
                          : read_field(key, value, event));
  }
  if (!is_at_end(document)) return refuse("}", "more text behind the object");
  TRY(check_whole(event, seen));
  return event;
}

Result<> EventCodec::check_data(std::string_view data) {
  data_scratch_.assign(data);
  data_scratch_.append(kPadding, ' ');
  ondemand::document document;
  if (auto error = parsers_->data.iterate(data_scratch_.data(), data.size(), data_scratch_.size())
                       .get(document))
    return refuse("data", error);
  ondemand::value value;
  if (auto error = document.get_value().get(value)) return refuse("data", error);
  if (auto error = check_all(value, 1)) return refuse("data", error);
  if (!is_at_end(document)) return refuse("data", "more text behind the object");
  return {};
}

Result<> EventCodec::append(std::string& out, const Event& event) {
  TRY(check_envelope(event));
  if (!event.what.data.starts_with('{')) return refuse("data", "not an object");
  if (event.what.data.size() >= kEventBytesMax)
    return fail(ErrorCode::too_large,
                "event '" + event.what.type + "' exceeds 64 KiB: store the body as a blob");
  TRY(check_data(event.what.data));
  const std::size_t start = out.size();
  append_envelope(out, event);
  out += event.what.data;
  const std::uint64_t sum = XXH3_64bits(out.data() + start, out.size() - start);
  out += kSumKey;
  append_hex(out, sum);
  out += "\"}\n";
  if (out.size() - start <= kEventBytesMax) return {};
  out.resize(start);
  return fail(ErrorCode::too_large,
              "event '" + event.what.type + "' exceeds 64 KiB: store the body as a blob");
}

std::string to_string(SpanId span) {
  std::string out;
  append_hex(out, span.value);
  return out;
}

std::string to_string(WallTime time) {
  std::string out;
  append_time(out, time);
  return out;
}

}  // namespace fathom::trace
