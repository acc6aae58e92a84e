#include "sandbox/output_reader.hpp"

#include "runtime/async/offload.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kReadBytes = 64UL << 10;  // the size of a pipe

}  // namespace

OutputReader::OutputReader(asio::any_io_executor executor, UniqueFd pipe, OutputStream stream,
                           const CommandIo& io)
    : pipe_(std::move(executor), pipe.release()), stream_(stream), io_(io) {}

asio::awaitable<void> OutputReader::run(std::function<bool(std::size_t)> on_bytes) {
  std::string buffer;
  while (!at_end_) {
    boost::system::error_code ec;
    if (buffer.empty()) {  // many commands say nothing: their pipes cost no memory
      co_await pipe_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
      buffer.resize(kReadBytes);
    }
    const std::size_t size = co_await pipe_.async_read_some(
        asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
    if (ec) {  // the end; a terminal's master reports it as an input error
      at_end_ = true;
      break;
    }
    const std::string_view bytes(buffer.data(), size);
    if (capture_.bytes() + size > kOutputHeadBytes + kOutputTailBytes) co_await spill(bytes);
    capture_.append(bytes);
    if (io_.on_output) io_.on_output(stream_, bytes);
    at_end_ = !on_bytes(size);
  }
}

// A disk that is full must not fail the command: the whole output is a convenience, what was kept
// is the result.
asio::awaitable<void> OutputReader::spill(std::string_view bytes) {
  if (io_.blobs == nullptr || io_.offload == nullptr || spill_failed_) co_return;
  std::string first;
  if (!blob_) {
    auto writer = io_.blobs->writer();
    if (!writer) {
      spill_failed_ = true;
      co_return;
    }
    blob_.emplace(*std::move(writer));
    first = capture_.so_far();
  }
  const Result<> written = co_await offload(*io_.offload, [this, &first, bytes]() -> Result<> {
    if (!first.empty()) TRY(blob_->append(first));
    return blob_->append(bytes);
  });
  if (!written) spill_failed_ = true;
}

asio::awaitable<CapturedOutput> OutputReader::finish() {
  CapturedOutput output = capture_.finish();
  if (blob_ && !spill_failed_) {
    auto stored = co_await offload(*io_.offload, [this] { return blob_->finish(); });
    if (stored) output.blob = stored->name;
  }
  co_return output;
}

}  // namespace fathom::sandbox
