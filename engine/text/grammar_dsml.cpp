#include "engine/text/grammar_dsml.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace fathom::engine {
namespace {

using Json = SchemaCompiler::Json;

constexpr std::size_t kToolNameBytesMax = 64;

// Text of the format with `@` for the marker.
std::string tag(std::string_view text) {
  std::string bytes(text);
  std::ranges::replace(bytes, '@', static_cast<char>(kMarkerByte));
  return bytes;
}

bool is_tool_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= kToolNameBytesMax && std::ranges::all_of(name, fits);
}

// One parameter's spellings and values go into the choice of keys; all end at the two `closed`.
struct Parameters {
  ProgramBuilder::ChoiceSpec keys;
  NodeId text_closed = kNoNode;   ///< `parameter>` behind the `</` and marker that end free text
  NodeId value_closed = kNoNode;  ///< `</@parameter>`
};

void add_parameter(ProgramBuilder& builder, Parameters& into, const std::string& name,
                   std::uint32_t key, const SchemaCompiler::Split& split) {
  const auto add = [&](std::string_view is_string, NodeId value) {
    into.keys.spellings.push_back({name + "\" string=\"" + std::string(is_string) + "\">",
                                   {.next = value, .key = key, .guard = Guard::member}});
  };
  if (split.any_text) {
    add("true", builder.terminal(TerminalId::value_text, into.text_closed));
  } else if (!split.texts.empty()) {
    // With the tag behind each, so that of two texts that begin alike the end tells them apart.
    ProgramBuilder::ChoiceSpec texts;
    for (const std::string& text : split.texts)
      texts.spellings.push_back({text + tag("</@"), {.next = into.text_closed}});
    add("true", builder.choice(std::move(texts)));
  }
  if (!split.others.empty())
    add("false", builder.call(builder.alternatives(split.others), into.value_closed));
}

Result<> check_name(const SchemaCompiler& compiler, const std::string& name) {
  // DSML escapes nothing: a name with a quote or a line break reads as something else.
  if (name.empty() || name.find_first_of("\"<>\n\r") != std::string::npos ||
      name.contains(static_cast<char>(kMarkerByte)))
    return compiler.refuse("the name cannot be written in DSML");
  return {};
}

// What stands between `<@invoke name="NAME">` NL and the end of `</@invoke>`, as a rule.
Result<NodeId> invoke_rule(ProgramBuilder& builder, SchemaCompiler& compiler, const Json& schema) {
  const Json* resolved = TRY(compiler.resolve(schema));
  if (!resolved->is_object()) return compiler.refuse("'parameters' must be an object's schema");
  TRY(compiler.check_keywords(*resolved));
  for (const char* keyword : {"anyOf", "oneOf", "allOf", "enum", "const"})
    if (resolved->contains(keyword))
      return fail(ErrorCode::unsupported, "unsupported keyword '" + std::string(keyword) +
                                              "' (parameters need 'properties')");
  if (const auto type = resolved->find("type"); type != resolved->end() && *type != "object")
    return compiler.refuse("'parameters' must be an object's schema");
  const SchemaCompiler::Members members = TRY(compiler.members(*resolved));

  Parameters parameters;
  parameters.text_closed = builder.literal("parameter>", builder.finish());
  parameters.value_closed = builder.literal(tag("</@parameter>"), builder.finish());
  std::vector<bool> required;
  for (const SchemaCompiler::Member& member : members.declared) {
    const SchemaCompiler::Place place(compiler, member.name);
    TRY(check_name(compiler, member.name));
    const auto key = static_cast<std::uint32_t>(required.size());
    add_parameter(builder, parameters, member.name, key, TRY(compiler.split(*member.schema)));
    required.push_back(member.required);
  }
  const std::uint32_t rule = builder.add_members(required);
  parameters.keys.rule = rule;
  const NodeId keys = builder.choice(std::move(parameters.keys));
  builder.set_keys(rule, keys);
  const auto next_or_end = [&](std::string_view before) {
    return builder.choice(
        {.spellings = {{tag(std::string(before) + "<@parameter name=\""),
                        {.next = keys, .guard = Guard::more}},
                       {tag("\n</@invoke>"), {.next = builder.finish(), .guard = Guard::complete}}},
         .rule = rule});
  };
  const NodeId after = next_or_end("\n");
  builder.set_next(parameters.text_closed, after);
  builder.set_next(parameters.value_closed, after);
  return next_or_end("");
}

