// What a call is about, in one line.
#pragma once

#include <string>
#include <string_view>

namespace fathom::agents {

/// Foreign text, to be shown.
struct CallTitle {
  std::string line;     ///< without a line end
  bool is_cut = false;  ///< there is more to the call than the line says, of what it would say
  std::string whole;    ///< of a command all its lines, else the line
  std::string removed;  ///< of a replacement: the text that goes, and what comes in its place
  std::string added;
};

/// The part of a call's arguments that tells it from others: of bash the command's first line, of
/// str_replace_editor what it does to which file, of search the pattern; of tools that are not
/// known the JSON without its blanks. Arguments may be cut off or no JSON at all.
[[nodiscard]] CallTitle title_of(std::string_view tool, std::string_view arguments);

}  // namespace fathom::agents
