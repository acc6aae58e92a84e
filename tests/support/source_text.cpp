#include "tests/support/source_text.hpp"

#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <set>

namespace fathom::test {

std::string source_text(std::size_t bytes_max) {
  std::set<std::filesystem::path> paths;
  for (const char* folder : {"runtime", "engine", "tests", "agents"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      if (entry.path().extension() == ".cpp" || entry.path().extension() == ".hpp")
        paths.insert(entry.path());
  std::string text = slurp("README.md") + slurp("ARCHITECTURE.md") + slurp("CONTRIBUTING.md");
  for (const std::filesystem::path& path : paths) {
    if (text.size() >= bytes_max) break;
    text += slurp(path);
  }
  return text.substr(0, bytes_max);
}

}  // namespace fathom::test
