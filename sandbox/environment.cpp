#include "sandbox/environment.hpp"

#include "policies/environment.hpp"

#include <unistd.h>

#include <algorithm>

namespace fathom::sandbox {
namespace {

constexpr std::string_view kDefaultPath =
    "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

std::string_view name_of_entry(std::string_view entry) { return entry.substr(0, entry.find('=')); }

void put(std::vector<std::string>& entries, std::string_view name, std::string_view value) {
  std::string entry = std::string(name) + "=" + std::string(value);
  const auto known = std::ranges::find_if(
      entries, [&](const std::string& other) { return name_of_entry(other) == name; });
  if (known == entries.end())
    entries.push_back(std::move(entry));
  else
    *known = std::move(entry);
}

// Relative and empty entries of PATH mean "wherever the command stands": the workspace would decide
// what `git` is.
std::string absolute_path_entries(std::string_view path) {
  std::string kept;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    const std::string_view entry = path.substr(0, end);
    if (entry.starts_with('/')) kept += (kept.empty() ? "" : ":") + std::string(entry);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return kept.empty() ? std::string(kDefaultPath) : kept;
}

}  // namespace

std::vector<std::string> process_environment() {
  std::vector<std::string> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    entries.emplace_back(*entry);
  return entries;
}

std::vector<std::string> command_environment(
    const policies::Environment& policy, const HostFacts& host,
    const std::vector<std::string>& ours, const std::vector<policies::EnvironmentVariable>& extra) {
  std::vector<std::string> entries;
  std::string_view path;
  for (const std::string& entry : ours)
    if (entry.starts_with("PATH=")) path = std::string_view(entry).substr(5);
  put(entries, "PATH", absolute_path_entries(path));
  put(entries, "HOME", host.home.empty() ? "/tmp" : host.home);
  put(entries, "TMPDIR", "/tmp");
  put(entries, "TMPPREFIX", "/tmp/zsh");
  put(entries, "XDG_RUNTIME_DIR", "/run/user/" + std::to_string(host.uid));
  if (!host.user.empty()) {
    put(entries, "USER", host.user);
    put(entries, "LOGNAME", host.user);
  }
  for (const std::string& entry : ours) {
    const std::string_view name = name_of_entry(entry);
    // PATH is above, without its relative entries. A "*" of the policy never covers a secret's
    // name.
    if (name.size() < entry.size() && name != "PATH" && policies::passes(policy, name))
      put(entries, name, std::string_view(entry).substr(name.size() + 1));
  }
  for (const policies::EnvironmentVariable& variable : policy.set)
    put(entries, variable.name, variable.value);
  for (const policies::EnvironmentVariable& variable : extra)
    put(entries, variable.name, variable.value);
  return entries;
}

}  // namespace fathom::sandbox
