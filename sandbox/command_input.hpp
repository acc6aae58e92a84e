// A command's standard input. A descriptor of the host is more than the bytes that are read from
// it: a folder is a way out of the sandbox's root, a file can be opened again for writing through
// /proc/self/fd/0, a socket can be connected anew from the host's network. So a command gets an
// anonymous pipe or an empty input, and everything else is read here and fed through a pipe.
//
// What it does not protect: who reads the same anonymous pipe on the host can be written to by the
// command, and what is fed ahead of a command that does not read it is gone for others.
#pragma once

#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace fathom::sandbox {

namespace asio = boost::asio;

enum class InputKind : std::uint8_t {
  empty,  ///< nothing, or the host's /dev/null: the sandbox's end of nothing does as well
  pass,   ///< an anonymous pipe, open for reading
  feed,   ///< bytes that are read here
};

/// How `fd` can be given to a command; -1 is empty. Fails for folders, terminals, O_PATH
/// descriptors, and what cannot be read.
Result<InputKind> input_kind(int fd);

inline constexpr std::size_t kInputChunkBytes = 64UL << 10;  // held at once; the size of a pipe

/// Reads a descriptor of the caller's and writes it into a pipe, at the reader's pace.
class InputFeeder {
 public:
  /// `source` stays the caller's, and keeps its flags: others may share its description.
  static Result<InputFeeder> create(const asio::any_io_executor& executor, int source);

  /// The end that the command reads. Closed once the command has it.
  UniqueFd& read_end() { return read_end_; }

  /// Until the end of the source, an error of it, or until nobody reads any more.
  asio::awaitable<void> run();

 private:
  InputFeeder(asio::any_io_executor executor, UniqueFd source, UniqueFd read_end,
              UniqueFd write_end);
  asio::awaitable<std::size_t> read_some(std::string& buffer);
  asio::awaitable<bool> write_whole(std::string_view bytes);

  UniqueFd source_;
  bool is_socket_ = false;
  bool blocks_ = false;  ///< a read of what is not ready would
  UniqueFd read_end_;
  /// An epoll set with the source in it: asio would switch a shared description to non-blocking.
  std::optional<asio::posix::stream_descriptor> readiness_;  // none: it can always be read
  asio::posix::stream_descriptor write_end_;
};

}  // namespace fathom::sandbox
