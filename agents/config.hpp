// Config: what a repository says about itself to Fathom, in its .fathom/config.yaml.
//
//   apiVersion: fathom/v1
//   kind: Config
//   test: {command: [./run-tests, "--xml={report}"], format: junit}
//
// It says nothing about what is allowed: that is the policy's, so a repository that nobody trusts
// may have one. Its commands are asked about and confined as any other, and .fathom is protected
// from them by the shipped policies. config.schema.json describes all keys for editors.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/run_tests_plan.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

inline constexpr std::size_t kConfigWordsMax = 256;  // of a command
inline constexpr std::size_t kConfigGlobsMax = 64;
inline constexpr std::uint64_t kConfigTimeoutSecondsMax = 86'400;

struct Config {
  tools::TestSettings test;
};

/// `file` names the document in errors. Fails with `usage` and "FILE: line N: column M: …".
Result<Config> parse_config(std::string_view text, std::string_view file);

/// That of the repository at `workspace`; a Config{} where it has none. Follows no link: the file
/// is the repository's own or an error.
Result<Config> load_project_config(const std::string& workspace);

/// Its `test:`.
Result<tools::TestSettings> load_test_settings(const std::string& workspace);

/// A mapping of the document, by its dotted path, and the keys it may have. The published schema
/// has the same.
struct ConfigKeys {
  std::string_view section;
  std::vector<std::string_view> keys;
};
std::span<const ConfigKeys> config_keys();

/// JSON Schema of config documents.
std::string_view config_schema();

}  // namespace fathom::agents
