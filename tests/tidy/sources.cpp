#include "tests/tidy/sources.hpp"

#include "tests/tidy/path.hpp"

#include <algorithm>
#include <string_view>

namespace fathom::tidy {
namespace {

struct Listing {
  std::string path;  ///< from the root; `*` where a variable stood
  std::string in;    ///< the CMakeLists.txt
  int line = 0;
};

bool is_blank(char c) { return std::string_view(" \t\r\n()\";").contains(c); }

// The words of a CMakeLists.txt with their lines, comments left out, and without the arguments of
// commands that only say something about a source that is listed elsewhere.
std::vector<std::pair<std::string_view, int>> words_of(std::string_view text) {
  std::vector<std::pair<std::string_view, int>> words;
  bool skipping = false;
  int line = 1;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (is_blank(text[i])) {
      if (text[i] == '\n') ++line;
      if (text[i] == ')') skipping = false;
      ++i;
    } else {
      const std::size_t from = i;
      while (i < text.size() && !is_blank(text[i]) && text[i] != '#') ++i;
      const std::string_view word = text.substr(from, i - from);
      skipping = skipping || word == "set_source_files_properties" || word == "set_property";
      if (!skipping) words.emplace_back(word, line);
    }
  }
  return words;
}

// `${CMAKE_SOURCE_DIR}/a.cpp` and `a.cpp` both say where they mean; what is generated is not ours
// to check.
std::string resolve(std::string_view word, std::string_view folder) {
  std::string below(folder);
  for (std::string_view here : {"${CMAKE_CURRENT_SOURCE_DIR}/", "${CMAKE_CURRENT_LIST_DIR}/"})
    if (word.starts_with(here)) word.remove_prefix(here.size());
  for (std::string_view root : {"${CMAKE_SOURCE_DIR}/", "${PROJECT_SOURCE_DIR}/"}) {
    if (!word.starts_with(root)) continue;
    word.remove_prefix(root.size());
    below.clear();
  }
  if (word.starts_with("${CMAKE_CURRENT_BINARY_DIR}") || word.starts_with("${CMAKE_BINARY_DIR}"))
    return "";
  while (word.starts_with("../")) {
    word.remove_prefix(3);
    below = folder_of(below);
  }
  std::string path = below.empty() ? "" : below + "/";
  while (!word.empty()) {
    if (word.starts_with("${")) {
      path += '*';
      word.remove_prefix(std::min(word.find('}'), word.size() - 1) + 1);
    } else {
      path += word.front();
      word.remove_prefix(1);
    }
  }
  return path;
}

std::vector<Listing> listings_of(const std::vector<SourceFile>& tree) {
  std::vector<Listing> listings;
  for (const SourceFile& file : tree) {
    if (file_name(file.path) != "CMakeLists.txt") continue;
    for (const auto& [word, line] : words_of(file.text)) {
      // A glob hides a new file from the build until somebody configures again: it lists nothing.
      if (!is_source(word) || word.contains('*')) continue;
      std::string path = resolve(word, folder_of(file.path));
      if (!path.empty()) listings.push_back({std::move(path), file.path, line});
    }
  }
  return listings;
}

bool is_pattern(const Listing& listing) { return listing.path.contains('*'); }

Finding unlisted(const SourceFile& file) {
  const std::string folder(first_folder(file.path));
  return {file.path, 1, "no CMakeLists.txt lists it: add it to " + folder + "/CMakeLists.txt"};
}

}  // namespace

Findings check_sources(const std::vector<SourceFile>& tree) {
  Findings findings;
  const std::vector<Listing> listings = listings_of(tree);
  for (const Listing& listing : listings) {
    const bool exists = std::ranges::any_of(
        tree, [&](const SourceFile& file) { return file.path == listing.path; });
    if (!exists && !is_pattern(listing))
      findings.push_back({listing.in, listing.line,
                          listing.path + " does not exist: add the file or drop the line"});
  }
  for (const SourceFile& file : tree) {
    if (!is_source(file.path)) continue;
    std::vector<const Listing*> named;
    bool matched = false;
    for (const Listing& listing : listings) {
      if (listing.path == file.path) named.push_back(&listing);
      matched = matched || (is_pattern(listing) && glob_matches(listing.path, file.path));
    }
    if (named.empty() && !matched) findings.push_back(unlisted(file));
    for (std::size_t i = 1; i < named.size(); ++i) {
      // A helper of tests may be part of several executables, in folders beside each other.
      if (is_below(file.path, "tests") && named[i]->in != named[0]->in) continue;
      findings.push_back({named[i]->in, named[i]->line,
                          file.path + " is already listed in " + named[0]->in + ":" +
                              std::to_string(named[0]->line) + ": drop one of them"});
    }
  }
  return findings;
}

}  // namespace fathom::tidy
