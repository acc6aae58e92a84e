// Real code and prose for tests: this tree's own files, read from the root that tests run in.
#pragma once

#include <string>

namespace fathom::test {

/// Our sources and documents in a fixed order, joined; about `bytes_max` bytes of them.
std::string source_text(std::size_t bytes_max);

}  // namespace fathom::test
