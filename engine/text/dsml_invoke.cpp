#include "engine/text/dsml_invoke.hpp"

#include "engine/text/python_json.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

using Kind = DsmlTag::Kind;

// How far behind a `<` it may be decided whether it ends a value: two tags and blanks.
constexpr std::size_t kLookAheadMax = 4 * kTagBytesMax;

std::size_t skip_blanks(std::string_view text, std::size_t from) {
  return std::min(text.find_first_not_of(" \t\r\n", from), text.size());
}

// Whether only blanks and the end of the output follow.
enum class AtEnd : std::uint8_t { no, yes, undecided };
AtEnd ends_behind(std::string_view text, std::size_t from, Ending ending) {
  if (skip_blanks(text, from) != text.size()) return AtEnd::no;
  if (ending == Ending::final) return AtEnd::yes;
  return text.size() >= kLookAheadMax ? AtEnd::no : AtEnd::undecided;
}

enum class Follows : std::uint8_t { no, yes, undecided };

// Whether what follows a parameter's closing tag makes it one.
Follows follows(std::string_view text, std::size_t from, Ending ending) {
  const auto answer = [](AtEnd end) {
    return end == AtEnd::yes ? Follows::yes : end == AtEnd::no ? Follows::no : Follows::undecided;
  };
  const std::size_t next = skip_blanks(text, from);
  if (next == text.size()) return answer(ends_behind(text, from, ending));
  if (text[next] != '<') return Follows::no;
  const Kind word = read_tag_word(text.substr(next));
  if (word == Kind::open_parameter || word == Kind::close_invoke) return Follows::yes;
  if (word == Kind::cut)
    return ending == Ending::final || text.size() >= kLookAheadMax ? Follows::no
                                                                   : Follows::undecided;
  if (word != Kind::close_calls) return Follows::no;
  const DsmlTag calls = read_tag(text.substr(next));
  if (calls.kind == Kind::cut)
    return ending == Ending::final || text.size() >= kLookAheadMax ? Follows::no
                                                                   : Follows::undecided;
  return calls.kind == Kind::none ? Follows::no
                                  : answer(ends_behind(text, next + calls.size, ending));
}

}  // namespace

std::size_t DsmlInvoke::read(std::string_view text, Ending ending) {
  std::size_t done = 0;
  while (state_ == State::open) {
    const std::string_view rest = text.substr(done);
    const Value before = value_;
    const std::size_t taken =
        value_ == Value::none ? read_between(rest, ending) : read_value(rest, ending);
    done += taken;
    if (taken == 0 && value_ == before) break;
  }
  return done;
}

std::size_t DsmlInvoke::skip_junk(std::string_view text) {
  if (rules_ == Rules::strict) {
    state_ = State::broken;
    return 0;
  }
  return std::min(text.find('<', 1), text.size());
}

std::size_t DsmlInvoke::read_between(std::string_view text, Ending ending) {
  const std::size_t at = skip_blanks(text, 0);
  if (at > 0 || text.empty()) return at;
  if (text[0] != '<') return skip_junk(text);
  const DsmlTag tag = read_tag(text);
  switch (tag.kind) {
    case Kind::cut:
      return ending == Ending::final ? skip_junk(text) : 0;
    case Kind::open_parameter:
      begin(tag);
      return tag.size;
    case Kind::close_invoke:
      close(State::closed);
      return tag.size;
    case Kind::close_calls:
      close(State::closed_with_calls);
      return tag.size;
    case Kind::open_invoke:
      state_ = State::broken;
      return 0;
    default:
      return skip_junk(text);
  }
}

std::size_t DsmlInvoke::read_value(std::string_view text, Ending ending) {
  const std::size_t at = std::min(text.find('<'), text.size());
  if (at > 0) {
    add(text.substr(0, at));
    return at;
  }
  if (text.empty()) return 0;
  const std::string_view here = text.substr(0, kLookAheadMax);
  // Behind the look-ahead there is more, so this is not the end of the output.
  const Ending here_ending = here.size() < text.size() ? Ending::open : ending;
  const DsmlTag tag = read_tag(here);
  if (tag.kind == Kind::cut && ending == Ending::open) return 0;
  if (tag.kind == Kind::close_parameter) {
    const Follows next = follows(here, tag.size, here_ending);
    if (next == Follows::undecided) return 0;
    if (next == Follows::yes) {
      end();
      return tag.size;
    }
  } else if (tag.kind == Kind::close_calls) {
    const AtEnd next = ends_behind(here, tag.size, here_ending);
    if (next == AtEnd::undecided) return 0;
    if (next == AtEnd::yes) {
      end();
      close(State::closed_with_calls);
      return tag.size;
    }
  }
  add(text.substr(0, 1));
  return 1;
}

void DsmlInvoke::begin(const DsmlTag& tag) {
  name_ = to_valid_utf8(tag.name);
  mark_ = tag.mark;
  const auto declared = tool_->parameters.find(name_);
  types_ = declared == tool_->parameters.end() ? JsonTypes{} : declared->second;
  // Of a parameter that stands twice the first counts.
  if (names_.size() >= kParametersMax || !names_.insert(name_).second) {
    value_ = Value::dropped;
  } else if (is_text(mark_, types_)) {
    value_ = Value::streamed;
    write_key();
    arguments_ += '"';
  } else {
    value_ = Value::buffered;
  }
}

void DsmlInvoke::add(std::string_view bytes) {
  if (value_ == Value::streamed) append_json_escaped(arguments_, gate_.pass(bytes));
  if (value_ != Value::buffered) return;
  const std::size_t room = kBufferedValueMax - buffer_.size();
  buffer_ += bytes.substr(0, room);
  if (bytes.size() <= room) return;
  // Too long to be looked at as JSON: from here on it is text.
  write_key();
  arguments_ += '"';
  value_ = Value::streamed;
  append_json_escaped(arguments_, gate_.pass(buffer_));
  append_json_escaped(arguments_, gate_.pass(bytes.substr(room)));
  buffer_.clear();
}

void DsmlInvoke::end() {
  if (value_ == Value::streamed) {
    append_json_escaped(arguments_, gate_.flush());
    arguments_ += '"';
  } else if (value_ == Value::buffered) {
    write_key();
    arguments_ += to_argument(buffer_, mark_, types_);
    buffer_.clear();
  }
  value_ = Value::none;
}

void DsmlInvoke::write_key() {
  arguments_ += arguments_.empty() ? "{\"" : ", \"";
  append_json_escaped(arguments_, name_);
  arguments_ += "\": ";
}

void DsmlInvoke::close(State state) {
  state_ = state;
  arguments_ += arguments_.empty() ? "{}" : "}";
}

bool DsmlInvoke::has_required() const {
  return std::ranges::all_of(tool_->required,
                             [&](const std::string& name) { return names_.contains(name); });
}

}  // namespace fathom::engine
