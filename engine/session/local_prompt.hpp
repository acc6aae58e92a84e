// LocalPrompt: from a transcript to the tokens that a model of this machine reads.
//
// The tokens are the session: those of the request before stay as they are, what the model sampled
// stays as it was sampled, and only what was appended is tokenised. That holds as long as the
// rendering of the transcript says the same bytes; where it does not, it is tokenised anew from
// there, and whoever holds the KV sees by the tokens how much of it is still right.
#pragma once

#include "engine/session/engine.hpp"
#include "engine/text/chat_encoding.hpp"
#include "engine/text/tokenizer.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

class LocalPrompt {
 public:
  /// `tokenizer` outlives this and its copies. Fails for an effort that the profile does not know
  /// and for parameters or a schema that are no JSON. Without an effort the model thinks as it does
  /// by default (high); with `none` it does not.
  static Result<LocalPrompt> create(const SessionSetup& setup, ChatProfile profile,
                                    const Tokenizer& tokenizer);

  /// The transcript ends with what asks: a message of the user, or results.
  Result<> render(const Transcript& transcript);
  /// What the model said to the last rendering, without the end of sentence.
  void answered(std::vector<TokenId> sampled) { sampled_ = std::move(sampled); }

  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] std::span<const TokenId> tokens() const { return tokens_; }
  /// Without what opens the answer, which another message of the user would replace.
  [[nodiscard]] std::size_t stable_bytes() const { return stable_bytes_; }
  [[nodiscard]] std::size_t stable_tokens() const { return stable_tokens_; }
  /// Where each message of the transcript begins in text().
  [[nodiscard]] std::span<const std::size_t> starts() const { return starts_; }
  [[nodiscard]] bool opens_reasoning() const { return opens_reasoning_; }
  /// The tools as the model reads them, each a line of JSON; also where the prompt has none.
  [[nodiscard]] std::span<const std::string> functions() const { return functions_; }

 private:
  explicit LocalPrompt(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  /// `chat` is the whole one; ends[i] is its message behind those of the transcript's message i.
  /// `grown`: the starts that are known hold.
  Result<> find_starts(const Chat& chat, std::span<const std::size_t> ends, bool grown);
  void tokenize(const ChatPrompt& prompt, std::string_view text);
  [[nodiscard]] std::size_t sampled_prefix(std::string_view rest) const;

  const Tokenizer* tokenizer_;
  ChatOptions options_;
  ChatMessage system_;
  std::vector<std::string> functions_;

  std::string text_;
  std::vector<TokenId> tokens_;
  std::size_t stable_bytes_ = 0;
  std::size_t stable_tokens_ = 0;
  std::vector<std::size_t> starts_;
  bool opens_reasoning_ = false;
  std::uint64_t epoch_ = 0;
  std::vector<TokenId> sampled_;
  std::size_t fresh_bytes_ = 0;   ///< where the last rendering was tokenised from: no token crosses
  std::size_t fresh_tokens_ = 0;  ///< the tokens before
};

}  // namespace fathom::engine
