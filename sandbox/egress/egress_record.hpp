// EgressRecord: what the log keeps of one connection, or of one denied name.
#pragma once

#include "policies/decide.hpp"
#include "runtime/async/clock.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace fathom::sandbox {

enum class Via : std::uint8_t {
  capture,  ///< the program connected as if there were no sandbox
  connect,  ///< HTTP CONNECT to the proxy
  http,     ///< a plain HTTP request to the proxy
  socks5,   ///< SOCKS5 to the proxy
  dns,      ///< a look-up; only denied ones are recorded
};

std::string_view name_of(Via via);

struct EgressRecord {
  std::string name;     ///< as decided on; empty for a connection to an address
  std::string address;  ///< that was dialled, or meant and denied; empty when none was known
  std::uint16_t port = 0;
  Via via = Via::capture;
  policies::Verdict verdict = policies::Verdict::deny;
  std::string rule;
  std::string reason;  ///< one line; of an allowed connection that failed, how
  std::string grant;   ///< smallest policy line that would allow it
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  Duration duration{};

  friend bool operator==(const EgressRecord&, const EgressRecord&) = default;
};

using OnEgressRecord = std::function<void(EgressRecord)>;

}  // namespace fathom::sandbox
