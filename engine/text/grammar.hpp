// Grammars for what the model may say: JSON by a schema, any JSON object, tool calls in DSML.
//
// A Grammar is compiled once for a request (or taken from a cache: it is immutable and shared); a
// GrammarState is a place in it, a small value. A branch of a session copies the state; taking back
// drafted tokens is going back to a copy. From every state that accept() leads to, at least one
// token or the end of the sequence is allowed.
//
// What JSON looks like: whitespace is allowed between tokens as in JSON, but at most 64 bytes with
// one line break in a row, and none before or behind the whole value. Members come in any order
// (objects of more than 64 members: in the declared order). Keys and enum values are spelled as
// JSON spells them without needless escapes. Integers have at most 18 digits, numbers 20 before and
// behind the point and two in the exponent. Strings are UTF-8, without lone surrogates and without
// `<｜DSML｜` or `</｜DSML｜`, which a reader of the answer would take for a tag.
//
// Of JSON Schema: type, properties, required, additionalProperties, items, minItems, maxItems,
// enum, const, anyOf, oneOf (as anyOf), allOf of one schema, $ref to the same document, minLength,
// maxLength, integers between a minimum and a maximum at most 1,000 apart, nullable. An object that
// declares properties has no others unless additionalProperties says so.
#pragma once

#include "engine/text/grammar_machine.hpp"
#include "engine/text/token.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

class GrammarVocabulary;
struct Compiled;

constexpr std::size_t kSchemaBytesMax = std::size_t{1} << 20;
constexpr std::size_t kSchemaDepthMax = 64;
constexpr std::size_t kGrammarToolsMax = 512;
constexpr std::size_t kToolFormsMax = 128;  // of one tool
constexpr std::size_t kForcedBytesMax = 4'096;
constexpr std::size_t kCallsMax = 32;  // in one block of calls

/// What to do about keywords that narrow a schema and that no grammar here expresses (pattern,
/// minimum, uniqueItems, …).
enum class Unsupported : std::uint8_t {
  refuse,  ///< compiling fails and names the keyword
  relax,   ///< the grammar allows more than the schema; relaxations() lists where
};

struct GrammarTool {
  std::string name;
  std::string parameters;  ///< JSON Schema of an object; empty: no parameters
  /// Further such schemas: the arguments of a call meet any one of them. With a form for each file
  /// a value of one parameter can depend on that of another.
  std::vector<std::string> or_parameters = {};
};

enum class CallChoice : std::uint8_t {
  automatic,  ///< any text, until `<｜DSML｜` begins the calls
  required,   ///< the calls at once, from their two newlines on
};

struct ToolCallOptions {
  CallChoice choice = CallChoice::automatic;
  std::size_t calls_max = kCallsMax;  ///< 1 for a client that takes no parallel calls
  Unsupported unsupported = Unsupported::relax;
};

class Grammar {
 public:
  using Vocabulary = std::shared_ptr<const GrammarVocabulary>;
  using Made = Result<std::shared_ptr<const Grammar>>;

  /// `schema: property 'a.b': unsupported keyword 'pattern' (remove it, or …)`
  static Made json_schema(Vocabulary vocabulary, std::string_view schema,
                          Unsupported unsupported = Unsupported::refuse);
  static Made json_object(Vocabulary vocabulary);

  /// The calls part of api.md A.7. To force one tool, pass it alone. Each parameter is written with
  /// string="true" where its schema says string and with string="false" and typed JSON otherwise;
  /// lengths of string="true" values are not held. The marker is only allowed as its own token.
  /// Errors: `tool 'x': parameter 'y': …`.
  static Made tool_calls(Vocabulary vocabulary, std::span<const GrammarTool> tools,
                         const ToolCallOptions& options = {});

  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;
  ~Grammar();

  /// Where the grammar allows more than its schemas, in their words.
  [[nodiscard]] std::span<const std::string> relaxations() const;
  [[nodiscard]] std::size_t node_count() const;
  /// Tokens of its vocabulary: what masks have bits for.
  [[nodiscard]] std::size_t vocabulary_size() const;

 private:
  friend class GrammarState;
  struct Parts;
  static Made make(Vocabulary vocabulary, Compiled compiled);
  explicit Grammar(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

class GrammarState {
 public:
  explicit GrammarState(std::shared_ptr<const Grammar> grammar);

  /// Goes on behind `token`. False, and nothing changed, where it is not allowed.
  bool accept(TokenId token);

  /// Sets bit i for each token i that accept() would take and clears all others. `mask` has
  /// GrammarVocabulary::mask_words() words.
  void mask(std::span<std::uint64_t> mask) const;

  /// Whether the end of the sequence is allowed here.
  [[nodiscard]] bool may_end() const;
  /// Whether it was accepted.
  [[nodiscard]] bool ended() const { return ended_; }

  /// The text that must come next whatever the model thinks, the marker as its text; empty where
  /// there is a choice, and cut where it has `bytes_max`. Tokenise it with what follows in mind: a
  /// token may reach beyond its end.
  [[nodiscard]] std::string forced(std::size_t bytes_max = kForcedBytesMax) const;

  friend bool operator==(const GrammarState&, const GrammarState&) = default;

 private:
  std::shared_ptr<const Grammar> grammar_;
  Stacks stacks_;
  bool ended_ = false;
};

}  // namespace fathom::engine
