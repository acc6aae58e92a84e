// Terminal: where a command's words go. Data to standard output, everything else to standard error.
#pragma once

#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <cstdio>
#include <string>
#include <string_view>

namespace fathom::agents {

enum class Colour : unsigned char { plain, dim, red, green, yellow, cyan, bold };
enum class ColourMode : unsigned char { automatic, always, never };

class Terminal {
 public:
  /// `automatic` colours only what a person looks at: a terminal, TERM not "dumb", NO_COLOR unset
  /// or empty. Data goes to `out`, which stays the caller's.
  Terminal(ColourMode mode, const GetEnv& env, std::FILE* out = stdout);

  /// `text` in a colour, or as it is. The text must already be printable (runtime/base/text.hpp).
  [[nodiscard]] std::string paint(Colour colour, std::string_view text) const;

  void out(std::string_view text);
  /// One line of advice or progress on standard error.
  void note(std::string_view text);
  /// Lines for a person on standard error, as they are.
  void aside(std::string_view lines);

  /// Everything written so far has left the process. `disk_full` and the like when it has not: a
  /// command that loses its output must not exit 0.
  Result<> flush();

  /// Columns of the terminal, or 0 when the output is none.
  [[nodiscard]] std::size_t columns() const;

 private:
  std::FILE* out_;
  bool colour_;
  int write_error_ = 0;
};

/// Several lines of somebody else's text for a terminal: line ends and tabs stay, all else that
/// controls it is made visible, so that a repository's tests cannot type for the person.
[[nodiscard]] std::string printable_lines(std::string_view bytes);

}  // namespace fathom::agents
