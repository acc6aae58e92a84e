// Changing files below an open folder, in a tree that somebody else may be rearranging: no link is
// followed on the way, nothing outside is reached, and a file is old or new, never half.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::tools {

/// Puts a regular file in place of whatever file or link stands there (never of a folder): another
/// name beside it, then rename. Not waited for until it is on the disk.
Result<> write_beneath(int root, std::string_view path, std::string_view bytes,
                       std::uint32_t permissions);
/// The same for a symbolic link.
Result<> link_beneath(int root, std::string_view path, const std::string& target);

/// A folder whose parent exists; one that is there already is success.
Result<> make_folder_beneath(int root, std::string_view path, std::uint32_t permissions);
/// All that is missing on the way to `path`, which is not made itself; with 0777 and the umask.
Result<> make_parents_beneath(int root, std::string_view path);

/// A file or link.
Result<> remove_beneath(int root, std::string_view path);
/// `in_use` when something is in it.
Result<> remove_folder_beneath(int root, std::string_view path);
/// Of a file or folder, never of what a link points to.
Result<> set_permissions_beneath(int root, std::string_view path, std::uint32_t permissions);

/// A path that a model or a patch may name: relative, of plain names, none of them `.git` in any
/// case of letters. What is left after "./", "//" and a trailing '/' are taken out; "" is the root.
Result<std::string> plain_path(std::string_view path);

/// Whether git would take a file of this name for a repository.
[[nodiscard]] bool is_git_name(std::string_view name);

}  // namespace fathom::tools
