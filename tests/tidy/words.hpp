// The rules about words: what may not be called, written or named.
#pragma once

#include "tests/tidy/finding.hpp"

namespace fathom::tidy {

/// A comment that promises work says which debt it is: limits, perf, security or portability.
[[nodiscard]] Findings check_todos(const SourceFile& file);

/// Detached tasks, std::endl, sleeping threads, and `new` or `delete` without an owner.
[[nodiscard]] Findings check_banned_words(const SourceFile& file);

/// fork, exec and their relatives are called in sandbox/ only (and in tests).
[[nodiscard]] Findings check_process_starts(const SourceFile& file);

/// No file or folder is called after what everything is (core, common, utils, helpers, misc,
/// manager), and C++ files end in .hpp and .cpp, so that every rule sees them.
[[nodiscard]] Findings check_names(const SourceFile& file);

}  // namespace fathom::tidy
