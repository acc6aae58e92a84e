// Descriptors between processes: messages that carry them, sealed memory files, pipes.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::sandbox {

/// Both ends of a close-on-exec SOCK_SEQPACKET pair.
Result<std::pair<UniqueFd, UniqueFd>> socket_pair();

/// Read end and write end, close-on-exec; the read end does not block.
Result<std::pair<UniqueFd, UniqueFd>> output_pipe();

/// A memory file with `bytes` that nobody can change any more.
Result<UniqueFd> sealed_memory(const char* name, std::string_view bytes);

Result<> send_with_descriptors(int socket, std::string_view bytes, std::span<const int> fds);

struct ReceivedMessage {
  std::string_view bytes;  ///< in the caller's buffer; empty at the end
  std::vector<UniqueFd> fds;
};

/// Takes one waiting message; does not block. `would_block` is an empty optional.
Result<std::optional<ReceivedMessage>> receive_with_descriptors(int socket, std::span<char> buffer);

}  // namespace fathom::sandbox
