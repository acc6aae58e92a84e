#include "runtime/net/resolver.hpp"

#include "runtime/async/signal.hpp"
#include "runtime/net/network_error.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>

#include <memory>
#include <utility>

namespace fathom::net {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

// Shared by the waiting coroutine and Asio's handler, because either may be the last to go: Asio
// runs the handler only when getaddrinfo returns, also after cancel(), and so offers no
// cancellation slot for it.
struct LookUp {
  explicit LookUp(const asio::any_io_executor& executor) : resolver(executor), news(executor) {}

  tcp::resolver resolver;
  Signal news;
  bool ended = false;
  error_code ec;
  std::vector<asio::ip::address> addresses;
};

Error explain(const error_code& ec, const std::string& host) {
  if (ec == asio::error::host_not_found || ec == asio::error::no_data)
    return {ErrorCode::not_found,
            "the host name '" + host + "' is not known (is it spelled right?)"};
  if (ec == asio::error::host_not_found_try_again)
    return {ErrorCode::network,
            "looking up '" + host + "': the name server gave no answer (is this machine online?)"};
  return network_error("looking up '" + host + "'", ec);
}

}  // namespace

asio::awaitable<Result<std::vector<asio::ip::address>>> SystemResolver::resolve(std::string host) {
  const auto look_up = std::make_shared<LookUp>(co_await asio::this_coro::executor);
  look_up->resolver.async_resolve(host, "", [look_up](const error_code& ec, const auto& results) {
    look_up->ended = true;
    look_up->ec = ec;
    for (const auto& entry : results)
      if (look_up->addresses.size() < kAddressesMax)
        look_up->addresses.push_back(entry.endpoint().address());
    look_up->news.notify_all();
  });
  struct Abandon {
    LookUp& look_up;
    ~Abandon() { look_up.resolver.cancel(); }  // saves a look-up that still waits for the thread
  } const abandon{*look_up};
  while (!look_up->ended) co_await look_up->news.wait();
  if (look_up->ec) co_return fail(explain(look_up->ec, host));
  co_return std::move(look_up->addresses);
}

}  // namespace fathom::net
