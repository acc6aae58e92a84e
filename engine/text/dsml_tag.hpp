// One tag of DSML, V4's notation for tool calls, as models really write it: with ASCII or doubled
// bars, blanks, the wrapper's older names, typographic quotes.
#pragma once

#include "engine/text/declared_tools.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fathom::engine {

struct DsmlTag {
  enum class Kind : std::uint8_t {
    none,        ///< no tag stands here, whatever follows
    cut,         ///< the text ends before that is known
    open_calls,  ///< `<｜DSML｜tool_calls>`; any name that begins with tool or function
    close_calls,
    open_invoke,  ///< with `name`
    close_invoke,
    open_parameter,  ///< with `name` and `mark`
    close_parameter,
  };

  Kind kind = Kind::none;
  std::size_t size = 0;   ///< bytes of the whole tag
  std::string_view name;  ///< of an invoke or parameter, as written; part of the text
  StringMark mark = StringMark::absent;
};

constexpr std::size_t kTagBytesMax = 1024;  // a longer one is not a tag

/// The tag at the start of `text`, which begins with `<`. `cut` answers stay open only up to
/// kTagBytesMax: all others hold for every continuation of `text`.
[[nodiscard]] DsmlTag read_tag(std::string_view text);

/// Whether `text` begins like a parameter's opening or an invoke's closing tag; what stands behind
/// the word does not matter. `cut` and `none` as above.
[[nodiscard]] DsmlTag::Kind read_tag_word(std::string_view text);

}  // namespace fathom::engine
