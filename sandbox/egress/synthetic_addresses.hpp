// SyntheticAddresses: the addresses that a session's name server answers with. A program connects
// to one, and the listener that gets the connection learns from it which name was meant; the real
// address is looked up then, outside, so a look-up alone sends nothing to any network.
//
// The range is 198.18.0.0/15 (RFC 2544, benchmarks between routers): no host of the Internet or of
// a sane private network has such an address. Each session has a table of its own.
#pragma once

#include <boost/asio/ip/address_v4.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::sandbox {

namespace asio = boost::asio;

constexpr std::size_t kNamesMax = 4096;  ///< of one session; the least recently used goes first

class SyntheticAddresses {
 public:
  explicit SyntheticAddresses(std::size_t names_max = kNamesMax) : names_max_(names_max) {}

  /// The address of `name`, a new one for a new name. A name that is used keeps its address;
  /// addresses of forgotten names come back only after all 131,070 others have been given out, so
  /// that a program which remembers one too long reaches nobody rather than somebody else.
  asio::ip::address_v4 address_of(const std::string& name);

  /// The name that `address` stands for, which counts as used.
  std::optional<std::string> name_of(asio::ip::address_v4 address);

  [[nodiscard]] std::size_t size() const { return order_.size(); }

  /// True in 198.18.0.0/15.
  static bool contains(asio::ip::address_v4 address);

 private:
  struct Entry {
    std::string name;
    std::uint32_t address;
  };
  using Order = std::list<Entry>;  // most recently used first

  std::size_t names_max_;
  std::uint32_t last_ = 0;  // offset of the address given out last; the first given out is .0.1
  Order order_;
  std::map<std::string_view, Order::iterator> by_name_;  // keys live in order_
  std::map<std::uint32_t, Order::iterator> by_address_;
};

}  // namespace fathom::sandbox
