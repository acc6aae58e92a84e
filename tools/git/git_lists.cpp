#include "tools/git/git_lists.hpp"

#include <git2.h>

#include <algorithm>
#include <array>

namespace fathom::tools {

std::string hex_of(const git_oid& id) {
  std::array<char, GIT_OID_HEXSZ + 1> text;
  git_oid_tostr(text.data(), text.size(), &id);
  return text.data();
}

PathList::PathList(const std::vector<std::string>& paths)
    : strings_(std::make_unique<git_strarray>()) {
  const bool all = std::ranges::find(paths, "") != paths.end();
  if (!all) copies_ = paths;
  for (std::string& path : copies_) pointers_.push_back(path.data());
  strings_->strings = pointers_.data();
  strings_->count = pointers_.size();
}

PathList::~PathList() = default;

bool is_among(const std::vector<std::string>& paths, std::string_view path) {
  return std::ranges::any_of(paths, [&](const std::string& one) {
    return one.empty() || path == one ||
           (path.starts_with(one) && path.substr(one.size()).starts_with('/'));
  });
}

}  // namespace fathom::tools
