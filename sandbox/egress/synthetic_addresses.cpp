#include "sandbox/egress/synthetic_addresses.hpp"

namespace fathom::sandbox {
namespace {

constexpr std::uint32_t kFirst = (198U << 24) | (18U << 16);
constexpr std::uint32_t kAddresses = 1U << 17;  // of a /15

}  // namespace

bool SyntheticAddresses::contains(asio::ip::address_v4 address) {
  return address.to_uint() - kFirst < kAddresses;
}

asio::ip::address_v4 SyntheticAddresses::address_of(const std::string& name) {
  if (const auto known = by_name_.find(name); known != by_name_.end()) {
    order_.splice(order_.begin(), order_, known->second);
    return asio::ip::address_v4(known->second->address);
  }
  if (order_.size() >= names_max_) {
    by_name_.erase(order_.back().name);
    by_address_.erase(order_.back().address);
    order_.pop_back();
  }
  // Not the first and last address: some programs take them for a network and a broadcast.
  do {
    last_ = last_ % (kAddresses - 2) + 1;
  } while (by_address_.contains(kFirst + last_));
  order_.push_front({name, kFirst + last_});
  by_name_.emplace(order_.front().name, order_.begin());
  by_address_.emplace(kFirst + last_, order_.begin());
  return asio::ip::address_v4(kFirst + last_);
}

std::optional<std::string> SyntheticAddresses::name_of(asio::ip::address_v4 address) {
  const auto known = by_address_.find(address.to_uint());
  if (known == by_address_.end()) return std::nullopt;
  order_.splice(order_.begin(), order_, known->second);
  return known->second->name;
}

}  // namespace fathom::sandbox
