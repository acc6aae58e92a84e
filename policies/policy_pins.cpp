#include "policies/policy_pins.hpp"

#include "policies/path_rules.hpp"
#include "policies/policy_text.hpp"
#include "policies/yaml_document.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>

namespace fathom::policies {
namespace {

constexpr std::size_t kDigits = 64;

bool is_hash(std::string_view text) {
  return text.size() == kDigits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

Result<std::vector<Pin>> parse_pins(std::string_view text, std::string_view file) {
  std::vector<Pin> pins;
  std::uint32_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const std::string_view hash = line.substr(0, kDigits);
    const std::string_view rest = line.substr(hash.size());
    // sha256sum marks binary mode with a "*".
    const bool separated = rest.starts_with("  ") || rest.starts_with(" *");
    if (!is_hash(hash) || !separated || !is_normal_path(rest.substr(2)))
      return fail(yaml_error(file, {number, 1},
                             "a pin is a line of `sha256sum` with an absolute path (correct or "
                             "remove it)"));
    pins.push_back({std::string(hash), std::string(rest.substr(2))});
  }
  return pins;
}

bool is_pinned(const std::vector<Pin>& pins, std::string_view path, std::string_view bytes) {
  const std::string hash = sha256_hex(bytes);
  return std::ranges::any_of(
      pins, [&](const Pin& pin) { return pin.path == path && pin.sha256 == hash; });
}

}  // namespace fathom::policies
