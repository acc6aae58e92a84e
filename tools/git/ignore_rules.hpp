// IgnoreRules: what `.gitignore` files say about one path, by git's rules: the last pattern that
// matches decides, deeper files stand behind shallower ones, nothing below an ignored folder comes
// back. Pure; who walks the tree brings the files. The time for one path is at most proportional to
// the patterns' bytes times the path's, whatever the patterns are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kIgnoreFileBytesMax = 1UL << 20;  ///< a larger file says nothing
inline constexpr std::size_t kIgnorePatternsMax = 20'000;      ///< of one file; more are not read

/// Whether `text` matches `pattern`, in which `*` and `?` and `[…]` do not match '/', and `**` as a
/// whole name matches any number of folders.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text);

enum class Ignored : std::uint8_t {
  no,
  yes,
  unsaid,  ///< no pattern is about it
};

/// The patterns of one file.
class IgnoreFile {
 public:
  static IgnoreFile parse(std::string_view text);

  /// `path` is relative to the folder of the file.
  [[nodiscard]] Ignored about(std::string_view path, bool is_folder) const;
  [[nodiscard]] bool empty() const { return patterns_.empty(); }

 private:
  struct Pattern {
    std::string glob;
    bool negated = false;
    bool folders_only = false;
    bool anchored = false;  ///< about the whole path; else about its last name
    bool literal = false;   ///< has nothing special
  };
  [[nodiscard]] static bool matches(const Pattern& pattern, std::string_view path);

  std::vector<Pattern> patterns_;
};

/// The files that count on the way down a tree: entered and left like the folders themselves.
class IgnoreRules {
 public:
  /// `base` holds what stands behind all `.gitignore` files: `.git/info/exclude`, the user's own
  /// list.
  explicit IgnoreRules(IgnoreFile base) { files_.push_back({0, std::move(base)}); }

  /// The file in the folder `folder`, relative to the root, "" for the root itself.
  void enter(std::string_view folder, IgnoreFile file);
  void leave() { files_.pop_back(); }

  /// Of a path whose folders are not ignored themselves.
  [[nodiscard]] bool is_ignored(std::string_view path, bool is_folder) const;

 private:
  struct Level {
    std::size_t prefix = 0;  ///< bytes of the folder's path and its '/'
    IgnoreFile file;
  };
  std::vector<Level> files_;
};

}  // namespace fathom::tools
