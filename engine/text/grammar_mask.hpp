// Which tokens may come next: the machine run over the token trie, with what it found remembered.
//
// The mask of several stacks is the union of theirs, so each stack is looked up alone. One that was
// seen before costs a copy. Otherwise, where its top is a wide terminal, the vocabulary already
// knows the tokens that stay inside, and only the remainders behind its end are walked; everywhere
// else the walk dies after a few hundred trie nodes, because structure allows little. Strings near
// a length limit are the exception: there the whole trie is walked.
#pragma once

#include "engine/text/grammar_machine.hpp"
#include "engine/text/grammar_vocabulary.hpp"

#include <unordered_map>

namespace fathom::engine {

constexpr std::size_t kRememberedStacksMax = 1'024;  // then all are forgotten and learnt again
constexpr std::size_t kListedTokensMax = 2'048;      // a longer list is kept as a mask
constexpr std::size_t kForcedBytesMax = 4'096;

/// Not for use by two threads at once (Grammar holds the lock).
class TokenMasks {
 public:
  TokenMasks(const Program& program, const GrammarVocabulary& vocabulary)
      : machine_(program), vocabulary_(vocabulary) {}

  [[nodiscard]] static Stacks start(const Program& program);

  /// Moves `stacks` behind the token's bytes; false, and nothing changed, where they are not
  /// allowed.
  bool accept(Stacks& stacks, std::string_view bytes);
  void fill(const Stacks& stacks, std::span<std::uint64_t> mask);
  [[nodiscard]] bool may_end(const Stacks& stacks);
  [[nodiscard]] std::string forced(const Stacks& stacks);

  /// Trie nodes visited since the start, for benchmarks.
  [[nodiscard]] std::uint64_t visited() const { return visited_; }

 private:
  struct Remembered {
    std::vector<Frame> stack;
    const GrammarVocabulary::Wide* wide = nullptr;  ///< its mask is part of this one
    std::vector<TokenId> tokens;                    ///< beside it
    std::vector<std::uint64_t> mask;                ///< instead of a long list
  };
  struct Level {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t links = 0;
  };

  void load_all(const Stacks& stacks, std::vector<Configuration>& out);
  const Remembered& look_up(std::span<const Frame> stack);
  void learn(Remembered& entry);
  void walk(const TokenTrie& trie, const Configuration& from, std::vector<TokenId>& tokens);
  [[nodiscard]] const GrammarVocabulary::Wide* wide_at(const Configuration& at) const;
  [[nodiscard]] int only_byte(std::span<const Configuration> at);

  Machine machine_;
  const GrammarVocabulary& vocabulary_;
  std::unordered_map<std::uint64_t, Remembered> remembered_;
  std::vector<Configuration> walked_;
  std::vector<Level> levels_;
  std::vector<Configuration> here_;
  std::vector<Configuration> there_;
  std::uint64_t visited_ = 0;
};

}  // namespace fathom::engine
