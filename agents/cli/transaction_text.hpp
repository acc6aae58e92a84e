// Changes and commit reports as people and programs read them.
#pragma once

#include "sandbox/transaction.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace fathom::agents {

/// "2 added, 1 deleted, 1 withheld"; "no changes".
[[nodiscard]] std::string counts_of(const std::vector<sandbox::Change>& changes);

/// One line a change: "  M src/a.c", with the reason of what is not simply applied.
[[nodiscard]] std::string lines_of(const std::vector<sandbox::Change>& changes,
                                   std::size_t lines_max);

/// What commit did and what is left.
[[nodiscard]] std::string to_text(const sandbox::CommitReport& report, const std::string& id);

/// JSON values. Bytes of names that are no UTF-8 appear as U+FFFD.
[[nodiscard]] std::string to_json(const sandbox::TransactionInfo& info,
                                  const std::vector<sandbox::Change>& changes);
[[nodiscard]] std::string to_json(const sandbox::CommitReport& report, const std::string& id);
[[nodiscard]] std::string to_json(const std::vector<sandbox::TransactionInfo>& infos);

/// "2026-05-01T12:00:00Z".
[[nodiscard]] std::string time_text(std::int64_t unix_ns);

}  // namespace fathom::agents
