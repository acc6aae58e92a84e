#include "engine/text/dsml_tag.hpp"

#include <initializer_list>

namespace fathom::engine {
namespace {

constexpr int kBarsMax = 2;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Walks the text. A step that fails because the text ended leaves ran_out() true: then nothing is
// decided.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text.substr(0, kTagBytesMax)) {
    full_ = text.size() >= kTagBytesMax;
  }

  [[nodiscard]] bool ran_out() const { return ran_out_ && !full_; }
  [[nodiscard]] std::size_t at() const { return at_; }

  bool take(std::string_view wanted) {
    const std::string_view here = text_.substr(at_, wanted.size());
    if (here == wanted) {
      at_ += wanted.size();
      return true;
    }
    if (wanted.starts_with(here)) ran_out_ = true;  // here is shorter
    return false;
  }

  bool take_one_of(std::initializer_list<std::string_view> choices) {
    for (std::string_view choice : choices)
      if (take(choice)) {
        ran_out_ = false;
        return true;
      }
    return false;
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    if (at_ == text_.size()) ran_out_ = true;
  }

  bool take_bars() {
    for (int bars = 0; bars < kBarsMax; ++bars)
      if (!take_one_of({"｜", "|"})) return bars > 0 && !ran_out_;
    return true;
  }

  // Letters and underscores, ended by something else.
  std::string_view take_word() {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    if (at_ == text_.size()) ran_out_ = true;
    return text_.substr(from, at_ - from);
  }

  bool take_quoted(std::string_view& value) {
    const bool single = take("'");
    if (!single && !take_one_of({"\"", "“", "”"})) return false;
    const std::size_t from = at_;
    for (; at_ < text_.size(); ++at_) {
      const std::size_t end = at_;
      if (single ? take("'") : take_one_of({"\"", "“", "”"})) {
        value = text_.substr(from, end - from);
        return true;
      }
    }
    ran_out_ = true;
    return false;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  bool full_ = false;
  bool ran_out_ = false;
};

struct Opening {
  bool closes = false;
  std::string_view word;
};

// `<`, perhaps `/`, the marker between its bars, and the word.
bool take_opening(Reader& reader, Opening& opening) {
  if (!reader.take("<")) return false;
  opening.closes = reader.take("/");
  if (!opening.closes && reader.ran_out()) return false;
  reader.skip_blanks();
  if (reader.ran_out() || !reader.take_bars() || !reader.take("DSML") || !reader.take_bars())
    return false;
  reader.skip_blanks();
  if (reader.ran_out()) return false;
  opening.word = reader.take_word();
  return !opening.word.empty();
}

bool take_attributes(Reader& reader, DsmlTag& tag) {
  for (;;) {
    const std::size_t before = reader.at();
    reader.skip_blanks();
    if (reader.ran_out()) return false;
    if (reader.take(">")) return true;
    if (reader.ran_out() || reader.at() == before) return false;  // no blank before an attribute
    const std::string_view key = reader.take_word();
    if (key.empty() || reader.ran_out()) return false;
    reader.skip_blanks();
    if (!reader.take("=")) return false;
    reader.skip_blanks();
    std::string_view value;
    if (!reader.take_quoted(value)) return false;
    if (key == "name") tag.name = value;
    if (key == "string" && value == "true") tag.mark = StringMark::yes;
    if (key == "string" && value == "false") tag.mark = StringMark::no;
  }
}

bool take_end(Reader& reader) {
  reader.skip_blanks();
  return !reader.ran_out() && reader.take(">");
}

DsmlTag::Kind kind_of(const Opening& opening) {
  using Kind = DsmlTag::Kind;
  if (opening.word == "invoke") return opening.closes ? Kind::close_invoke : Kind::open_invoke;
  if (opening.word == "parameter")
    return opening.closes ? Kind::close_parameter : Kind::open_parameter;
  if (opening.word.starts_with("tool") || opening.word.starts_with("function"))
    return opening.closes ? Kind::close_calls : Kind::open_calls;
  return Kind::none;
}

}  // namespace

DsmlTag read_tag(std::string_view text) {
  using Kind = DsmlTag::Kind;
  Reader reader(text);
  DsmlTag tag;
  Opening opening;
  bool good = take_opening(reader, opening) && !reader.ran_out();
  if (good) {
    tag.kind = kind_of(opening);
    const bool attributes = tag.kind == Kind::open_invoke || tag.kind == Kind::open_parameter;
    good = tag.kind != Kind::none &&
           (attributes ? take_attributes(reader, tag) && !tag.name.empty() : take_end(reader));
  }
  if (!good) {
    DsmlTag other;
    if (reader.ran_out()) other.kind = Kind::cut;
    return other;
  }
  tag.size = reader.at();
  return tag;
}

DsmlTag::Kind read_tag_word(std::string_view text) {
  using Kind = DsmlTag::Kind;
  Reader reader(text);
  Opening opening;
  if (!take_opening(reader, opening) || reader.ran_out())
    return reader.ran_out() ? Kind::cut : Kind::none;
  return kind_of(opening);
}

}  // namespace fathom::engine
