// Which changes of a transaction may reach the workspace: git's own files by allow-list, protected
// names not at all, build files with a word about them. The same rules as the audit of live edits
// (tree_diff.hpp), asked before instead of after.
//
// Pure: names and types in, a ruling out. What has to be read for an answer (a config, a `.git`
// file) is named by Ruling::check.
#pragma once

#include "sandbox/git_paths.hpp"
#include "sandbox/name_matcher.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fathom::sandbox {

/// What becomes of a change at commit.
enum class Fate : std::uint8_t {
  applied,
  runs_later,  ///< applied, and listed: the user's programs run or obey it
  withheld,    ///< stays in the transaction, whatever the user says
  conflict,    ///< stays: the workspace changed there since the transaction began
};

/// What must be read before a change may be applied.
enum class Check : std::uint8_t { nothing, config, common_dir, git_file };

/// A folder as the rules see it.
struct Ground {
  Zone zone = Zone::plain;
  bool new_repository = false;  ///< in a git directory that the workspace does not have
  std::string rule;             ///< of a reported folder
};

struct Ruling {
  Fate fate = Fate::applied;
  Check check = Check::nothing;
  Ground inside = {};  ///< of the entry when it is a folder
  std::string rule = {};
  std::string reason = {};
};

enum class Doing : std::uint8_t { made, changed, removed };

/// An entry of a folder; `folders` as in NameMatcher::match.
struct JudgedEntry {
  std::span<const std::string_view> folders;
  std::string_view name;
  FileType type = FileType::regular;
  Doing doing = Doing::made;
};

class ChangeJudge {
 public:
  explicit ChangeJudge(NameMatcher names) : names_(std::move(names)) {}

  [[nodiscard]] Ruling judge(const Ground& ground, const JudgedEntry& entry) const;

 private:
  [[nodiscard]] Ruling judge_plain(const Ground& ground, const JudgedEntry& entry) const;

  NameMatcher names_;
};

}  // namespace fathom::sandbox
