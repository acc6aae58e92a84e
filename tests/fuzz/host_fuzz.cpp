// Any bytes as a host, a pattern, an address and a script: what is accepted is canonical, what a
// pattern matches ends in what the pattern says, and no reader runs off an end.
#include "policies/command_words.hpp"
#include "policies/decide.hpp"
#include "policies/host_pattern.hpp"
#include "policies/path_rules.hpp"
#include "runtime/base/ensure.hpp"

#include <cstdint>
#include <string>

using namespace fathom;
using namespace fathom::policies;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto host = Host::parse(text)) {
    const std::string canonical = host->to_string();
    const auto again = Host::parse(canonical);
    ENSURE(again && *again == *host, "a host prints as itself");
    ENSURE(canonical.size() <= kHostBytesMax, "a host has a bound");
    for (const char c : canonical)
      ENSURE((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
                 c == ':',
             "a host has the letters of a host");
    static const HostPattern below = HostPattern::parse("*.example.com").value();
    if (below.matches(*host)) ENSURE(canonical.ends_with(".example.com"), "only true matches");
  }
  if (const auto pattern = HostPattern::parse(text)) {
    const auto again = HostPattern::parse(pattern->to_string());
    ENSURE(again && again->to_string() == pattern->to_string(), "a pattern prints as itself");
  }
  if (const auto address = Address::parse(text)) {
    ENSURE(Address::parse(address->to_string()) == *address, "an address prints as itself");
    (void)class_of(*address);
  }
  const Commands commands = split_script(text);
  for (const Words& words : commands.commands)
    ENSURE(!words.empty(), "a command has a word at least");
  (void)unwrap({"env", std::string(text), "bash", "-c", std::string(text)});
  (void)matches_command("git push *", {"bash", "-c", std::string(text)});
  const std::size_t half = size / 2;
  (void)matches_protected(text.substr(0, half), text.substr(half));
  return 0;
}
