#include "sandbox/egress/name_server.hpp"

#include <utility>

namespace fathom::sandbox {
namespace {

constexpr std::uint16_t kAnyPort = 1;  // a look-up has no port, a destination must have one

}  // namespace

NameServer::NameServer(EgressRules& rules, SyntheticAddresses& addresses, OnDenied on_denied)
    : rules_(rules), addresses_(addresses), on_denied_(std::move(on_denied)) {}

std::string NameServer::answer(std::string_view message) {
  dns::Reading reading = dns::read_query(message);
  if (!reading.query) return std::move(reading.refusal);
  const dns::Query& query = *reading.query;
  if (query.klass != dns::kClassInternet) return dns::write_answer(query, dns::Code::refused);
  if (query.name.ends_with(".arpa")) return answer_reverse(query);
  return answer_name(query);
}

std::string NameServer::answer_name(const dns::Query& query) {
  const Result<Destination> to = parse_destination(query.name, kAnyPort);
  if (!to || to->address) {
    deny(query.name, {policies::Verdict::deny, "network.hosts", "this is no host name", ""});
    return dns::write_answer(query, dns::Code::no_such_name);
  }
  if (is_localhost(to->name)) {
    if (query.type != dns::kTypeA) return dns::write_answer(query, dns::Code::ok);
    return dns::write_address(query, asio::ip::address_v4::loopback());
  }
  const policies::Decision decision = rules_.may_look_up(to->name);
  if (decision.verdict != policies::Verdict::allow) {
    deny(to->name, decision);
    return dns::write_answer(query, dns::Code::no_such_name);
  }
  // Everything but A is empty. AAAA: one family is enough for everybody. HTTPS and SVCB could name
  // other hosts and addresses, and keys that hide the server name; TXT could carry data.
  if (query.type != dns::kTypeA) return dns::write_answer(query, dns::Code::ok);
  return dns::write_address(query, addresses_.address_of(to->name));
}

std::string NameServer::answer_reverse(const dns::Query& query) {
  const auto address = dns::address_of_reverse_name(query.name);
  const auto name = address ? addresses_.name_of(*address) : std::nullopt;
  // Not reported as denied: many programs look up whoever talks to them, and mean nothing by it.
  if (!name) return dns::write_answer(query, dns::Code::no_such_name);
  if (query.type != dns::kTypePtr) return dns::write_answer(query, dns::Code::ok);
  return dns::write_pointer(query, *name);
}

void NameServer::deny(const std::string& name, const policies::Decision& decision) {
  if (denied_.size() >= kDeniedNamesMax || !denied_.insert(name).second) return;
  on_denied_(name, decision);
}

}  // namespace fathom::sandbox
