// Random but valid events, for property tests and benchmarks.
#pragma once

#include "runtime/trace/event.hpp"

#include <random>

namespace fathom::test {

/// Any event the encoder must accept: every field varies over its whole range.
trace::Event random_event(std::mt19937_64& random);

/// A random JSON object on one line, nested at most `depth` deep.
std::string random_json_object(std::mt19937_64& random, int depth);

}  // namespace fathom::test
