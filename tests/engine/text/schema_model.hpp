// An independent reading of JSON Schema for the tests of grammars: is a value valid, and make me a
// random valid one. Only what grammars support.
#pragma once

#include "tests/engine/text/grammar_fixture.hpp"

#include <nlohmann/json_fwd.hpp>

namespace fathom::engine::test {

using Json = nlohmann::ordered_json;

/// Empty when valid, else what is wrong. Objects that declare properties are closed unless they say
/// otherwise, as in grammar.hpp.
std::string why_invalid(const Json& value, const Json& schema, const Json& document);

/// Random, members in random order where there are at most 64.
Json random_value(const Json& schema, const Json& document, Dice& dice, int depth = 0);

/// Printed with random whitespace within the policy of grammar.hpp.
std::string print(const Json& value, Dice& dice);

}  // namespace fathom::engine::test
