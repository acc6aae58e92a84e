// Which paths a command is kept from, said in words: by path, rule and smallest grant. Where mounts
// and Landlock enforce it, these functions explain them. But MetadataBroker and ConnectBroker
// decide by judge_change and judge_write: what those two let pass is done, with no fence behind.
#pragma once

#include "policies/policy.hpp"
#include "sandbox/outcome.hpp"
#include "sandbox/root_view.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fathom::sandbox {

/// The session's file system as its fences hold it.
struct FileFences {
  const policies::Policy& policy;
  std::vector<ViewEntry> entries;
  std::vector<std::string> read_only;  ///< Pins::read_only
  bool private_folders = true;         ///< /tmp, /run and /dev/shm are the session's own
};

/// Why a write to `path` (normal, links resolved) fails; nothing when it does not fail for us.
std::optional<Denial> judge_write(const FileFences& fences, const std::string& path);

/// Why mode, owner, times or attributes of `path` (likewise) are not the command's to change.
/// Unlike a device, which may be written, nothing outside of what the session may write is
/// excepted.
std::optional<Denial> judge_change(const FileFences& fences, const std::string& path);

/// The entry that decides about `path`: the longest one that holds it, or nullptr.
const ViewEntry* entry_for(const std::vector<ViewEntry>& entries, std::string_view path);

/// What a failed command may have been about.
struct NamedCommand {
  const std::vector<std::string>& argv;
  std::string working_dir;
  std::string home;  ///< what "~" and "$HOME" meant to whoever wrote it
};

constexpr std::size_t kNamedBytesMax = 64UL << 10;  // of a command that are looked at

/// Words of the command, and of a script that it hands to a shell, that name a hidden path or one
/// of the hidden home. A hidden path is simply not there for a command, and reads are never
/// notified (every one would cost 5 to 48 us), so this is what can be known: the name stood in the
/// command. It is not known that the command opened it, and a name that the command puts together
/// is missed.
std::vector<std::string> named_hidden_paths(const NamedCommand& command,
                                            const std::vector<ViewEntry>& entries);

/// Denials for those of the named paths that exist on the host.
std::vector<Denial> named_denials(const FileFences& fences, const NamedCommand& command,
                                  const std::function<bool(const std::string&)>& exists);

}  // namespace fathom::sandbox
