// What the machine of the test has.
#pragma once

#include <filesystem>

namespace fathom::test {

/// Whether git is here; says what is not tested when it is not.
bool has_git();

/// Where folders are made in microseconds, if there is such a place: on a disk, 10,000 nested ones
/// take half a minute.
std::filesystem::path fast_folder();

}  // namespace fathom::test
