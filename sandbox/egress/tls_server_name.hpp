// The server name (SNI) of a TLS client's first message. The sandbox compares it with the name that
// was allowed: behind one address of a content network live thousands of sites, and the one that
// answers is the one that this message names, not the one that was looked up.
//
// What the check does not do: it sees neither the Host inside the encryption (most content networks
// refuse one that differs from the server name, not all), nor an encrypted client hello's inner
// name. The name server gives out no keys for that (HTTPS records), so it takes a program that
// brings its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::sandbox {

constexpr std::size_t kClientHelloBytesMax = 16UL * 1024;  ///< post-quantum ones have some 2 KiB

struct ServerName {
  enum class Kind : std::uint8_t {
    incomplete,  ///< more bytes are needed
    not_tls,     ///< another protocol
    malformed,   ///< starts like TLS and goes on like nothing that a server would take
    absent,      ///< a client hello without a server name
    found,
  };
  Kind kind = Kind::incomplete;
  std::string name;  ///< as it came
};

/// Looks at the first bytes that a client sent, all of them from the start.
ServerName read_server_name(std::string_view bytes);

/// A fatal alert "access denied": what a TLS client is told when its connection is refused.
constexpr std::string_view kTlsAccessDenied{"\x15\x03\x03\x00\x02\x02\x31", 7};

}  // namespace fathom::sandbox
