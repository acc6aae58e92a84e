#include "engine/text/json_value.hpp"

#include "engine/text/utf8.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace fathom::engine {
namespace {

// Up to this many keys, comparing each with each is cheaper than hashing them.
constexpr std::size_t kKeysComparedMax = 16;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Of equal keys the last value wins at the first one's place.
void merge_equal_keys(JsonValue& object) {
  const bool hashed = object.keys.size() > kKeysComparedMax;
  std::unordered_map<std::string, std::size_t> places;
  std::size_t kept = 0;
  const auto place_of = [&](const std::string& key) {
    if (hashed) return places.emplace(key, kept).first->second;
    const auto begin = object.keys.begin();
    const auto end = begin + static_cast<std::ptrdiff_t>(kept);
    return static_cast<std::size_t>(std::find(begin, end, key) - begin);
  };
  for (std::size_t i = 0; i < object.keys.size(); ++i) {
    const std::size_t place = place_of(object.keys[i]);
    if (place != i) object.items[place] = std::move(object.items[i]);
    if (place != kept) continue;
    if (place != i) object.keys[place] = std::move(object.keys[i]);
    ++kept;
  }
  object.keys.resize(kept);
  object.items.resize(kept);
}

// Each step answers whether it could be taken; the first that could not has said why in wrong_.
class Parser {
 public:
  Parser(std::string_view text, JsonDialect dialect) : text_(text), dialect_(dialect) {}

  Result<JsonValue> run() {
    JsonValue value;
    if (const std::size_t bad = find_invalid_utf8(text_); bad != std::string_view::npos) {
      at_ = bad;
      stop("not UTF-8");
    } else if (parse_value(value, 0)) {
      skip_blanks();
      if (at_ != text_.size()) stop("text behind the value");
    }
    if (wrong_.empty()) return value;
    return fail(ErrorCode::bad_data, "byte " + std::to_string(at_) + ": " + std::string(wrong_));
  }

 private:
  bool stop(std::string_view what) {
    if (wrong_.empty()) wrong_ = what;
    return false;
  }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_blanks() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").contains(text_[at_])) ++at_;
  }
  bool take(char wanted) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  bool parse_value(JsonValue& value, int depth) {
    skip_blanks();
    if (at_ == text_.size()) return stop("the text ends where a value should stand");
    switch (text_[at_]) {
      case '{':
        return parse_object(value, depth);
      case '[':
        return parse_array(value, depth);
      case '"':
        value.kind = JsonValue::Kind::string;
        return parse_string(value.text);
      default:
        return parse_word(value) || parse_number(value);
    }
  }

  bool parse_word(JsonValue& value) {
    if (take_word("null")) return true;
    if (text_[at_] == 't' || text_[at_] == 'f') {
      value.kind = JsonValue::Kind::boolean;
      value.boolean = text_[at_] == 't';
      return take_word(value.boolean ? "true" : "false");
    }
    if (dialect_ != JsonDialect::python) return false;
    for (std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (!take_word(word)) continue;
      value.kind = JsonValue::Kind::number;
      value.text = word;
      return true;
    }
    return false;
  }

  bool skip_digits() {
    const std::size_t from = at_;
    while (is_digit(peek())) ++at_;
    return at_ > from;
  }

  bool parse_number(JsonValue& value) {
    const std::size_t from = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!skip_digits()) {
      at_ = from;
      return stop("no JSON value");
    }
    // "1." and "1e" are the number 1 with text behind it: take back what does not complete.
    std::size_t good = at_;
    if (peek() == '.') {
      ++at_;
      if (skip_digits()) good = at_;
      at_ = good;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (skip_digits()) good = at_;
      at_ = good;
    }
    value.kind = JsonValue::Kind::number;
    value.text = text_.substr(from, at_ - from);
    return true;
  }

  bool parse_array(JsonValue& value, int depth) {
    value.kind = JsonValue::Kind::array;
    if (depth >= kJsonDepthMax) return stop("nested too deep");
    ++at_;
    if (take(']')) return true;
    do {
      if (!parse_value(value.items.emplace_back(), depth + 1)) return false;
    } while (take(','));
    return take(']') || stop("expected ',' or ']'");
  }

  bool parse_object(JsonValue& value, int depth) {
    value.kind = JsonValue::Kind::object;
    if (depth >= kJsonDepthMax) return stop("nested too deep");
    ++at_;
    if (take('}')) return true;
    do {
      skip_blanks();
      if (peek() != '"') return stop("expected a key in quotes");
      if (!parse_string(value.keys.emplace_back())) return false;
      if (!take(':')) return stop("expected ':'");
      if (!parse_value(value.items.emplace_back(), depth + 1)) return false;
    } while (take(','));
    merge_equal_keys(value);
    return take('}') || stop("expected ',' or '}'");
  }

  bool parse_string(std::string& out) {
    ++at_;
    for (;;) {
      const std::size_t from = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20)
        ++at_;
      out += text_.substr(from, at_ - from);
      if (at_ == text_.size()) return stop("the text ends inside a string");
      if (text_[at_] == '"') {
        ++at_;
        return true;
      }
      if (text_[at_] != '\\') return stop("a control character inside a string");
      if (!parse_escape(out)) return false;
    }
  }

  bool parse_escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const char name = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (name == 'u') return parse_unicode_escape(out);
    const std::size_t which = kNames.find(name);
    if (which == std::string_view::npos) return stop("unknown escape in a string");
    out += kMeanings[which];
    at_ += 2;
    return true;
  }

  [[nodiscard]] std::optional<char32_t> hex4(std::size_t at) const {
    if (text_.size() - at < 6 || text_[at] != '\\' || text_[at + 1] != 'u') return std::nullopt;
    char32_t value = 0;
    for (char c : text_.substr(at + 2, 4)) {
      const std::size_t digit = std::string_view("0123456789abcdefABCDEF").find(c);
      if (digit == std::string_view::npos) return std::nullopt;
      value = value << 4 | static_cast<char32_t>(digit < 16 ? digit : digit - 6);
    }
    return value;
  }

  bool parse_unicode_escape(std::string& out) {
    const std::optional<char32_t> first = hex4(at_);
    if (!first) return stop("\\u needs four hexadecimal digits");
    at_ += 6;
    if (*first >= 0xD800 && *first <= 0xDBFF) {
      const std::optional<char32_t> second = hex4(at_);
      if (second && *second >= 0xDC00 && *second <= 0xDFFF) {
        at_ += 6;
        append_utf8(out, 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00));
        return true;
      }
    }
    append_utf8(out, *first);
    return true;
  }

  std::string_view text_;
  JsonDialect dialect_;
  std::size_t at_ = 0;
  std::string_view wrong_;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view key) const {
  if (kind != Kind::object) return nullptr;
  const auto found = std::ranges::find(keys, key);
  return found == keys.end() ? nullptr : &items[static_cast<std::size_t>(found - keys.begin())];
}

Result<JsonValue> parse_json(std::string_view text, JsonDialect dialect) {
  return Parser(text, dialect).run();
}

}  // namespace fathom::engine
