// Runs a Program over bytes, pure and by hand: one configuration is one stack, one byte turns it
// into none, one or (where alternatives begin alike) several.
#pragma once

#include "engine/text/grammar_program.hpp"

#include <span>

namespace fathom::engine {

constexpr std::size_t kConfigurationsMax = 256;  // what is more is forgotten: a stricter grammar

constexpr std::uint32_t kFreeKey = 0x8000'0000;  // in a choice's position: a state of the key table

/// One activation of a rule.
struct Frame {
  NodeId node = 0;
  std::uint32_t position = 0;  ///< inside the node; 0 where it begins
  std::uint64_t reg = 0;

  friend bool operator==(const Frame&, const Frame&) = default;
};

/// A stack: its top, and the rest as a list that other configurations share.
struct Configuration {
  static constexpr std::uint32_t kNoLink = std::numeric_limits<std::uint32_t>::max();
  Frame top;
  std::uint32_t below = kNoLink;
  std::uint32_t depth = 1;  ///< frames
};

/// What a state of a grammar is to its copies: whole stacks, one behind the other. Where two rules
/// begin alike there is more than one until the text tells them apart.
struct Stacks {
  std::vector<Frame> frames;          ///< bottom first
  std::vector<std::uint32_t> depths;  ///< frames of each

  friend bool operator==(const Stacks&, const Stacks&) = default;
};

class Machine {
 public:
  explicit Machine(const Program& program) : program_(program) {}

  [[nodiscard]] const Program& program() const { return program_; }

  /// From frames, bottom first, and back. The links live until the next truncate() below them.
  Configuration load(std::span<const Frame> frames);
  void store(const Configuration& configuration, Stacks& stacks) const;

  [[nodiscard]] std::size_t links() const { return links_.size(); }
  void truncate(std::size_t links) { links_.resize(links); }

  /// Appends what `byte` makes of `configuration`.
  void advance(Configuration configuration, unsigned char byte, std::vector<Configuration>& out);

  /// The same for each of `from`, without those that came out twice.
  void advance_all(std::span<const Configuration> from, unsigned char byte,
                   std::vector<Configuration>& out);

  /// Adds to `out` what is not in it yet, up to kConfigurationsMax.
  void join(std::span<const Configuration> from, std::vector<Configuration>& out) const;

  /// Whether the document may end here.
  [[nodiscard]] bool may_end(Configuration configuration) const;

  /// With the node at the top complete and `next` to follow.
  [[nodiscard]] Configuration behind(Configuration configuration, NodeId next) const;

  /// Where a choice that allows other keys stands in the table of TerminalId::key; kDead where no
  /// other key is possible.
  [[nodiscard]] std::uint8_t free_key_state(const Configuration& configuration,
                                            const Choice& choice) const;

  /// Of a terminal that counts its characters; else null.
  [[nodiscard]] const Bounds* bounds_of(const Node& node) const {
    return node.what == 0 ? nullptr : &program_.bounds[node.what - 1];
  }

 private:
  struct Link {
    Frame frame;
    std::uint32_t below = Configuration::kNoLink;
  };
  enum class Outcome : std::uint8_t {
    dead,    ///< the byte is not allowed here
    taken,   ///< it was consumed
    passed,  ///< the node is complete without it: what follows shall see it
  };

  bool pop(Configuration& configuration) const;
  void push(Configuration& configuration, const Node& call);
  void settle(Configuration& configuration) const;
  Outcome step_terminal(Configuration& configuration, const Node& node, unsigned char byte) const;
  Outcome step_choice(Configuration& configuration, const Choice& choice, unsigned char byte) const;
  Outcome step_free_key(Configuration& configuration, const Choice& choice, std::size_t key_state,
                        unsigned char byte) const;
  [[nodiscard]] const Leaf* first_allowed(const Configuration& configuration, const Choice& choice,
                                          const Choice::State& state) const;
  void take(Configuration& configuration, const Choice& choice, const Leaf& leaf) const;
  [[nodiscard]] bool same(const Configuration& a, const Configuration& b) const;

  const Program& program_;
  std::vector<Link> links_;
};

}  // namespace fathom::engine
