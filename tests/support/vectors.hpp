// Where vectors of the official encoder and mathematics are found.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace fathom::test {

/// $FATHOM_VECTORS, by default ../shared/vectors from the root of the tree. It need not exist.
std::filesystem::path vectors_dir();

/// The files of `folder` whose names end with `ending`, sorted; none when there is no such folder.
std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                            std::string_view ending);

}  // namespace fathom::test
