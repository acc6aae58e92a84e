#include "agents/config.hpp"

#include "policies/yaml_value.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/directory.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace fathom::agents {
namespace {

using policies::YamlField;
using policies::YamlValue;

constexpr std::size_t kWordBytesMax = 4'096;

std::span<const std::string_view> keys_of(std::string_view section) {
  const auto table = config_keys();
  const auto found = std::ranges::find(table, section, &ConfigKeys::section);
  ENSURE(found != table.end(), "every section that is read is in the table");
  return found->keys;
}

Result<> check_header(const YamlValue& root) {
  const YamlValue version = TRY(root.require("apiVersion"));
  if (TRY(version.text()) != "fathom/v1")
    return fail(version.error("this version reads 'fathom/v1'"));
  const YamlValue kind = TRY(root.require("kind"));
  if (TRY(kind.text()) != "Config")
    return fail(
        kind.error("'" + to_printable(TRY(kind.text())) + "' is no config (write 'kind: Config')"));
  return {};
}

Result<std::vector<std::string>> words(const YamlValue& list, std::size_t count_max) {
  std::vector<std::string> out;
  for (const YamlValue& word : TRY(list.items(count_max)))
    out.push_back(TRY(word.any_text(kWordBytesMax)));
  if (out.empty() || out.front().empty())
    return fail(list.error("is empty (write it, or remove it)"));
  return out;
}

// Text is the shell's, as a person would type it. What a filter adds are "$1" and on, never text of
// it: the word before them is the script's name.
Result<std::vector<std::string>> command(const YamlValue& value) {
  if (value.is_sequence()) return words(value, kConfigWordsMax);
  std::string script = TRY(value.any_text());
  if (script.find_first_not_of(" \t\n") == std::string::npos)
    return fail(value.error("is empty (write it, or remove it)"));
  return std::vector<std::string>{"/bin/sh", "-c", std::move(script), "sh"};
}

Result<std::vector<std::string>> globs(const YamlValue& value) {
  std::vector<std::string> out;
  if (value.is_sequence())
    out = TRY(words(value, kConfigGlobsMax));
  else
    out.push_back(TRY(value.text(kWordBytesMax)));
  for (const std::string& glob : out) {
    const bool leaves = glob.starts_with('/') || glob == ".." || glob.starts_with("../") ||
                        glob.ends_with("/..") || glob.find("/../") != std::string::npos;
    if (leaves || glob.empty() || glob.find('\0') != std::string::npos)
      return fail(value.error("'" + to_printable(glob) +
                              "' is no path below the repository (write it relative, without "
                              "'..'; {report} in the command is a file outside of it)"));
  }
  return out;
}

Result<tools::TestSettings> test_settings(const YamlValue& section) {
  tools::TestSettings settings;
  for (const YamlField& field : TRY(section.fields(keys_of("test")))) {
    const YamlValue& value = field.value;
    if (field.key == "command") {
      settings.command = TRY(command(value));
    } else if (field.key == "filter") {
      settings.filter = TRY(words(value, kConfigWordsMax));
    } else if (field.key == "report") {
      settings.reports = TRY(globs(value));
    } else if (field.key == "format") {
      const std::size_t index = TRY(value.choice(tools::kReportFormatNames));
      settings.format = static_cast<tools::ReportFormat>(index + 1);
    } else if (field.key == "reruns") {
      settings.reruns = static_cast<std::int64_t>(TRY(value.integer(0, tools::kRerunsMax)));
    } else {
      settings.time = std::chrono::seconds(TRY(value.integer(1, kConfigTimeoutSecondsMax)));
    }
  }
  const auto filter = section.find("filter");
  if (filter && settings.command.empty())
    return fail(filter->error("says how 'command' takes a filter: write that too"));
  return settings;
}

}  // namespace

std::span<const ConfigKeys> config_keys() {
  static const std::vector<ConfigKeys> table = {
      {"", {"apiVersion", "kind", "test"}},
      {"test", {"command", "filter", "report", "format", "reruns", "timeout_s"}},
  };
  return table;
}

Result<Config> parse_config(std::string_view text, std::string_view file) {
  const policies::YamlNode node = TRY(policies::parse_yaml(text, file));
  const YamlValue root(file, node, "");
  Config config;
  (void)TRY(root.fields(keys_of("")));
  TRY(check_header(root));
  if (const auto test = root.find("test")) config.test = TRY(test_settings(*test));
  return config;
}

Result<Config> load_project_config(const std::string& workspace) {
  const std::string file(tools::kTestSettingsFile);
  const UniqueFd root(::open(workspace.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail(system_error("open " + workspace, errno));
  const auto folder = sandbox::stamp_of(root.get(), ".fathom");
  if (!folder && folder.error().code == ErrorCode::not_found) return Config{};
  if (!folder) return fail(context("read " + file, folder.error()));
  constexpr std::string_view kOwn = " (a repository's config is a file of its own, without links)";
  if (folder->type != sandbox::FileType::directory)
    return fail(ErrorCode::bad_data, "read " + file + ": .fathom is no folder" + std::string(kOwn));
  const UniqueFd opened = TRY(sandbox::open_directory(root.get(), ".fathom"));
  const auto stamp = sandbox::stamp_of(opened.get(), "config.yaml");
  if (!stamp && stamp.error().code == ErrorCode::not_found) return Config{};
  if (stamp && stamp->type != sandbox::FileType::regular)
    return fail(ErrorCode::bad_data, "read " + file + ": no regular file" + std::string(kOwn));
  const auto text = sandbox::read_regular(opened.get(), "config.yaml", policies::kYamlBytesMax);
  if (!text) return fail(context("read " + file, text.error()));
  return parse_config(*text, file);
}

Result<tools::TestSettings> load_test_settings(const std::string& workspace) {
  return TRY(load_project_config(workspace)).test;
}

}  // namespace fathom::agents
