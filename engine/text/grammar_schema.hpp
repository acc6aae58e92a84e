// JSON Schema to rules of a grammar. What is understood, and what JSON then looks like, stands in
// grammar.hpp.
#pragma once

#include "engine/text/grammar.hpp"
#include "engine/text/grammar_json.hpp"

#include <nlohmann/json_fwd.hpp>

#include <map>

namespace fathom::engine {

constexpr std::int64_t kIntegerRangeMax = 1'000;  // integers between bounds are spelled out
constexpr std::size_t kMembersMax = 4'096;
constexpr std::size_t kSplitBranchesMax = 4'096;

struct Compiled {
  Program program;
  std::vector<std::string> relaxations;
};

Result<Compiled> compile_schema(std::string_view schema, Unsupported unsupported);

/// Compiles the schemas of one document. A rule is a node that ends in finish().
class SchemaCompiler {
 public:
  using Json = nlohmann::ordered_json;

  struct Context {
    const Json& document;  ///< what $ref refers to; outlives the compiler
    Unsupported unsupported = Unsupported::refuse;
    std::string_view member_word = "property";  ///< in errors
  };
  SchemaCompiler(ProgramBuilder& builder, const Context& context);

  Result<NodeId> value(const Json& schema);

  /// A schema in the two parts that DSML writes differently: strings, and the JSON of the rest.
  struct Split {
    bool any_text = false;
    std::vector<std::string> texts;  ///< unless any text: these
    std::vector<NodeId> others;      ///< rules
  };
  Result<Split> split(const Json& schema);

  struct Member {
    std::string name;
    const Json* schema = nullptr;
    bool required = false;
  };
  struct Members {
    std::vector<Member> declared;
    const Json* others = nullptr;  ///< null: none but the declared
  };
  Result<Members> members(const Json& schema);

  /// Follows $refs.
  Result<const Json*> resolve(const Json& schema);

  Result<> check_keywords(const Json& schema);

  /// An error that names the place.
  [[nodiscard]] std::unexpected<Error> refuse(std::string_view what) const;

  /// Names the place in errors and relaxations, for as long as it lives.
  class Place {
   public:
    Place(SchemaCompiler& compiler, std::string_view step);
    ~Place() { compiler_.place_.resize(length_); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    SchemaCompiler& compiler_;
    std::size_t length_;
  };

  [[nodiscard]] std::vector<std::string> take_relaxations() { return std::move(relaxations_); }

 private:
  Result<NodeId> compile(const Json& schema);
  Result<NodeId> of_type(const std::string& type, const Json& schema);
  Result<NodeId> object(const Json& schema);
  Result<NodeId> array(const Json& schema);
  Result<const Json*> branches_of(const Json& schema);
  Result<> split_union(const Json& schemas, Split& into);
  void split_values(const std::vector<std::string>& spellings, Split& into);
  Result<> split_types(const Json& schema, Split& into);
  Result<std::vector<std::string>> enumerated(const Json& schema);
  Result<std::vector<std::string>> types(const Json& schema);
  Result<Bounds> bounds(const Json& schema, const char* min, const char* max);
  Result<const Json*> look_up(std::string_view reference);
  Result<> check_siblings(const Json& schema, std::string_view beside);
  Result<> not_held(std::string_view keyword, std::string_view why);
  [[nodiscard]] std::string at_place(std::string_view what) const;

  ProgramBuilder& builder_;
  JsonRules json_;
  Context context_;
  std::map<const Json*, NodeId> rules_;  ///< reserved before they are compiled: schemas recurse
  std::string place_;
  std::size_t depth_ = 0;
  std::size_t split_branches_ = 0;
  std::vector<std::string> relaxations_;
};

}  // namespace fathom::engine
