// A regular expression run by PCRE2: the independent answer to what our scanners find.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

struct pcre2_real_code_8;

namespace fathom::test {

class Pcre2Pattern {
 public:
  /// Unicode classes, UTF-8 subjects. Throws when the expression is wrong.
  explicit Pcre2Pattern(std::string_view expression);
  ~Pcre2Pattern();
  Pcre2Pattern(Pcre2Pattern&&) noexcept = default;

  /// First byte and size of each match, from left to right.
  [[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> matches(
      std::string_view subject) const;

  /// The matches and what lies between them, each a piece: Hugging Face's Split, "Isolated".
  [[nodiscard]] std::vector<std::string_view> isolate(std::string_view subject) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace fathom::test
