// A grammar as a program for a machine with stacks (grammar_machine.hpp): nodes that consume bytes
// or say what comes next.
//
// A frame of a stack is one activation of a rule: the node it is at, how far inside that node, and
// one register: which members of an object are written, how many items an array or characters a
// string has. So objects take their members in any order without a state for each subset, and
// counters are not unrolled.
//
// No dead ends, by construction: each node knows how many frames its shortest way to the end of its
// rule needs (its height, infinite when there is no way), and neither a branch nor a key is offered
// whose height does not fit under kStackDepthMax.
#pragma once

#include "engine/text/grammar_terminals.hpp"
#include "runtime/base/result.hpp"

#include <limits>
#include <string>

namespace fathom::engine {

using NodeId = std::uint32_t;
constexpr NodeId kNoNode = std::numeric_limits<NodeId>::max();

constexpr unsigned kStackDepthMax = 128;
constexpr std::size_t kGrammarNodesMax = 200'000;
constexpr std::size_t kChoiceBytesMax = std::size_t{4} << 20;  // spellings of keys and enums
constexpr std::size_t kAlternativesMax = 256;
constexpr std::size_t kAlternativesDepthMax = 128;  // alternatives of alternatives of …
constexpr std::size_t kHeightStepsMax = 20'000'000;
constexpr std::size_t kUnorderedMembersMax = 64;  // the register's bits

constexpr std::uint16_t kHeightInfinite = std::numeric_limits<std::uint16_t>::max();

enum class NodeKind : std::uint8_t {
  finish,        ///< the rule is complete
  gap,           ///< whitespace between JSON tokens, or none (gap_after in grammar_machine.cpp)
  terminal,      ///< a byte table
  choice,        ///< one of a set of spellings
  call,          ///< a rule, then `next`
  alternatives,  ///< each of several nodes at once; of one: a jump
};

struct Node {
  NodeKind kind = NodeKind::finish;
  TerminalId terminal{};     ///< of a terminal
  std::uint16_t height = 0;  ///< frames the shortest way to the rule's end needs above its own
  NodeId next = kNoNode;     ///< of gap, terminal and call
  std::uint32_t what = 0;    ///< call: the rule; choice: its index; alternatives: the first target;
                             ///< terminal: 1 + the index of its Bounds, 0 without
  std::uint32_t count = 0;   ///< alternatives: how many; call: counts up to this, 0 = does not
};

/// When a leaf of a choice may be taken.
enum class Guard : std::uint8_t {
  none,
  member,    ///< member `key` is not written yet, and no required one would be passed over
  complete,  ///< all required members are written
  more,      ///< another member is possible
  at_least,  ///< the register has reached Bounds::min
  below,     ///< the register is below Bounds::max
};

struct Leaf {
  NodeId next = kNoNode;
  std::uint32_t key = 0;
  Guard guard = Guard::none;
};

struct Bounds {
  static constexpr std::uint32_t kUnbounded = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t min = 0;
  std::uint32_t max = kUnbounded;
};

/// The members of an object or the parameters of a call. Up to kUnorderedMembersMax come in any
/// order, their register a set; more than that in the declared order, their register the place of
/// the next.
struct Members {
  std::vector<bool> required{};
  std::vector<std::uint32_t> next_required{};  ///< from place i on; the count where there is none
  std::uint64_t required_set = 0;
  std::uint32_t keys = 0;  ///< the choice that spells the keys

  [[nodiscard]] bool ordered() const { return required.size() > kUnorderedMembersMax; }
};

/// Spellings as a tree of bytes. Leaves are sorted by spelling, so a state's leaves are a range.
struct Choice {
  struct Edge {
    unsigned char byte = 0;
    std::uint32_t target = 0;
  };
  struct State {
    std::uint32_t edges_begin = 0;
    std::uint32_t edges_end = 0;
    std::uint32_t leaves_begin = 0;
    std::uint32_t leaves_end = 0;
    bool ends_here = false;      ///< the first of its leaves is spelled out
    std::uint8_t key_state = 0;  ///< of TerminalId::key after these bytes; kDead: never a free key
  };
  std::vector<State> states{};
  std::vector<Edge> edges{};
  std::vector<Leaf> leaves{};
  std::uint32_t rule = 0;     ///< of the guards: an index of Members or of Bounds
  NodeId free_key = kNoNode;  ///< where any other key leads, if others are allowed

  [[nodiscard]] const Edge* find_edge(std::uint32_t state, unsigned char byte) const;
};

struct Program {
  std::vector<Node> nodes;
  std::vector<NodeId> targets;  ///< of alternatives; never alternatives themselves
  std::vector<Choice> choices;
  std::vector<Bounds> bounds;
  std::vector<Members> members;
  NodeId start = 0;

  [[nodiscard]] bool fits(NodeId node, unsigned depth) const {
    return depth + nodes[node].height <= kStackDepthMax;
  }
  /// Whether `leaf` may be taken by a frame with this register, `depth` frames high.
  [[nodiscard]] bool allows(const Choice& choice, const Leaf& leaf, std::uint64_t reg,
                            unsigned depth) const;
  [[nodiscard]] std::uint64_t register_after(const Choice& choice, const Leaf& leaf,
                                             std::uint64_t reg) const;

 private:
  [[nodiscard]] bool allows_more(const Members& members, std::uint64_t reg, unsigned depth) const;
};

/// Puts a Program together. Node numbers are valid at once, so rules may refer to what is defined
/// later through reserve() and set_next(). Bounds are checked by build().
class ProgramBuilder {
 public:
  struct Spelling {
    std::string bytes;
    Leaf leaf;
  };
  struct ChoiceSpec {
    std::vector<Spelling> spellings{};  ///< of equal bytes the first stands
    std::uint32_t rule = 0;
    NodeId free_key = kNoNode;
  };

  ProgramBuilder();

  [[nodiscard]] NodeId finish() const { return 0; }
  NodeId gap(NodeId next);
  NodeId terminal(TerminalId id, NodeId next, Bounds bounds = {});
  NodeId call(NodeId rule, NodeId next, std::uint32_t count_max = 0);
  NodeId alternatives(std::vector<NodeId> targets);
  NodeId choice(ChoiceSpec spec);
  NodeId literal(std::string_view bytes, NodeId next);

  NodeId reserve() { return alternatives({}); }
  void define(NodeId reserved, NodeId target);
  /// Of a gap, terminal or call; of a literal: what follows its bytes.
  void set_next(NodeId node, NodeId next);

  std::uint32_t add_bounds(Bounds bounds);
  std::uint32_t add_members(const std::vector<bool>& required);
  void set_keys(std::uint32_t members, NodeId choice);

  /// Fails when a bound is passed, when rules only refer to each other, and when no document
  /// exists. The builder is spent.
  Result<Program> build(NodeId start);

 private:
  NodeId add(const Node& node);
  Result<> flatten();
  Result<> flatten_one(NodeId node, std::size_t depth);
  Result<> compute_heights();
  [[nodiscard]] std::uint16_t height_of(const Node& node) const;
  [[nodiscard]] std::uint16_t height_of(const Choice& choice) const;
  [[nodiscard]] std::uint16_t height_of_member(NodeId id) const;

  Program program_;
  std::vector<std::vector<NodeId>> targets_;  ///< of alternatives, until they are flattened
  std::vector<std::uint8_t> visited_;         ///< by node: 1 being flattened, 2 flattened
  std::size_t choice_bytes_ = 0;
};

}  // namespace fathom::engine
