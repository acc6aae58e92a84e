// Small whole files: read with a bound, written so that a crash leaves the old or the new, never
// half.
#pragma once

#include "runtime/base/result.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace fathom {

/// The whole file. Fails with `too_large` when it holds more than `bytes_max`; works for files
/// whose size the kernel does not tell (/proc).
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max);

/// Writes all of `bytes` to `fd`, over short writes and EINTR. `what` names the file in the error.
Result<> write_all(int fd, std::string_view bytes, std::string_view what);

/// Reads up to `size` bytes at `offset`, over EINTR; fewer only at the end of the file. `what`
/// names the file.
Result<std::size_t> read_at(int fd, char* into, std::size_t size, std::size_t offset,
                            std::string_view what);

enum class Sync { no, yes };  ///< whether to wait until the bytes and the name are on the disk

/// Replaces `path` by a new file with `bytes` (temporary name beside it, then rename). Parent
/// folders must exist.
Result<> write_file_atomic(const std::filesystem::path& path, std::string_view bytes, Sync sync);

/// Makes a name in `dir` durable: fsync of the folder itself.
Result<> sync_dir(const std::filesystem::path& dir);

/// Creates `dir` and its parents, readable by this user only (0700): state holds prompts and
/// sources.
Result<> create_private_dirs(const std::filesystem::path& dir);

}  // namespace fathom