Result<Json> parse_parameters(const std::string& text) {
  if (text.empty()) return Json({{"type", "object"}, {"properties", Json::object()}});
  if (text.size() > kSchemaBytesMax)
    return fail(ErrorCode::too_large, "'parameters' has " + std::to_string(text.size()) +
                                          " bytes, more than " + std::to_string(kSchemaBytesMax));
  Json schema = Json::parse(text, nullptr, false);
  if (schema.is_discarded()) return fail(ErrorCode::bad_data, "'parameters' is not JSON");
  return schema;
}

Result<NodeId> compile_form(ProgramBuilder& builder, const std::string& parameters,
                            Unsupported unsupported, std::vector<std::string>& relaxations) {
  const Json schema = TRY(parse_parameters(parameters));
  SchemaCompiler compiler(
      builder, {.document = schema, .unsupported = unsupported, .member_word = "parameter"});
  const NodeId rule = TRY(invoke_rule(builder, compiler, schema));
  for (std::string& line : compiler.take_relaxations()) relaxations.push_back(std::move(line));
  return rule;
}

// The rules of all forms that a call of the tool may have.
Result<std::vector<NodeId>> compile_tool(ProgramBuilder& builder, const GrammarTool& tool,
                                         const ToolCallOptions& options,
                                         std::vector<std::string>& relaxations) {
  std::vector<std::string> found;
  std::vector<NodeId> rules = {
      TRY(compile_form(builder, tool.parameters, options.unsupported, found))};
  for (const std::string& parameters : tool.or_parameters)
    rules.push_back(TRY(compile_form(builder, parameters, options.unsupported, found)));
  for (const std::string& line : found) relaxations.push_back("tool '" + tool.name + "': " + line);
  return rules;
}

Result<> check_tools(std::span<const GrammarTool> tools, const ToolCallOptions& options) {
  if (tools.empty()) return fail(ErrorCode::usage, "tool calls: no tool is declared");
  if (tools.size() > kGrammarToolsMax)
    return fail(ErrorCode::too_large, "tool calls: " + std::to_string(tools.size()) +
                                          " tools are more than " +
                                          std::to_string(kGrammarToolsMax));
  if (options.calls_max == 0 || options.calls_max > kCallsMax)
    return fail(ErrorCode::usage, "tool calls: calls_max " + std::to_string(options.calls_max) +
                                      " is not in 1 … " + std::to_string(kCallsMax));
  std::set<std::string_view> names;
  for (const GrammarTool& tool : tools) {
    if (!is_tool_name(tool.name))
      return fail(ErrorCode::bad_data,
                  "tool '" + tool.name + "': a name is 1 to 64 letters, digits, '_' or '-'");
    if (!names.insert(tool.name).second)
      return fail(ErrorCode::bad_data, "tool '" + tool.name + "': declared twice");
    if (tool.or_parameters.size() >= kToolFormsMax)
      return fail(ErrorCode::too_large, "tool '" + tool.name + "': has more than " +
                                            std::to_string(kToolFormsMax) + " forms");
  }
  return {};
}

}  // namespace

Result<Compiled> compile_tool_calls(std::span<const GrammarTool> tools,
                                    const ToolCallOptions& options) {
  TRY(check_tools(tools, options));
  ProgramBuilder builder;
  Compiled made;
  const auto calls_max = static_cast<std::uint32_t>(options.calls_max);
  const std::uint32_t calls = builder.add_bounds({.max = calls_max});
  ProgramBuilder::ChoiceSpec names;
  const NodeId after = builder.reserve();
  for (const GrammarTool& tool : tools) {
    auto rules = compile_tool(builder, tool, options, made.relaxations);
    if (!rules) return fail(context("tool '" + tool.name + "'", std::move(rules).error()));
    std::vector<NodeId> forms;
    for (const NodeId rule : *rules) forms.push_back(builder.call(rule, after, calls_max));
    names.spellings.push_back({tool.name + "\">\n", {.next = builder.alternatives(forms)}});
  }
  const NodeId name = builder.choice(std::move(names));
  builder.define(
      after, builder.choice(
                 {.spellings = {{tag("\n<@invoke name=\""), {.next = name, .guard = Guard::below}},
                                {tag("\n</@tool_calls>"), {.next = builder.finish()}}},
                  .rule = calls}));
  const std::string begin = tag("tool_calls>\n<@invoke name=\"");
  const NodeId start = options.choice == CallChoice::automatic
                           ? builder.terminal(TerminalId::content, builder.literal(begin, name))
                           : builder.literal(tag("\n\n<@") + begin, name);
  auto program = builder.build(start);
  if (!program) return fail(context("tool calls", std::move(program).error()));
  made.program = *std::move(program);
  return made;
}

}  // namespace fathom::engine
