#include "agents/cli/encode_command.hpp"

#include "engine/text/chat_encoding.hpp"
#include "engine/text/json_value.hpp"
#include "engine/text/tokenizer.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"
#include "runtime/base/unique_fd.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace fathom::agents {
namespace {

using namespace engine;
using nlohmann::ordered_json;

constexpr std::size_t kChatBytesMax = std::size_t{64} << 20;  // a million tokens are some 4 MB
constexpr std::size_t kReadBytes = std::size_t{64} << 10;

// What is taken as in a session, where leaving earlier thoughts out would change what is resident.
ChatOptions chat_options(const EncodeOptions& options, ChatProfile profile) {
  ChatOptions out;
  out.profile = profile;
  out.mode = options.no_think ? ThinkingMode::chat : ThinkingMode::thinking;
  out.reasoning_effort = options.effort.empty() ? "high" : options.effort;
  if (options.no_think) out.reasoning_effort = "none";
  out.drop_thinking = false;
  return out;
}

/// For each assistant message whether it is to be learned: not where it says "train": false.
Result<std::vector<bool>> learned(std::string_view chat) {
  const JsonValue root = TRY(parse_json(chat));
  const JsonValue* messages =
      root.is(JsonValue::Kind::object) ? root.find("messages") : &root;  // as parse_chat takes it
  std::vector<bool> out;
  for (const JsonValue& message : messages->items) {
    const JsonValue* role = message.find("role");
    if (role->text != "assistant") continue;
    const JsonValue* train = message.find("train");
    if (train && !train->is(JsonValue::Kind::boolean))
      return fail(ErrorCode::bad_data, "messages[" +
                                           std::to_string(&message - messages->items.data()) +
                                           "].train: expected true or false");
    out.push_back(!train || train->boolean);
  }
  return out;
}

/// The tokens that lie in each of `bytes`, which begin and end where tokens do.
Result<ordered_json> token_ranges(const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                                  const std::vector<ChatPrompt::Answer>& bytes) {
  ordered_json out = ordered_json::array();
  std::size_t token = 0;
  std::size_t at = 0;
  const auto reach = [&](std::size_t byte) -> Result<std::size_t> {
    while (at < byte) at += tokenizer.token_bytes(ids[token++]).size();
    if (at == byte) return token;
    return fail(ErrorCode::bad_data,
                "an answer begins or ends inside a token: an assistant message needs one of the "
                "user or a tool before it");
  };
  for (const ChatPrompt::Answer& answer : bytes) {
    const std::size_t begin = TRY(reach(answer.begin));
    out.push_back({begin, TRY(reach(answer.end))});
  }
  return out;
}

class Encoder {
 public:
  static Result<Encoder> create(const EncodeOptions& options) {
    const ChatProfile profile = TRY(parse_profile(options.profile));
    std::filesystem::path path = options.tokenizer;
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) path /= "tokenizer.json";
    return Encoder(options, chat_options(options, profile), TRY(Tokenizer::load(path)));
  }

  Result<std::string> encode(std::string_view json) const {
    const Chat chat = TRY(parse_chat(json));
    ChatPrompt prompt = TRY(encode_chat(chat, chat_options_));
    if (options_->text) return prompt.text();
    const std::vector<bool> kept = TRY(learned(json));
    std::vector<ChatPrompt::Answer> answers;
    for (std::size_t i = 0; i < prompt.answers.size(); ++i)
      if (kept[i]) answers.push_back(prompt.answers[i]);
    const std::vector<TokenId> ids = tokenizer_.encode_pieces(prompt.pieces);
    ordered_json out = {{"ids", ids}};
    out["answers"] = TRY(token_ranges(tokenizer_, ids, answers));
    return out.dump() + "\n";
  }

 private:
  Encoder(const EncodeOptions& options, ChatOptions chat_options, Tokenizer tokenizer)
      : options_(&options),
        chat_options_(std::move(chat_options)),
        tokenizer_(std::move(tokenizer)) {}

