#include "tests/tidy/tree.hpp"

#include "tests/support/temp_dir.hpp"
#include "tests/tidy/includes.hpp"
#include "tests/tidy/path.hpp"
#include "tests/tidy/shape.hpp"
#include "tests/tidy/sources.hpp"
#include "tests/tidy/words.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace fathom::tidy {
namespace {

constexpr std::array<std::string_view, 8> kFolders = {"runtime", "policies", "engine", "sandbox",
                                                      "tools",   "agents",   "tests",  "examples"};
constexpr std::array<std::string_view, 4> kDataFolders = {
    "tests/golden", "tests/fuzz/corpus", "tests/e2e/repositories", "examples/demo/repository"};

constexpr std::array<std::string_view, 10> kEndings = {".hpp", ".cpp", ".cu", ".cuh", ".h",
                                                       ".hh",  ".hxx", ".cc", ".cxx", ".c++"};

bool is_cpp(std::string_view path) {
  return std::ranges::any_of(kEndings,
                             [&](std::string_view ending) { return path.ends_with(ending); });
}

bool is_ours(std::string_view path) {
  const bool data = std::ranges::any_of(
      kDataFolders, [&](std::string_view folder) { return is_below(path, folder); });
  return !data && (is_cpp(path) || file_name(path) == "CMakeLists.txt");
}

void add(Findings& all, Findings more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

std::vector<SourceFile> read_tree(const std::filesystem::path& root) {
  std::vector<SourceFile> tree;
  const auto take = [&](const std::filesystem::path& path) {
    std::string name = path.lexically_relative(root).generic_string();
    if (is_ours(name)) tree.push_back({std::move(name), test::slurp(path)});
  };
  if (exists(root / "CMakeLists.txt")) take(root / "CMakeLists.txt");
  for (std::string_view folder : kFolders) {
    if (!is_directory(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder))
      if (entry.is_regular_file()) take(entry.path());
  }
  std::ranges::sort(tree, {}, &SourceFile::path);
  return tree;
}

Findings check_tree(const std::vector<SourceFile>& tree) {
  std::set<std::string_view> paths;
  for (const SourceFile& file : tree) paths.insert(file.path);
  Findings findings = check_sources(tree);
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path)) continue;
    const std::string own = own_header_of(file.path);
    add(findings, check_layers(file));
    add(findings, check_third_parties(file));
    add(findings, check_include_order(file, paths.contains(own) ? own : ""));
    add(findings, check_columns(file));
    add(findings, check_file_length(file));
    add(findings, check_functions(file));
    add(findings, check_header(file));
    add(findings, check_todos(file));
    add(findings, check_banned_words(file));
    add(findings, check_process_starts(file));
    add(findings, check_names(file));
  }
  std::ranges::sort(findings);
  return findings;
}

}  // namespace fathom::tidy
