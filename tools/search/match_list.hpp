// MatchList: what a search program printed, parsed, ordered and made short. Pure; the bytes come
// from a program that read hostile files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kMatchLineBytesMax = 300;  // shown of one line

struct Match {
  std::string path;  ///< as printed: relative to the workspace
  std::uint64_t line = 0;
  std::string text;

  friend bool operator==(const Match&, const Match&) = default;
};

struct MatchList {
  std::vector<Match> matches;  ///< by path, then line
  std::size_t files = 0;
  std::size_t unreadable = 0;  ///< lines of the output that were no match: binary files, cut ones
};

/// `PATH NUL LINE ':' TEXT LF`, what ripgrep, grep and git grep print with --null. `./` in front of
/// a path is dropped.
MatchList parse_matches(std::string_view printed);

/// The first `most` matches, each path once, above its lines.
std::string show_matches(const MatchList& list, std::size_t most);

}  // namespace fathom::tools
