// Which tokens may come next: the machine run over the token trie, with what it found remembered.
//
// The mask of several stacks is the union of theirs, so each stack is looked up alone. One that was
// seen before costs a copy. Otherwise, where its top is a wide terminal, the vocabulary already
// knows the tokens that stay inside, and only the remainders behind its end are walked. A key that
// is not declared is such a terminal too, but for the few tokens that complete a declared one. Near
// a bound of a string's length the tokens are sorted out by their lengths. Everywhere else the walk
// dies after a few hundred trie nodes, because structure allows little.
#pragma once

#include "engine/text/grammar_machine.hpp"
#include "engine/text/grammar_vocabulary.hpp"

#include <unordered_map>

namespace fathom::engine {

constexpr std::size_t kRememberedStacksMax = 512;  // then all are forgotten and learnt again
constexpr std::size_t kListedTokensMax = 2'048;    // a longer list is kept as a mask

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
  [[nodiscard]] std::string forced(const Stacks& stacks, std::size_t bytes_max);

 private:
  struct Remembered {
    std::vector<Frame> stack;
    const GrammarVocabulary::Wide* wide = nullptr;  ///< its mask is part of this one
    std::vector<TokenId> tokens;                    ///< beside it
    std::vector<std::uint64_t> mask;                ///< instead of a long list, or of wide
  };
  struct Deferred {  ///< a walk of remainders, once the present walk is over
    const TokenTrie* rest = nullptr;
    Stacks from;
  };
  struct Level {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t links = 0;
  };

  void load_all(const Stacks& stacks, std::vector<Configuration>& out);
  const Remembered& look_up(std::span<const Frame> stack);
  void learn(Remembered& entry);
  bool learn_terminal(Remembered& entry, const Configuration& at);
  bool learn_free_key(Remembered& entry, const Configuration& at);
  void keep_lengths(Remembered& entry, const Configuration& at, const Bounds& bounds);
  void redo_declared_keys(Remembered& entry, const Configuration& at, const Choice& choice);
  void walk(const TokenTrie& trie, const Configuration& from, std::vector<TokenId>& tokens);
  bool skip_opening(std::size_t node, const Configuration& at, std::vector<TokenId>& tokens);
  void walk_deferred(std::size_t links, std::vector<TokenId>& tokens);
  void walk_below(std::size_t node, const Configuration& from, std::vector<TokenId>& tokens);
  void walk_nodes(const TokenTrie& trie, std::size_t begin, std::size_t end,
                  std::vector<TokenId>& tokens);
  [[nodiscard]] int only_byte(std::span<const Configuration> at);

  Machine machine_;
  const GrammarVocabulary& vocabulary_;
  std::unordered_map<std::uint64_t, Remembered> remembered_;
  std::vector<Configuration> walked_;
  std::vector<Level> levels_;
  std::vector<Deferred> deferred_;
  std::vector<Configuration> here_;
  std::vector<Configuration> there_;
  std::vector<Configuration> reached_;
};

}  // namespace fathom::engine
