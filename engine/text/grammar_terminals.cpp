#include "engine/text/grammar_terminals.hpp"

#include "runtime/base/ensure.hpp"

namespace fathom::engine {
namespace {

using StateId = std::uint8_t;

class Builder {
 public:
  Builder() : table_{std::vector<Terminal::State>(Terminal::kStart)} {}

  StateId add() {
    ENSURE(table_.states.size() < 255, "a terminal's states are numbered by a byte");
    table_.states.emplace_back();
    return static_cast<StateId>(table_.states.size() - 1);
  }
  void set(StateId from, int low, int high, StateId to) {
    for (int byte = low; byte <= high; ++byte)
      table_.states[from].next[static_cast<std::size_t>(byte)] = to;
  }
  void set(StateId from, std::string_view bytes, StateId to) {
    for (const char c : bytes) table_.states[from].next[static_cast<unsigned char>(c)] = to;
  }
  Terminal::State& at(StateId state) { return table_.states[state]; }
  Terminal take() { return std::move(table_); }

  // A state between characters of UTF-8 text: every lead byte is allowed, ASCII is up to the
  // caller. Unicode 15 table 3-7.
  StateId add_boundary() {
    const StateId state = add();
    if (body_ == 0) {
      body_ = state;
      add_continuations();
    }
    at(state).boundary = true;
    set(state, 0xC2, 0xDF, one_more_);
    set(state, 0xE0, 0xE0, after_e0_);
    set(state, 0xE1, 0xEF, two_more_);
    set(state, 0xED, 0xED, after_ed_);
    set(state, 0xF0, 0xF0, after_f0_);
    set(state, 0xF1, 0xF3, three_more_);
    set(state, 0xF4, 0xF4, after_f4_);
    return state;
  }
  [[nodiscard]] StateId body() const { return body_; }

  // The fullwidth bar `｜` (EF BD 9C) from boundary `from` to boundary `to`; other characters that
  // begin with its bytes stay text. With `to` dead the bar is not allowed there.
  void add_bar(StateId from, StateId to) {
    const StateId first = add();
    const StateId second = add();
    set(from, 0xEF, 0xEF, first);
    set(first, 0x80, 0xBF, one_more_);
    set(first, 0xBD, 0xBD, second);
    set(second, 0x80, 0xBF, body_);
    set(second, 0x9C, 0x9C, to);
  }

 private:
  void add_continuations() {
    one_more_ = add();
    two_more_ = add();
    three_more_ = add();
    after_e0_ = add();
    after_ed_ = add();
    after_f0_ = add();
    after_f4_ = add();
    set(one_more_, 0x80, 0xBF, body_);
    set(two_more_, 0x80, 0xBF, one_more_);
    set(three_more_, 0x80, 0xBF, two_more_);
    set(after_e0_, 0xA0, 0xBF, one_more_);
    set(after_ed_, 0x80, 0x9F, one_more_);
    set(after_f0_, 0x90, 0xBF, two_more_);
    set(after_f4_, 0x80, 0x8F, two_more_);
  }

