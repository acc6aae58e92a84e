// A query that is read is what stands on the wire, and no more; the name server gives an address to
// a name of its zone alone, and what it says can be read by a resolver.
#include "runtime/base/ensure.hpp"
#include "sandbox/egress/name_server.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

using namespace fathom;
using namespace fathom::sandbox;

namespace {

constexpr std::string_view kZone = ".zone.test";
constexpr std::size_t kHeaderBytes = 12;

policies::Decision decide(const policies::request::Connect& request) {
  const bool listed = request.host.ends_with(kZone) && request.port == 443;
  const bool plain = std::ranges::all_of(request.host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  ENSURE(plain, "decisions are on canonical names");
  return {listed ? policies::Verdict::allow : policies::Verdict::deny, "rule", "", ""};
}

policies::Network network() {
  policies::Network out;
  out.hosts = {{"rule", policies::Verdict::allow, "*.zone.test", {443}, {policies::Phase::agent}}};
  return out;
}

void check_query(const dns::Query& query, std::string_view message) {
  ENSURE(message.substr(kHeaderBytes).starts_with(query.question), "the question is the wire's");
  const std::string alone(std::string(message.substr(0, kHeaderBytes - 2)) + std::string(2, '\0') +
                          query.question);
  const dns::Reading again = dns::read_query(alone);
  ENSURE(again.query && again.query->name == query.name, "a question reads the same alone");
  ENSURE(query.name.find('\0') == std::string::npos, "a name is text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const dns::Reading reading = dns::read_query(message);
  if (reading.query) check_query(*reading.query, message);
  ENSURE(!(reading.query && !reading.refusal.empty()), "a message is read or refused");

  EgressRules rules(network(), decide, policies::Phase::agent);
  SyntheticAddresses addresses;
  NameServer server(rules, addresses, [](const std::string&, const policies::Decision&) {});
  const std::string answer = server.answer(message);
  if (answer.empty()) return 0;
  ENSURE(answer.size() >= kHeaderBytes && answer.substr(0, 2) == message.substr(0, 2),
         "an answer has the query's id");
  ENSURE((answer[2] & '\x80') != 0, "an answer says that it is one");
  if (answer[7] == 0) return 0;
  ENSURE(reading.query, "records answer a query");
  const auto to = parse_destination(reading.query->name, 1);
  ENSURE(to && (to->name.ends_with(kZone) || is_localhost(to->name)), "only the zone is answered");
  return 0;
}
