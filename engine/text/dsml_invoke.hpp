// The inside of one `<｜DSML｜invoke …>`: parameters to the JSON of the call's arguments, in pieces
// as soon as each is certain.
//
// A value is not escaped in any way, so where it ends is a guess: a closing tag counts only if a
// parameter, the end of the invoke or the end of the output follows. A value that documents DSML
// with just that behind a closing tag cannot be told apart; that loss is accepted.
#pragma once

#include "engine/text/declared_tools.hpp"
#include "engine/text/dsml_tag.hpp"
#include "engine/text/utf8_gate.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace fathom::engine {

enum class Ending : std::uint8_t { open, final };  ///< whether bytes may still follow

class DsmlInvoke {
 public:
  enum class State : std::uint8_t {
    open,
    closed,             ///< by its own tag, or by the wrapper's at the end of the output
    closed_with_calls,  ///< the wrapper's closing tag stood in its place and was read too
    broken,             ///< what follows is no part of an invoke
  };
  /// `strict` breaks on anything but parameters; `lenient` skips it, because the client already
  /// knows of this call.
  enum class Rules : std::uint8_t { strict, lenient };

  DsmlInvoke(const DeclaredTool& tool, Rules rules) : tool_(&tool), rules_(rules) {}

  /// Takes what it can from the start of `text` and returns how many bytes that was. The next call
  /// gets the rest with more behind it; however the text is cut, the state and the joined pieces
  /// are the same.
  std::size_t read(std::string_view text, Ending ending);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool has_required() const;
  /// The JSON so far; whole when closed.
  [[nodiscard]] const std::string& arguments() const { return arguments_; }

  static constexpr std::size_t kBufferedValueMax = 4u << 20;  ///< a longer one is text
  static constexpr std::size_t kParametersMax = 1024;         ///< further ones are dropped

 private:
  enum class Value : std::uint8_t { none, streamed, buffered, dropped };
  // What a `<` inside a value is.
  struct ValueEnd {
    enum class Kind : std::uint8_t { literal, undecided, parameter, calls } kind = Kind::literal;
    std::size_t size = 0;
  };

  std::size_t read_between(std::string_view text, Ending ending);
  std::size_t read_value(std::string_view text, Ending ending);
  std::size_t skip_junk(std::string_view text);
  void begin(const DsmlTag& tag);
  void add(std::string_view bytes);
  void end();
  void close(State state);
  void write_key();

  const DeclaredTool* tool_;
  Rules rules_;
  State state_ = State::open;
  std::string arguments_;
  std::set<std::string> names_;

  Value value_ = Value::none;
  std::string name_;
  StringMark mark_ = StringMark::absent;
  JsonTypes types_;
  std::string buffer_;
  Utf8Gate gate_;
};

}  // namespace fathom::engine
