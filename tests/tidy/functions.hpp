// Finds the bodies of functions by their braces, without a compile command.
//
// What stands before a brace (its head) tells a namespace, a class, an initializer and a function
// apart well enough: on this tree the answers agree with clang's. Where they might not (a macro
// that opens a brace), the finder errs on the side of seeing no function.
#pragma once

#include "tests/tidy/lexer.hpp"

#include <string>
#include <vector>

namespace fathom::tidy {

struct Function {
  std::string name;    ///< as written before its parameters; `TEST_CASE` for a test
  int first_line = 0;  ///< of the opening brace
  int last_line = 0;   ///< of the closing brace

  [[nodiscard]] int lines() const { return last_line - first_line + 1; }
  friend bool operator==(const Function&, const Function&) = default;
};

/// The outermost functions in the order in which they end. Lambdas and local classes count as lines
/// of the function around them. Of `#if … #else`, the first branch is read.
[[nodiscard]] std::vector<Function> functions_of(const std::vector<Token>& tokens);

}  // namespace fathom::tidy
