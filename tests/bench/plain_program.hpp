// A program started without any sandbox: the peer of what is started in one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fathom::tools {

/// From its start to its end, with its output read as ours is, in microseconds; 0 when it is not
/// there. Found by PATH; its input is empty.
double plain_us(const std::filesystem::path& folder, std::vector<std::string> words);

}  // namespace fathom::tools
