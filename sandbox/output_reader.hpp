// OutputReader: empties one pipe of a command into an OutputCapture, and into a blob what that
// drops.
#pragma once

#include "runtime/trace/blob_store.hpp"
#include "sandbox/run_command.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <optional>

namespace fathom::sandbox {

class OutputReader {
 public:
  OutputReader(asio::any_io_executor executor, UniqueFd pipe, OutputStream stream,
               const CommandIo& io);

  /// Reads until the end of the pipe, or until `on_bytes`, which hears the count of every piece,
  /// has had enough.
  asio::awaitable<void> run(std::function<bool(std::size_t)> on_bytes);

  [[nodiscard]] bool at_end() const { return at_end_; }

  /// Publishes the spilled output, if any, and gives what was kept.
  asio::awaitable<CapturedOutput> finish();

 private:
  asio::awaitable<void> spill(std::string_view bytes);

  asio::posix::stream_descriptor pipe_;
  OutputStream stream_;
  const CommandIo& io_;
  OutputCapture capture_;
  std::optional<trace::BlobWriter> blob_;
  bool spill_failed_ = false;
  bool at_end_ = false;
};

}  // namespace fathom::sandbox
