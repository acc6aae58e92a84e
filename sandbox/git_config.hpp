// The syntax of git's config files, read strictly, and which keys do nothing but describe.
//
// A repository that a confined command made (git init, git clone) brings its own config, and git
// has some thirty keys that name a program to run. So keys are let through by name, with values
// that cannot name a program, and the file is printed anew from what was let through. Text on which
// two parsers might disagree (a NUL, a quote left open, an escape git does not know) is refused
// whole.
#pragma once

#include "runtime/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

inline constexpr std::size_t kGitConfigBytesMax = 256 * 1024;
inline constexpr std::size_t kGitConfigEntriesMax = 8192;

/// One setting. `section` and `key` are in lower case, as git compares them; `subsection` is as
/// written.
struct GitSetting {
  std::string section;
  std::optional<std::string> subsection;
  std::string key;
  std::optional<std::string> value;  ///< nullopt: a key without '=', which means true

  friend bool operator==(const GitSetting&, const GitSetting&) = default;
};

/// Fails with `bad_data` and the line for anything git 2.39 would not read, or might read
/// otherwise.
Result<std::vector<GitSetting>> parse_git_config(std::string_view text);

/// Text that parses to `settings` again.
std::string print_git_config(const std::vector<GitSetting>& settings);

/// "core.hookspath", "remote.origin.url": for reports.
std::string name_of(const GitSetting& setting);

/// Whether the setting runs nothing, reads no other config and sends git nowhere but to a plain
/// URL. core.worktree is not inert: who knows where the repository lies must judge it.
bool is_inert(const GitSetting& setting);

/// Whether git may be sent to `url`: https, http, ssh, git, file, host:path or a path. No remote
/// helper ("ext::sh -c …"), nothing that could be taken for an option.
bool is_plain_url(std::string_view url);

/// Whether `after` may stand in place of `before` without anybody noticing: the settings that are
/// not inert are the same ones in the same order, and no remote, submodule or branch that was there
/// points elsewhere.
bool is_harmless_change(const std::vector<GitSetting>& before,
                        const std::vector<GitSetting>& after);

}  // namespace fathom::sandbox
