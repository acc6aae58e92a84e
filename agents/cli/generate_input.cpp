#include "agents/cli/generate_input.hpp"

#include "engine/text/chat_encoding.hpp"
#include "engine/text/tokenizer_grammar.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace fathom::agents {
namespace {

using namespace engine;
using nlohmann::json;

constexpr std::size_t kToolsBytesMax = std::size_t{1} << 20;
constexpr std::size_t kPromptBytesMax = std::size_t{64} << 20;  // a million tokens are some 4 MB

Result<> check_combination(const GenerateOptions& options) {
  const auto only_with_chat = [&](bool given, const char* name) -> Result<> {
    if (given && !options.chat) return fail(ErrorCode::usage, std::string(name) + " needs --chat");
    return {};
  };
  if (options.prompt.empty() && options.ids.empty() && options.suffix.empty())
    return fail(ErrorCode::usage, "give a prompt, or token ids with --ids \"0 5 9\"");
  TRY(only_with_chat(!options.profile.empty(), "--profile"));
  if (!options.ids.empty() && (!options.prompt.empty() || options.chat || !options.suffix.empty()))
    return fail(ErrorCode::usage, "--ids stands alone: without a prompt, --chat and --suffix");
  if (options.chat && !options.suffix.empty())
    return fail(ErrorCode::usage, "--suffix fills in the middle of a text: without --chat");
  if (!options.schema.empty() && !options.tools.empty())
    return fail(ErrorCode::usage, "choose --schema or --tools: an answer has one grammar");
  TRY(only_with_chat(options.think, "--think"));
  TRY(only_with_chat(!options.tools.empty(), "--tools"));
  if (options.must_call && options.tools.empty())
    return fail(ErrorCode::usage, "--must-call needs --tools");
  if (!options.profile.empty()) TRY(parse_profile(options.profile));
  if (!options.effort.empty() && !options.think)
    return fail(ErrorCode::usage, "--effort needs --think");
  for (const std::string* text : {&options.prompt, &options.suffix})
    if (find_invalid_utf8(*text) < text->size())
      return fail(ErrorCode::bad_data,
                  "the prompt is not valid UTF-8: convert it, for example with iconv -t UTF-8");
  return {};
}

/// The user's message, with the tools of the file where there is one.
Result<Chat> read_chat(const GenerateOptions& options) {
  json chat = {{"messages", {{{"role", "user"}, {"content", options.prompt}}}}};
  if (options.tools.empty()) return parse_chat(chat.dump());
  const std::string text = TRY(read_file(options.tools, kToolsBytesMax));
  json tools = json::parse(text, nullptr, false);
  if (tools.is_discarded())
    return fail(ErrorCode::bad_data, options.tools.string() + ": is not JSON");
  chat["tools"] = std::move(tools);
  auto read = parse_chat(chat.dump());
  if (!read) return fail(context(options.tools.string(), read.error()));
  return read;
}

/// The tools of a chat as a grammar takes them: what read_chat let through has names.
std::vector<GrammarTool> grammar_tools(std::span<const std::string> functions) {
  std::vector<GrammarTool> out;
  for (const std::string& function : functions) {
    const json tool = json::parse(function);
    out.push_back({tool.at("name").get<std::string>(),
                   tool.contains("parameters") ? tool.at("parameters").dump() : std::string()});
  }
  return out;
}

Result<ChatOptions> chat_options(const GenerateOptions& options, const ModelConfig& config) {
  ChatOptions out;
  out.profile = config.chat_profile;
  if (!options.profile.empty()) out.profile = TRY(parse_profile(options.profile));
  out.mode = options.think ? ThinkingMode::thinking : ThinkingMode::chat;
  if (!options.effort.empty()) out.reasoning_effort = options.effort;
  return out;
}

Result<Grammar::Vocabulary> vocabulary_of(const Tokenizer& tokenizer, const ModelConfig& config) {
  return grammar_vocabulary(tokenizer, static_cast<std::size_t>(config.vocab_size));
}

/// The grammar that a file describes, or what is wrong with it.
Result<> hold_to(Grammar::Made grammar, const std::filesystem::path& file, GenerateInput& input) {
  if (!grammar) return fail(context(file.string(), std::move(grammar).error()));
  input.grammar = *std::move(grammar);
  return {};
}

Result<> add_chat(const GenerateOptions& options, const Tokenizer& tokenizer,
                  const ModelConfig& config, GenerateInput& input) {
  const ChatOptions encoding = TRY(chat_options(options, config));
  const Chat chat = TRY(read_chat(options));
  const ChatPrompt prompt = TRY(encode_chat(chat, encoding));
  input.prompt = tokenizer.encode_pieces(prompt.pieces);
  input.opens_reasoning = prompt.opens_reasoning();
  const std::vector<std::string>& functions = chat.front().tools;
  if (functions.empty()) {
    if (!options.must_call) return {};
    return fail(ErrorCode::usage, options.tools.string() + " has no tool that could be called");
  }
  input.tools = TRY(DeclaredTools::create(functions));
  return hold_to(Grammar::tool_calls(
                     TRY(vocabulary_of(tokenizer, config)), grammar_tools(functions),
                     {.choice = options.must_call ? CallChoice::required : CallChoice::automatic}),
                 options.tools, input);
}

Result<> add_schema(const GenerateOptions& options, const Tokenizer& tokenizer,
                    const ModelConfig& config, GenerateInput& input) {
  const std::string schema = TRY(read_file(options.schema, kSchemaBytesMax));
  return hold_to(Grammar::json_schema(TRY(vocabulary_of(tokenizer, config)), schema),
                 options.schema, input);
}

}  // namespace

Result<std::vector<TokenId>> parse_ids(const std::string& text) {
  std::vector<TokenId> out;
  for (std::size_t at = 0; (at = text.find_first_not_of(" ,\t\n", at)) != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(" ,\t\n", at), text.size());
    const std::string_view word = std::string_view(text).substr(at, end - at);
    TokenId id = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || stop != word.data() + word.size() || id < 0)
      return fail(ErrorCode::usage, "--ids: '" + to_printable(word) + "' is not a token id");
    out.push_back(id);
    at = end;
  }
  return out;
}

Result<GenerateOptions> complete(GenerateOptions options) {
  if (!options.prompt_file.empty()) {
    if (!options.prompt.empty()) return fail(ErrorCode::usage, "choose PROMPT or --prompt-file");
    const bool input = options.prompt_file == "-";
    options.prompt = TRY(read_file(input ? "/dev/stdin" : options.prompt_file, kPromptBytesMax));
  }
  TRY(check_combination(options));
  return options;
}

Result<GenerateInput> generate_input(const GenerateOptions& options, const Tokenizer* tokenizer,
                                     const ModelConfig& config) {
  GenerateInput input;
  if (!options.ids.empty()) {
    input.prompt = TRY(parse_ids(options.ids));
  } else if (options.chat) {
    TRY(add_chat(options, *tokenizer, config, input));
  } else {
    input.prompt = options.suffix.empty()
                       ? tokenizer->encode(options.prompt)
                       : TRY(tokenizer->encode_fim(options.prompt, options.suffix));
    input.prompt.insert(input.prompt.begin(), tokenizer->bos());
  }
  if (!options.schema.empty()) TRY(add_schema(options, *tokenizer, config, input));
  return input;
}

}  // namespace fathom::agents
