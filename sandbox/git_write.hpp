// Git directories and writers that are not commands: an editing tool writes the user's files from
// the runtime's own process, where no mount stands before a git directory and no audit follows.
#pragma once

#include <optional>
#include <string>

namespace fathom::sandbox {

/// The git directory below `root` (or `root` itself) that a write to `path` would be in, or would
/// make one of; nothing when there is none. By what stands in the folders, whatever their names:
/// `git init --separate-git-dir` and bare repositories have other names than `.git`, and a file in
/// one runs a program with the user's next git command. A folder with a HEAD counts, and one with
/// objects and refs. Both paths are absolute, links resolved.
std::optional<std::string> git_directory_of_write(const std::string& root, const std::string& path);

}  // namespace fathom::sandbox
