// The small file that makes a folder a transaction.
#pragma once

#include "runtime/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::sandbox {

struct TransactionRecord {
  std::string workspace;     ///< absolute
  std::uint64_t device = 0;  ///< of the workspace: another folder in its place is not it
  std::uint64_t inode = 0;
  std::int64_t began_ns = 0;  ///< since the epoch, by the clock of file times

  friend bool operator==(const TransactionRecord&, const TransactionRecord&) = default;
};

std::string encode_record(const TransactionRecord& record);

/// Fails with `bad_data` for anything that encode_record did not write.
Result<TransactionRecord> decode_record(std::string_view bytes);

}  // namespace fathom::sandbox
