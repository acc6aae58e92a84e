// A git config that is accepted prints as itself, so that what is kept of it says the same to git;
// it replaces itself without harm, and no accepted value holds what ends a line early.
#include "runtime/base/ensure.hpp"
#include "sandbox/git_config.hpp"

#include <cstdint>
#include <string>
#include <string_view>

using namespace fathom;
using namespace fathom::sandbox;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto settings = parse_git_config(text);
  if (!settings) {
    ENSURE(settings.error().message.size() < 200, "an error does not repeat the text");
    return 0;
  }
  std::vector<GitSetting> kept;
  for (const GitSetting& setting : *settings) {
    ENSURE(!setting.section.empty() && !setting.key.empty(), "a setting has a whole name");
    ENSURE(!setting.value || setting.value->find('\0') == std::string::npos,
           "git would end the value there");
    if (is_inert(setting)) kept.push_back(setting);
  }
  const auto again = parse_git_config(print_git_config(*settings));
  ENSURE(again && *again == *settings, "what is printed is read as the same settings");
  const auto inert = parse_git_config(print_git_config(kept));
  ENSURE(inert && *inert == kept, "what is kept is read as the same settings");
  ENSURE(is_harmless_change(*settings, *settings), "no change is harmless");
  return 0;
}
