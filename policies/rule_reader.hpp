// RuleReader: the lists of rules in a policy document, each rule with its examples checked.
#pragma once

#include "policies/policy_load.hpp"
#include "policies/yaml_value.hpp"

#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace fathom::policies {

/// The keys of a mapping, from policy_keys(). `section` must be one of them.
std::span<const std::string_view> keys_of(std::string_view section);

class RuleReader {
 public:
  explicit RuleReader(const LoadContext& context) : context_(context) {}

  Result<> read_grants(const YamlValue& list, Access access, std::vector<Stated<PathGrant>>& into);
  Result<> read_protected(const YamlValue& list, Protection protection,
                          std::vector<Stated<ProtectedName>>& into);

  /// Whether rules may allow: those of `restrict` cannot.
  enum class Kind : unsigned char { rules, restrict };
  Result<> read_exec(const YamlValue& list, Kind kind, std::vector<Stated<ExecRule>>& into);
  Result<> read_hosts(const YamlValue& list, Kind kind, std::vector<Stated<HostRule>>& into);

 private:
  struct Entry;
  Result<std::vector<Entry>> entries_of(const YamlValue& list, std::string_view section,
                                        std::string_view main_key);
  Result<> check_grant(const Entry& entry, const YamlValue& path_value,
                       const PathGrant& grant) const;

  const LoadContext& context_;
  std::set<std::string> ids_;
};

}  // namespace fathom::policies