  Terminal table_;
  StateId body_ = 0;
  StateId one_more_ = 0;
  StateId two_more_ = 0;
  StateId three_more_ = 0;
  StateId after_e0_ = 0;
  StateId after_ed_ = 0;
  StateId after_f0_ = 0;
  StateId after_f4_ = 0;
};

constexpr std::string_view kHex = "0123456789abcdefABCDEF";

// \uXXXX, and a high surrogate only with its low one: alone it is no character.
void add_unicode_escape(Builder& builder, StateId escape) {
  const StateId body = builder.body();
  std::array<StateId, 11> state{};
  for (StateId& s : state) s = builder.add();
  const auto [u, u2, u3, u4, d, h3, h4, backslash, low_u, low_1, low_2] = state;
  builder.set(escape, "u", u);
  builder.set(u, kHex, u2);
  builder.set(u, "dD", d);
  builder.set(u2, kHex, u3);
  builder.set(u3, kHex, u4);
  builder.set(u4, kHex, body);
  builder.set(d, "01234567", u3);
  builder.set(d, "89abAB", h3);
  builder.set(h3, kHex, h4);
  builder.set(h4, kHex, backslash);
  builder.set(backslash, "\\", low_u);
  builder.set(low_u, "u", low_1);
  builder.set(low_1, "dD", low_2);
  builder.set(low_2, "cdefCDEF", u3);
}

Terminal make_string(TerminalId id) {
  Builder builder;
  const StateId body = builder.add_boundary();
  const StateId escape = builder.add();
  builder.set(escape, id == TerminalId::key ? "\"\\bfnrt" : "\"\\/bfnrt", body);
  if (id == TerminalId::string) add_unicode_escape(builder, escape);
  const StateId less = builder.add_boundary();
  const StateId slash = builder.add_boundary();
  // `<` or `</`, bar, D, S, M, L; then no second bar.
  std::array<StateId, 5> marker{};
  for (StateId& state : marker) state = builder.add_boundary();
  for (const StateId state :
       {body, less, slash, marker[0], marker[1], marker[2], marker[3], marker[4]}) {
    builder.set(state, 0x20, 0x7F, body);
    builder.set(state, "\"", Terminal::kDone);
    builder.set(state, "\\", escape);
    builder.set(state, "<", less);
  }
  builder.set(less, "/", slash);
  builder.add_bar(less, marker[0]);
  builder.add_bar(slash, marker[0]);
  constexpr std::string_view kName = "DSML";
  for (std::size_t i = 0; i < kName.size(); ++i)
    builder.set(marker[i], kName.substr(i, 1), marker[i + 1]);
  builder.add_bar(marker[4], Terminal::kDead);
  return builder.take();
}

// UTF-8 through `opening` and the marker token. `forbidden` is what may not be spelled out: the
// opening, the marker's text and a tail, of which the last byte is refused.
Terminal make_text(std::string_view opening, std::string_view tail, bool may_end) {
  Builder builder;
  std::vector<StateId> boundaries = {builder.add_boundary()};
  const StateId body = boundaries[0];
  const auto plain = [&](StateId state) {
    builder.set(state, 0x00, 0x7F, body);
    builder.at(state).may_end = may_end;
  };
  plain(body);
  StateId at = body;
  std::vector<StateId> chain;  // boundary states along the forbidden spelling
  const auto extend = [&](std::string_view letters) {
    for (const char letter : letters) {
      const StateId next = builder.add_boundary();
      plain(next);
      builder.set(at, std::string_view(&letter, 1), next);
      chain.push_back(next);
      at = next;
    }
  };
  extend(opening);
  builder.set(at, kMarkerByte, kMarkerByte, Terminal::kDone);
  const auto bar = [&](bool last) {
    const StateId next = last ? Terminal::kDead : builder.add_boundary();
    if (!last) plain(next);
    builder.add_bar(at, next);
    if (!last) chain.push_back(next);
    at = next;
  };
  bar(false);
  extend("DSML");
  bar(tail.empty());
  if (!tail.empty()) {
    extend(tail.substr(0, tail.size() - 1));
    builder.set(at, tail.substr(tail.size() - 1), Terminal::kDead);
  }
  // `<` begins the spelling anew everywhere (it stands only in front).
  builder.set(body, "<", chain[0]);
  for (const StateId state : chain) builder.set(state, "<", chain[0]);
  return builder.take();
}

// One to `count` digits from `from` on, the first of `first`; each may be the last, and `behind`
// adds what else may follow it.
template <class Behind>
void add_digits(Builder& builder, StateId from, std::string_view first, int count, Behind behind) {
  StateId at = from;
  for (int i = 0; i < count; ++i) {
    const StateId next = builder.add();
    builder.set(at, i == 0 ? first : std::string_view("0123456789"), next);
    builder.at(next).may_end = true;
    behind(next);
    at = next;
  }
}

Terminal make_integer() {
  Builder builder;
  const StateId start = builder.add();
  const StateId minus = builder.add();
  const StateId zero = builder.add();
  builder.set(start, "-", minus);
  builder.at(zero).may_end = true;
  for (const StateId state : {start, minus}) {
    builder.set(state, "0", zero);
    add_digits(builder, state, "123456789", kIntegerDigitsMax, [](StateId) {});
  }
  return builder.take();
}

Terminal make_number() {
  constexpr std::string_view kDigits = "0123456789";
  Builder builder;
  const StateId start = builder.add();
  const StateId minus = builder.add();
  const StateId zero = builder.add();
  const StateId point = builder.add();
  const StateId exponent = builder.add();
  const StateId exponent_sign = builder.add();
  const auto behind_whole = [&](StateId state) {
    builder.set(state, ".", point);
    builder.set(state, "eE", exponent);
  };
  builder.set(start, "-", minus);
  builder.at(zero).may_end = true;
  behind_whole(zero);
  for (const StateId state : {start, minus}) {
    builder.set(state, "0", zero);
    add_digits(builder, state, "123456789", kDigitsMax, behind_whole);
  }
  add_digits(builder, point, kDigits, kDigitsMax,
             [&](StateId state) { builder.set(state, "eE", exponent); });
  builder.set(exponent, "+-", exponent_sign);
  for (const StateId state : {exponent, exponent_sign})
    add_digits(builder, state, kDigits, 2, [](StateId) {});
  return builder.take();
}

}  // namespace

const Terminal& terminal(TerminalId id) {
  static const std::array<Terminal, kTerminals> kTable = {make_string(TerminalId::string),
                                                          make_string(TerminalId::key),
                                                          make_integer(),
                                                          make_number(),
                                                          make_text("</", "parameter>", false),
                                                          make_text("<", "", true)};
  return kTable[static_cast<std::size_t>(id)];
}

}  // namespace fathom::engine
