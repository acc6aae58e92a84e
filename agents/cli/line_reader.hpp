// LineReader: what a person types while a run goes on, a line at a time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace fathom::agents {

namespace asio = boost::asio;

class LineReader {
 public:
  static constexpr std::size_t kLineBytesMax = 64 * 1024;  ///< longer ones are cut

  /// Reads standard input when that is a terminal, else nothing: it may be anybody's.
  explicit LineReader(const asio::any_io_executor& executor);

  [[nodiscard]] bool is_person() const { return input_.is_open(); }
  /// The next line without its end; nothing when there will be none.
  asio::awaitable<std::optional<std::string>> next();

 private:
  asio::posix::stream_descriptor input_;
  std::string buffer_;
};

}  // namespace fathom::agents
