// Name servers for tests: one that knows every name, one that knows none and never says so.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/net/resolver.hpp"

#include <boost/asio/ip/address.hpp>

#include <string>
#include <utility>
#include <vector>

namespace fathom::test {

/// Every name has these addresses.
class FixedResolver final : public net::Resolver {
 public:
  explicit FixedResolver(std::vector<std::string> addresses) : addresses_(std::move(addresses)) {}

  asio::awaitable<Result<std::vector<asio::ip::address>>> resolve(std::string) override {
    std::vector<asio::ip::address> addresses;
    addresses.reserve(addresses_.size());
    for (const std::string& text : addresses_) addresses.push_back(asio::ip::make_address(text));
    co_return addresses;
  }

 private:
  std::vector<std::string> addresses_;
};

/// Never answers.
class SilentResolver final : public net::Resolver {
 public:
  explicit SilentResolver(Clock& clock) : clock_(clock) {}

  asio::awaitable<Result<std::vector<asio::ip::address>>> resolve(std::string) override {
    co_await clock_.sleep_until(Instant::max());
    co_return std::vector<asio::ip::address>();
  }

 private:
  Clock& clock_;
};

}  // namespace fathom::test
