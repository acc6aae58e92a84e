#include "policies/host_pattern.hpp"

#include <algorithm>

namespace fathom::policies {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

// Not the C library's: its answer depends on the locale.
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// What a resolver may take for a number: then the whole name is an address in disguise ("0x7f.1",
// "127.1", "2130706433"), and which address it is depends on the program.
bool is_number(std::string_view label) {
  if (label.starts_with("0x")) return true;
  return std::ranges::all_of(label, is_digit);
}

std::unexpected<Error> refuse(std::string_view what) {
  return fail(ErrorCode::bad_data, std::string(what));
}

Result<> check_byte(char c) {
  if (static_cast<unsigned char>(c) >= 0x80)
    return refuse("has letters outside ASCII (write the name in its xn-- form)");
  if (c == ':') return refuse("has a port or a stray ':' (state ports under 'ports')");
  if (c == '@') return refuse("has a user before '@' (write the host alone)");
  if (c == '/') return refuse("has a '/' (write the host alone, without scheme and path)");
  if (c == '%') return refuse("has a '%' (write the name without escapes or zone)");
  if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_' && c != '.')
    return refuse("has a character that host names cannot have");
  return {};
}

Result<> check_label(std::string_view label) {
  if (label.empty()) return refuse("has an empty label ('..' or a dot in front)");
  if (label.size() > kLabelBytesMax) return refuse("has a label of more than 63 bytes");
  if (label.front() == '-' || label.back() == '-')
    return refuse("has a label that begins or ends with '-'");
  return {};
}

Result<> check_name(std::string_view name) {
  for (char c : name) TRY(check_byte(c));
  if (name.size() > kHostBytesMax) return refuse("is longer than 253 bytes");
  for (std::string_view rest = name;;) {
    const std::size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    TRY(check_label(label));
    if (dot != std::string_view::npos) {
      rest.remove_prefix(dot + 1);
      continue;
    }
    if (is_number(label))
      return refuse("is a number or another spelling of an IPv4 address (write a.b.c.d)");
    return {};
  }
}

}  // namespace

Result<Host> Host::parse(std::string_view text) {
  if (text.empty()) return refuse("is empty");
  const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
  const std::string_view bare = bracketed ? text.substr(1, text.size() - 2) : text;
  if (const auto address = Address::parse(bare)) {
    if (bracketed && !address->is_v6) return refuse("has an IPv4 address in brackets");
    return Host{"", address->unmapped()};
  }
  if (bracketed) return refuse("has no IPv6 address in its brackets");
  std::string name = lower(text);
  if (name.ends_with('.')) name.pop_back();
  TRY(check_name(name));
  return Host{std::move(name), std::nullopt};
}

bool Host::is_localhost() const { return name == "localhost" || name.ends_with(".localhost"); }

Result<HostPattern> HostPattern::parse(std::string_view text) {
  constexpr std::string_view kBelow = "*.";
  if (text == "*")
    return refuse("is every host (list the hosts, or '*.example.com' for all below one)");
  const bool below = text.starts_with(kBelow);
  if (below) text.remove_prefix(kBelow.size());
  if (text.find('*') != std::string_view::npos)
    return refuse("has a '*' that is not the whole first label (write '*.example.com')");
  Host host = TRY(Host::parse(text));
  if (below && host.address) return refuse("has '*.' before an address (list the addresses)");
  if (below && host.name.find('.') == std::string::npos)
    return refuse("is all of a top-level domain (name at least two labels behind '*.')");
  return HostPattern(std::move(host), below);
}

bool HostPattern::matches(const Host& host) const {
  if (!below_) return host == host_;
  const std::string& name = host.name;
  return name.size() > host_.name.size() + 1 && name.ends_with(host_.name) &&
         name[name.size() - host_.name.size() - 1] == '.';
}

bool HostPattern::matches(std::string_view text) const {
  const auto host = Host::parse(text);
  return host && matches(*host);
}

std::string HostPattern::to_string() const { return (below_ ? "*." : "") + host_.to_string(); }

}  // namespace fathom::policies
