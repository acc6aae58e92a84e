// NameServer: a session's only name server, as a function from message to message. Names that the
// policy allows have a synthetic address; all others do not exist, at once.
//
// NXDOMAIN rather than REFUSED, which the C library reports as a temporary failure: wrong advice.
// Neither is retried by getent, curl, python, node and git (all done within 0.3 s); pip takes 2 s
// and npm 71 s with both, and 0.5 s when a proxy tells it 403: hence the variables of
// EgressBroker::environment().
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
