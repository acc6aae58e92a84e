#include "policies/environment.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace fathom::policies {
namespace {

constexpr std::size_t kNameBytesMax = 128;

constexpr std::array<std::string_view, 9> kSecretParts = {
    "TOKEN",  "PASSWORD",   "PASSWD",       "PASSPHRASE",       "SECRET",
    "APIKEY", "CREDENTIAL", "DATABASE_URL", "CONNECTION_STRING"};
constexpr std::array<std::string_view, 7> kSecretEndings = {"_KEY",  "_KEYS", "_PAT", "_PW",
                                                            "_PASS", "_DSN",  "_AUTH"};
constexpr std::array<std::string_view, 3> kSecretBeginnings = {"AWS_", "AZURE_", "VAULT_"};
// Sockets of agents that sign or decrypt for whoever asks, and names without a telling part.
constexpr std::array<std::string_view, 9> kSecretNames = {
    "SSH_AUTH_SOCK", "SSH_AGENT_PID", "GPG_AGENT_INFO", "KUBECONFIG", "NETRC",
    "KEY",           "PGPASSFILE",    "REDIS_URL",      "MONGODB_URI"};

bool is_name_byte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

bool is_secret_name(std::string_view name) {
  std::string upper(name);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  const auto any = [](const auto& words, const auto& test) {
    return std::ranges::any_of(words, test);
  };
  return any(kSecretParts,
             [&](std::string_view part) { return upper.find(part) != std::string::npos; }) ||
         any(kSecretEndings, [&](std::string_view end) { return upper.ends_with(end); }) ||
         any(kSecretBeginnings, [&](std::string_view begin) { return upper.starts_with(begin); }) ||
         any(kSecretNames, [&](std::string_view whole) { return upper == whole; });
}

bool is_variable_pattern(std::string_view pattern) {
  if (pattern.ends_with('*')) pattern.remove_suffix(1);
  return !pattern.empty() && pattern.size() <= kNameBytesMax &&
         std::ranges::all_of(pattern, is_name_byte) &&
         (pattern.front() < '0' || pattern.front() > '9');
}

bool passes(const Environment& environment, std::string_view name) {
  return std::ranges::any_of(environment.pass, [&](std::string_view pattern) {
    if (!pattern.ends_with('*')) return name == pattern;
    pattern.remove_suffix(1);
    return name.starts_with(pattern) && !is_secret_name(name);
  });
}

}  // namespace fathom::policies
