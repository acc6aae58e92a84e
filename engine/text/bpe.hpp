// The second half of the tokenizer: byte-pair merging inside one piece.
//
// A piece starts as one token a byte; of all neighbours that have a merge, the pair with the lowest
// rank (the earliest in the file; of equal ones the leftmost) becomes one token, until none is
// left. Three ways to the same answer:
//
//   the whole piece is a token that merging its bytes gives  one look-up: most pieces of ordinary
//   text up to kShortPieceMax bytes                               scan for the lowest rank after
//   each merge longer                                                   a heap of candidates: a
//   megabyte of one
//                                                            letter costs n log n, not n squared
//
// Which tokens the first way may answer is found out at load by merging each. That is why there is
// no cache of recent pieces: it would hold mostly what this table holds, and be the only state that
// threads could not share.
#pragma once

#include "engine/text/token.hpp"

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace fathom::engine {

/// `left` and `right` become `result`. The place in the list is the rank.
struct Merge {
  TokenId left = 0;
  TokenId right = 0;
  TokenId result = 0;
};

/// Immutable once built; any number of threads may encode.
class Bpe {
 public:
  /// `bytes` are the tokens of the 256 bytes. `merges` name each pair once (the loader has
  /// checked).
  Bpe(const std::array<TokenId, 256>& bytes, const std::vector<Merge>& merges);

  /// Makes `text` a token for the whole-piece look-up if merging gives `id`. `text` must outlive
  /// this. Not for added tokens, which no text may become.
  void add_whole(std::string_view text, TokenId id);

  /// Appends the tokens of one piece. Pieces are shorter than 4 GiB.
  void encode(std::string_view piece, std::vector<TokenId>& out) const;

 private:
  static constexpr std::uint32_t kNoRank = 0xFFFFFFFF;
  static constexpr std::size_t kShortPieceMax = 64;
  static constexpr std::size_t kWholeBytesMax = 64;  ///< longer tokens are merged, not looked up

  struct Pair {
    TokenId left = -1;
    TokenId right = -1;
    std::uint32_t rank = kNoRank;
    TokenId result = -1;
  };
  struct Whole {
    std::string_view text;
    TokenId id = -1;
  };

  [[nodiscard]] const Pair& find(TokenId left, TokenId right) const;
  [[nodiscard]] TokenId find_whole(std::string_view piece) const;
  void merge(std::string_view piece, std::vector<TokenId>& out) const;
  void merge_short(std::string_view piece, std::vector<TokenId>& out) const;
  void merge_long(std::string_view piece, std::vector<TokenId>& out) const;
  void grow_wholes();

  std::array<TokenId, 256> bytes_;
  std::vector<Pair> pairs_;    ///< open addressing, a power of two, at most half full
  std::vector<Whole> wholes_;  ///< likewise
  std::size_t wholes_used_ = 0;
};

}  // namespace fathom::engine
