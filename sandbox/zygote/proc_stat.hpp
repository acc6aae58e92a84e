// The parent of a process, from the text of /proc/PID/stat.
#pragma once

#include <cstddef>

namespace fathom::sandbox::zygote {

/// 0 when the text is not of that form. A process chooses its own name, which may hold anything:
/// the fields begin behind its last parenthesis.
inline long parent_in_stat(const char* text, std::size_t size) {
  constexpr std::size_t kFieldsBetween = 2;  // ") S " stands before the parent's number
  std::size_t at = size;
  while (at > 0 && text[at - 1] != ')') --at;
  if (at == 0) return 0;
  for (std::size_t fields = 0; fields < kFieldsBetween && at < size; ++at)
    if (text[at] == ' ') ++fields;
  long parent = 0;
  for (; at < size && text[at] >= '0' && text[at] <= '9'; ++at)
    parent = parent * 10 + (text[at] - '0');
  return parent;
}

}  // namespace fathom::sandbox::zygote
