#include "runtime/net/network_error.hpp"

#include "runtime/async/cancellation.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

#include <string>

namespace fathom::net {

Error network_error(std::string_view doing, const boost::system::error_code& ec) {
  namespace error = boost::asio::error;
  if (ec == error::operation_aborted) throw_cancelled();
  const std::string what(doing);
  if (ec == error::connection_refused)
    return {ErrorCode::network, what + ": connection refused (is a server running there?)"};
  if (ec == error::connection_reset || ec == error::broken_pipe)
    return {ErrorCode::network, what + ": the peer reset the connection"};
  if (ec == boost::asio::ssl::error::stream_truncated)
    return {
        ErrorCode::network,
        what +
            ": the peer closed the connection without ending TLS, so what came may be cut short"};
  if (ec == error::network_unreachable || ec == error::host_unreachable)
    return {ErrorCode::network, what + ": no route to it (is this machine online?)"};
  if (ec.category() == boost::system::system_category()) return system_error(doing, ec.value());
  return {ErrorCode::network, what + ": " + ec.message()};
}

}  // namespace fathom::net
