// NameServer: a session's only name server, as a function from message to message. Names that the
// policy allows have a synthetic address; all others do not exist, at once.
//
// NXDOMAIN rather than REFUSED: the C library reports REFUSED as a temporary failure, which package
// managers then wait for and retry (measured: name_server.cpp).
#pragma once

#include "sandbox/egress/dns_message.hpp"
#include "sandbox/egress/egress_rules.hpp"
#include "sandbox/egress/synthetic_addresses.hpp"

#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace fathom::sandbox {

/// Names whose denial was reported; later ones are denied in silence.
constexpr std::size_t kDeniedNamesMax = 1024;

class NameServer {
 public:
  using OnDenied = std::function<void(const std::string& name, const policies::Decision& decision)>;

  /// Both references outlive the server. `on_denied` is called once a name.
  NameServer(EgressRules& rules, SyntheticAddresses& addresses, OnDenied on_denied);

  /// The answer to `message`; empty when it deserves none.
  std::string answer(std::string_view message);

 private:
  std::string answer_name(const dns::Query& query);
  std::string answer_reverse(const dns::Query& query);
  void deny(const std::string& name, const policies::Decision& decision);

  EgressRules& rules_;
  SyntheticAddresses& addresses_;
  OnDenied on_denied_;
  std::set<std::string> denied_;
};

}  // namespace fathom::sandbox
