// A second spelling of the system-call table and its rules: by x86_64's numbers where the table is
// by name, as code where the rules are data, written from what the policy says and not from them.
#pragma once

#include "tests/sandbox/filter_fixture.hpp"

namespace fathom::test {

/// What Filter::answer should say.
std::string_view modelled_answer(const sandbox::FilterOptions& options, int number,
                                 const Arguments& arguments);

}  // namespace fathom::test
