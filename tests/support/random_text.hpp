// Text that is likely to find mistakes: short runs from all classes of characters side by side.
#pragma once

#include <random>
#include <string>

namespace fathom::test {

/// Well-formed UTF-8 of about `characters` code points.
std::string random_unicode(std::mt19937& random, std::size_t characters);

/// The same, with some bytes changed or lost: mostly not UTF-8.
std::string random_damaged(std::mt19937& random, std::size_t characters);

}  // namespace fathom::test
