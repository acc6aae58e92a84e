// Feeds the same sampled bytes to the parser of tool calls in differently cut pieces.
#pragma once

#include "engine/text/dsml_parser.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

/// What a client has at the end of a stream: joined deltas, and the result.
struct DsmlOutcome {
  std::string reasoning;
  std::string content;
  struct Call {
    std::string name;
    std::string arguments;  ///< joined pieces
    bool finished = false;

    friend bool operator==(const Call&, const Call&) = default;
  };
  std::vector<Call> calls;
  Message message;
  engine::FinishReason finish = engine::FinishReason::stop;

  friend bool operator==(const DsmlOutcome&, const DsmlOutcome&) = default;
};

struct DsmlCase {
  engine::DeclaredTools tools;
  engine::DsmlOptions options;
  engine::EndedBy ended_by = engine::EndedBy::eos;
};

/// `ends`: where each piece ends, ascending; the last is the text's size. Throws when deltas are
/// out of order, not UTF-8, or differ from the result.
DsmlOutcome parse_in_pieces(const DsmlCase& how, std::string_view bytes,
                            const std::vector<std::size_t>& ends);

/// All in one piece.
DsmlOutcome parse_whole(const DsmlCase& how, std::string_view bytes);

}  // namespace fathom::test
