#include "tests/sandbox/probes/expectation.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace fathom::test {
namespace {

std::string_view take_until(std::string_view& text, std::string_view separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos)
    throw std::runtime_error("expectation without '" + std::string(separator) + "'");
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at + separator.size());
  return head;
}

policies::Guarantee guarantee_named(std::string_view name) {
  const auto at = std::ranges::find(policies::kGuaranteeNames, name);
  if (at == policies::kGuaranteeNames.end())
    throw std::runtime_error("no guarantee is called " + std::string(name));
  return static_cast<policies::Guarantee>(at - policies::kGuaranteeNames.begin());
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

bool Expectation::holds(std::string_view answer) const {
  return answers.empty() || std::ranges::find(answers, answer) != answers.end();
}

Expectation read_expectation(std::string_view text, bool root) {
  Expectation expectation;
  if (take_prefix(text, "root=")) {
    const std::string_view of_root = take_until(text, " user=");
    if (root) text = of_root;
  }
  if (take_prefix(text, "?")) {
    expectation.pending = text;
    return expectation;
  }
  if (take_prefix(text, "~")) expectation.weaker = guarantee_named(take_until(text, " "));
  if (take_prefix(text, "gap: ")) expectation.gap = take_until(text, " => ");
  if (text == "*") return expectation;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('|'), text.size());
    expectation.answers.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return expectation;
}

}  // namespace fathom::test
