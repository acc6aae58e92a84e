#include "tools/search/file_tree.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <map>

namespace fathom::tools {
namespace {

constexpr std::size_t kPathBytesMax = 4096;

std::vector<std::string_view> split_at_nul(std::string_view printed) {
  std::vector<std::string_view> paths;
  while (!printed.empty()) {
    const std::size_t end = std::min(printed.find('\0'), printed.size());
    if (end > 0 && end <= kPathBytesMax) paths.push_back(printed.substr(0, end));
    printed.remove_prefix(std::min(end + 1, printed.size()));
  }
  return paths;
}

// The first `depth` folders of a path, or all of it when there are fewer.
std::string_view cut_to_depth(std::string_view path, std::size_t depth) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < depth; ++i) {
    end = path.find('/', end);
    if (end == std::string_view::npos) return path;
    ++end;
  }
  return path.substr(0, end);
}

}  // namespace

FileTree file_tree(std::string_view printed, std::string_view base, std::size_t depth,
                   std::size_t entries) {
  FileTree tree;
  std::map<std::string, std::size_t, std::less<>> lines;  // entry, files below it
  for (std::string_view path : split_at_nul(printed)) {
    while (path.starts_with("./")) path.remove_prefix(2);
    if (!path.starts_with(base)) continue;
    path.remove_prefix(base.size());
    if (path.empty()) continue;
    ++tree.files;
    const std::string_view entry = cut_to_depth(path, depth);
    ++lines.try_emplace(std::string(entry), 0).first->second;
  }
  std::size_t shown = 0;
  for (const auto& [entry, files] : lines) {
    if (++shown > entries) {
      tree.cut = true;
      break;
    }
    tree.text += to_printable(entry);
    if (entry.ends_with('/'))
      tree.text += " (" + std::to_string(files) + (files == 1 ? " file)" : " files)");
    tree.text += '\n';
  }
  return tree;
}

}  // namespace fathom::tools