  const EncodeOptions* options_;
  ChatOptions chat_options_;
  Tokenizer tokenizer_;
};

Result<UniqueFd> open_input(const std::filesystem::path& path) {
  UniqueFd fd(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error(path.string(), errno));
  return fd;
}

/// Hands each line to `take`, without its end; empty ones are left out. Errors name the line.
Result<> each_line(int fd, std::string_view name,
                   const std::function<Result<>(std::string_view)>& take) {
  std::string pending;
  std::array<char, kReadBytes> buffer{};
  std::size_t number = 0;
  const auto line = [&](std::string_view text) -> Result<> {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) return {};
    if (auto ok = take(text); !ok)
      return fail(context(std::string(name) + ", line " + std::to_string(number), ok.error()));
    return {};
  };
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(name, errno));
    if (got == 0) return pending.empty() ? Result<>() : line(pending);
    pending.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t from = 0;
    for (std::size_t end = 0; (end = pending.find('\n', from)) != std::string::npos; from = end + 1)
      TRY(line(std::string_view(pending).substr(from, end - from)));
    pending.erase(0, from);
    if (pending.size() > kChatBytesMax)
      return fail(ErrorCode::too_large, std::string(name) + ", line " + std::to_string(number + 1) +
                                            ": longer than the " +
                                            std::to_string(kChatBytesMax >> 20) + " MB of a chat");
  }
}

}  // namespace

Result<> encode(const EncodeOptions& options, Terminal& terminal) {
  const Encoder encoder = TRY(Encoder::create(options));
  const bool is_stdin = options.input == "-";
  const std::string name = is_stdin ? "standard input" : options.input.string();
  const auto write = [&](std::string_view chat) -> Result<> {
    terminal.out(TRY(encoder.encode(chat)));
    return {};
  };
  if (options.lines) {
    const UniqueFd fd = TRY(open_input(options.input));
    return each_line(fd.get(), name, write);
  }
  const std::string chat =
      TRY(read_file(is_stdin ? std::filesystem::path("/dev/stdin") : options.input, kChatBytesMax));
  if (auto ok = write(chat); !ok) return fail(context(name, ok.error()));
  return {};
}

void add_encode_command(CLI::App& app, EncodeOptions& options, const Choose& choose) {
  CLI::App* command = app.add_subcommand("encode", "Turn chats into the token ids of a model");
  command->add_option("FILE", options.input, "The chat, in the form of the OpenAI API")
      ->capture_default_str();
  command
      ->add_option("--tokenizer", options.tokenizer, "tokenizer.json, or the checkpoint's folder")
      ->required();
  command->add_flag("--jsonl", options.lines, "A chat on every line, an answer line for each");
  command->add_flag("--text", options.text, "Write the rendered text in place of ids");
  CLI::Option* quick =
      command->add_flag("--no-think", options.no_think, "Answers without reasoning");
  command->add_option("--effort", options.effort, "none, low, high or max, as the profile has it")
      ->excludes(quick);
  command->add_option("--profile", options.profile, "Chat encoding: preview or 0731")
      ->capture_default_str();
  command->footer(
      "Output: {\"ids\": […], \"answers\": [[begin, end], …]}; answers are the ranges of ids that "
      "assistant\nmessages are made of, but for those with \"train\": false.\n\n"
      "Examples:\n  fathom encode --tokenizer DIR chat.json\n"
      "  fathom encode --tokenizer DIR --jsonl < chats.jsonl > ids.jsonl\n"
      "  fathom session export RUN --format messages | fathom encode --tokenizer DIR");
  command->callback([&options, choose] {
    choose([&options](Terminal& terminal) -> Result<ExitCode> {
      TRY(encode(options, terminal));
      return ExitCode::ok;
    });
  });
}

}  // namespace fathom::agents
