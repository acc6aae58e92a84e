#include "agents/cli/line_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace fathom::agents {

LineReader::LineReader(const asio::any_io_executor& executor) : input_(executor) {
  if (::isatty(STDIN_FILENO) != 1) return;
  // Opened anew: waiting makes a descriptor non-blocking for all who share its opening, and those
  // are standard output, which would lose what a slow terminal does not take at once, and the
  // person's own shell. Not /dev/tty: standard input may be another terminal than that.
  int copy = ::open("/proc/self/fd/0", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  // A terminal that another user has opened, as after su, cannot be opened again.
  if (copy < 0) copy = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return;
  boost::system::error_code ec;
  input_.assign(copy, ec);
  if (ec) ::close(copy);
}

asio::awaitable<std::optional<std::string>> LineReader::next() {
  if (!input_.is_open()) co_return std::nullopt;
  boost::system::error_code ec;
  std::size_t size =
      co_await asio::async_read_until(input_, asio::dynamic_buffer(buffer_, kLineBytesMax), '\n',
                                      asio::redirect_error(asio::use_awaitable, ec));
  if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
  // A line that fills the buffer is taken as far as it goes.
  if (ec == asio::error::not_found)
    size = buffer_.size();
  else if (ec)
    co_return std::nullopt;
  std::string line = buffer_.substr(0, size);
  buffer_.erase(0, size);
  if (line.ends_with('\n')) line.pop_back();
  co_return line;
}

}  // namespace fathom::agents
