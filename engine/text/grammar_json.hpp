// The rules of JSON itself: each method adds one rule, a node that ends in finish().
#pragma once

#include "engine/text/grammar_program.hpp"

#include <span>
#include <utility>

namespace fathom::engine {

class JsonRules {
 public:
  explicit JsonRules(ProgramBuilder& builder) : builder_(builder) {}

  struct Object {
    std::vector<std::pair<std::string, NodeId>> members{};  ///< the key as a JSON string, its rule
    std::vector<bool> required{};                           ///< as many
    NodeId additional = kNoNode;  ///< the rule of other members, if allowed
  };
  NodeId object(const Object& object);
  NodeId array(NodeId item, Bounds items);
  NodeId string(Bounds code_points = {});
  NodeId number() { return builder_.terminal(TerminalId::number, builder_.finish()); }
  NodeId integer() { return builder_.terminal(TerminalId::integer, builder_.finish()); }
  NodeId one_of(std::span<const std::string> spellings);

  NodeId any_value();
  NodeId any_object() { return object({.additional = any_value()}); }
  NodeId any_array() { return array(any_value(), {}); }

 private:
  ProgramBuilder& builder_;
  NodeId any_value_ = kNoNode;
};

}  // namespace fathom::engine
