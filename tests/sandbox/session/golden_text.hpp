// Texts kept below tests/golden/sandbox; UPDATE_GOLDEN=1 writes them anew. A change in them is a
// change of what commands may do, and is read as one.
#pragma once

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

namespace fathom::test {

inline void check_golden(const std::string& name, const std::string& actual) {
  const std::string path = "tests/golden/sandbox/" + name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << actual;
  INFO(path);
  CHECK(actual == slurp(path));
}

}  // namespace fathom::test
