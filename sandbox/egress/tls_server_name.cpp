#include "sandbox/egress/tls_server_name.hpp"

#include <optional>

namespace fathom::sandbox {
namespace {

using Kind = ServerName::Kind;

constexpr unsigned kHandshakeRecord = 22;
constexpr unsigned kMajorVersion = 3;  // of every version from SSL 3 to TLS 1.3
constexpr unsigned kClientHello = 1;
constexpr unsigned kServerNameExtension = 0;
constexpr unsigned kHostNameType = 0;
constexpr std::size_t kRecordBytesMax = 1U << 14U;

// Cuts pieces off the front. A piece that is not there makes ok() false and every later one empty.
class Cutter {
 public:
  explicit Cutter(std::string_view bytes) : rest_(bytes) {}

  unsigned number(std::size_t bytes) {
    unsigned value = 0;
    for (const char c : take(bytes)) value = value << 8U | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view take(std::size_t size) {
    if (rest_.size() < size) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  /// A vector with its length in front.
  std::string_view vector(std::size_t length_bytes) { return take(number(length_bytes)); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// RFC 6066: a list, of which exactly one entry is in use.
std::optional<std::string> host_name_of(std::string_view extension) {
  Cutter in(extension);
  Cutter list(in.vector(2));
  const unsigned type = list.number(1);
  const std::string_view name = list.vector(2);
  const bool fine = in.ok() && in.empty() && list.ok() && list.empty() && type == kHostNameType;
  if (!fine || name.empty()) return std::nullopt;
  return std::string(name);
}

// RFC 8446, section 4.1.2.
ServerName name_of_hello(std::string_view hello) {
  Cutter in(hello);
  (void)in.take(2 + 32);  // version, random
  (void)in.vector(1);     // session
  (void)in.vector(2);     // cipher suites
  (void)in.vector(1);     // compressions
  if (!in.ok()) return {Kind::malformed, ""};
  if (in.empty()) return {Kind::absent, ""};
  Cutter extensions(in.vector(2));
  if (!in.ok() || !in.empty()) return {Kind::malformed, ""};
  std::optional<std::string> name;
  while (!extensions.empty()) {
    const unsigned type = extensions.number(2);
    const std::string_view data = extensions.vector(2);
    if (!extensions.ok()) return {Kind::malformed, ""};
    if (type != kServerNameExtension) continue;
    if (name) return {Kind::malformed, ""};
    name = host_name_of(data);
    if (!name) return {Kind::malformed, ""};
  }
  if (!name) return {Kind::absent, ""};
  return {Kind::found, *std::move(name)};
}

}  // namespace

ServerName read_server_name(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.empty()) return {};
  if (byte(0) != kHandshakeRecord) return {Kind::not_tls, ""};
  if (bytes.size() >= 2 && byte(1) != kMajorVersion) return {Kind::not_tls, ""};
  const ServerName unfinished{
      bytes.size() < kClientHelloBytesMax ? Kind::incomplete : Kind::malformed, ""};

  // The message may be cut into several records, at any place.
  std::string message;
  Cutter records(bytes);
  for (;;) {
    const unsigned type = records.number(1);
    const unsigned major = records.number(1);
    (void)records.number(1);
    const std::size_t size = records.number(2);
    if (!records.ok()) return unfinished;
    if (type != kHandshakeRecord || major != kMajorVersion || size == 0 || size > kRecordBytesMax)
      return {Kind::malformed, ""};
    const std::string_view piece = records.take(size);
    if (!records.ok()) return unfinished;
    message += piece;

    Cutter in(message);
    const unsigned message_type = in.number(1);
    const std::size_t message_size = in.number(3);
    if (message_type != kClientHello || message_size > kClientHelloBytesMax)
      return {Kind::malformed, ""};
    if (!in.ok()) continue;
    const std::string_view hello = in.take(message_size);
    if (in.ok()) return in.empty() ? name_of_hello(hello) : ServerName{Kind::malformed, ""};
  }
}

}  // namespace fathom::sandbox
