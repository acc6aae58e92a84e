// How the view of a run writes: its marks, colours and numbers, and how foreign text is cut to a
// line. Foreign text goes through `shown` once, before it is measured or painted.
#pragma once

#include "agents/cli/terminal.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/paths.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

enum class Mark : std::uint8_t { call, done, failed, stopped, asks, warns, steered, more };

/// Marks are Unicode or ASCII. Only the marks: the words of a model stay as they are, because a
/// terminal that was told nothing of UTF-8 mostly speaks it all the same.
enum class MarkSet : std::uint8_t { unicode, ascii };

/// ASCII where TERM is "dumb" or the locale (LC_ALL, else LC_CTYPE, else LANG) is not UTF-8.
[[nodiscard]] MarkSet marks_for(const GetEnv& env);

struct ViewStyle {
  std::size_t columns = 0;  ///< of the terminal; 0: none, lines end at kLogColumns
  std::function<std::string(Colour, std::string_view)> paint;  ///< absent: without colours
  MarkSet marks = MarkSet::unicode;

  [[nodiscard]] std::string painted(Colour colour, std::string_view text) const;
  [[nodiscard]] std::string_view mark(Mark mark) const;
  /// Between facts that stand side by side.
  [[nodiscard]] std::string_view separator() const;
  /// One of the pictures of something that goes on.
  [[nodiscard]] std::string_view spinner(Instant now) const;
  /// A printable line, cut so that it fits behind `indent` columns.
  [[nodiscard]] std::string fitted(std::string_view text, std::size_t indent) const;
  /// `indent` blanks, the line in a colour, cut to fit, a line end.
  [[nodiscard]] std::string line(Colour colour, std::size_t indent, std::string_view text) const;
  /// The same of what must not be cut, because a person decides by it or copies it.
  [[nodiscard]] std::string whole_line(Colour colour, std::size_t indent,
                                       std::string_view text) const;
};

inline constexpr std::size_t kLogColumns = 200;

/// One line of foreign text for a terminal: to_printable, and what changes the direction or the
/// lines of a text made visible as well: a command must not read other than it runs. Tabs become
/// blanks.
[[nodiscard]] std::string shown(std::string_view text);

/// Columns that a printable text takes, at most: what may be wide or narrow counts as wide.
[[nodiscard]] std::size_t columns_of(std::string_view printable);

/// The first lines, not shown yet; empty ones at both ends are left out.
[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);

/// "12,345".
[[nodiscard]] std::string grouped(std::uint64_t number);
/// "40 ms", "0.8 s", "12 s", "3 min 5 s", "1 h 2 min".
[[nodiscard]] std::string time_of(Duration duration);
/// "$0.0123".
[[nodiscard]] std::string usd_of(double usd);
/// "1 step", "1,200 steps".
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view one);
/// Whole percents, 100 only for all of it.
[[nodiscard]] std::string percent_of(std::uint64_t part, std::uint64_t whole);
/// Per second, whole numbers; "" when there was too little time to tell.
[[nodiscard]] std::string rate_of(std::uint64_t count, Duration during);

}  // namespace fathom::agents
