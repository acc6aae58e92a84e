#define PCRE2_CODE_UNIT_WIDTH 8
#include "tests/support/pcre2_pattern.hpp"

#include <pcre2.h>

#include <stdexcept>
#include <string>

namespace fathom::test {
namespace {

PCRE2_SPTR8 units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR8>(text.data()); }

}  // namespace

void Pcre2Pattern::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free_8(code); }

Pcre2Pattern::Pcre2Pattern(std::string_view expression) {
  int error = 0;
  PCRE2_SIZE where = 0;
  code_.reset(pcre2_compile_8(units(expression), expression.size(), PCRE2_UTF | PCRE2_UCP, &error,
                              &where, nullptr));
  if (!code_) throw std::runtime_error("PCRE2 refuses " + std::string(expression));
  pcre2_jit_compile_8(code_.get(), PCRE2_JIT_COMPLETE);
}

Pcre2Pattern::~Pcre2Pattern() = default;

std::vector<std::pair<std::size_t, std::size_t>> Pcre2Pattern::matches(
    std::string_view subject) const {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  const std::unique_ptr<pcre2_match_data_8, void (*)(pcre2_match_data_8*)> data(
      pcre2_match_data_create_from_pattern_8(code_.get(), nullptr), pcre2_match_data_free_8);
  for (std::size_t from = 0; from < subject.size();) {
    const std::uint32_t options = from == 0 ? 0 : PCRE2_NO_UTF_CHECK;
    const int count = pcre2_match_8(code_.get(), units(subject), subject.size(), from, options,
                                    data.get(), nullptr);
    if (count == PCRE2_ERROR_NOMATCH) break;
    if (count < 0) throw std::runtime_error("PCRE2 failed: " + std::to_string(count));
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer_8(data.get());
    found.emplace_back(ends[0], ends[1] - ends[0]);
    from = ends[1];
  }
  return found;
}

std::vector<std::string_view> Pcre2Pattern::isolate(std::string_view subject) const {
  std::vector<std::string_view> pieces;
  std::size_t done = 0;
  for (const auto& [at, size] : matches(subject)) {
    if (at > done) pieces.push_back(subject.substr(done, at - done));
    pieces.push_back(subject.substr(at, size));
    done = at + size;
  }
  if (done < subject.size()) pieces.push_back(subject.substr(done));
  return pieces;
}

}  // namespace fathom::test
