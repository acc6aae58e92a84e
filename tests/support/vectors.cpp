#include "tests/support/vectors.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace fathom::test {

std::filesystem::path vectors_dir() {
  // Nothing in a test changes the environment while this runs.
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  const char* dir = std::getenv("FATHOM_VECTORS");
  return dir && *dir != '\0' ? dir : "../shared/vectors";
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                            std::string_view ending) {
  std::vector<std::filesystem::path> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none))
    if (entry.path().string().ends_with(ending)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

}  // namespace fathom::test
