#include "sandbox/name_matcher.hpp"

#include <algorithm>

namespace fathom::sandbox {
namespace {

using policies::ProtectedName;
using policies::Protection;

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// '*' is any run of bytes; linear in practice, quadratic at worst, as it returns to the last '*'
// only.
bool glob_matches(std::string_view glob, std::string_view name) {
  std::size_t g = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_took = 0;
  while (n < name.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      star_took = n;
    } else if (g < glob.size() && glob[g] == name[n]) {
      ++g;
      ++n;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      n = ++star_took;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', g) == std::string_view::npos;
}

Result<std::vector<std::string>> parts_of(std::string_view pattern) {
  std::vector<std::string> parts;
  std::string_view rest = pattern;
  if (rest.ends_with('/')) rest.remove_suffix(1);
  for (;;) {
    const std::size_t slash = rest.rfind('/');
    const std::string_view part = rest.substr(slash + 1);  // npos + 1 is 0
    if (part.empty() || part == "." || part == "..")
      return fail(ErrorCode::bad_data, "protected name '" + std::string(pattern) +
                                           "': every part needs a name, as in '.github/hooks/'");
    parts.push_back(lowered(part));
    if (slash == std::string_view::npos) break;
    rest = rest.substr(0, slash);
  }
  if (parts.size() > NameMatcher::kPatternDepthMax)
    return fail(ErrorCode::too_large, "protected name '" + std::string(pattern) + "': more than " +
                                          std::to_string(NameMatcher::kPatternDepthMax) + " parts");
  return parts;
}

}  // namespace

Result<NameMatcher> NameMatcher::create(std::span<const ProtectedName> names) {
  if (names.size() > kNamesMax)
    return fail(ErrorCode::too_large,
                "more than " + std::to_string(kNamesMax) + " protected names: join some by '*'");
  NameMatcher matcher;
  for (const ProtectedName& name : names) {
    Pattern pattern{name, TRY(parts_of(name.pattern))};
    const std::string& last = pattern.parts.front();
    const std::size_t index = matcher.patterns_.size();
    if (last.find('*') == std::string::npos)
      matcher.literal_[last].push_back(index);
    else
      matcher.wild_.push_back(index);
    matcher.patterns_.push_back(std::move(pattern));
  }
  return matcher;
}

const ProtectedName* NameMatcher::match(std::span<const std::string_view> folders,
                                        std::string_view name) const {
  const std::string low = lowered(name);
  const Pattern* found = nullptr;
  if (const auto literal = literal_.find(low); literal != literal_.end())
    for (const std::size_t index : literal->second) found = better(found, index, folders, low);
  for (const std::size_t index : wild_) found = better(found, index, folders, low);
  return found == nullptr ? nullptr : &found->name;
}

const NameMatcher::Pattern* NameMatcher::better(const Pattern* found, std::size_t index,
                                                std::span<const std::string_view> folders,
                                                std::string_view lowered_name) const {
  const Pattern& pattern = patterns_[index];
  if (found != nullptr && found->name.protection == Protection::deny) return found;
  if (found != nullptr && pattern.name.protection == Protection::report) return found;
  if (pattern.parts.size() > folders.size() + 1) return found;
  if (!glob_matches(pattern.parts.front(), lowered_name)) return found;
  for (std::size_t i = 1; i < pattern.parts.size(); ++i)
    if (!glob_matches(pattern.parts[i], lowered(folders[i - 1]))) return found;
  return &pattern;
}

}  // namespace fathom::sandbox
