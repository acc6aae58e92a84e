#include "tests/tidy/path.hpp"

namespace fathom::tidy {

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string_view first_folder(std::string_view path) {
  const std::size_t slash = path.find('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool is_header(std::string_view path) { return path.ends_with(".hpp") || path.ends_with(".cuh"); }

bool is_source(std::string_view path) { return path.ends_with(".cpp") || path.ends_with(".cu"); }

bool glob_matches(std::string_view glob, std::string_view path) {
  if (glob.empty()) return path.empty();
  if (glob.front() != '*')
    return !path.empty() && glob.front() == path.front() &&
           glob_matches(glob.substr(1), path.substr(1));
  const bool any_depth = glob.starts_with("**");
  const std::string_view behind = glob.substr(any_depth ? 2 : 1);
  for (std::size_t taken = 0;; ++taken) {
    if (glob_matches(behind, path.substr(taken))) return true;
    if (taken == path.size() || (!any_depth && path[taken] == '/')) return false;
  }
}

}  // namespace fathom::tidy
