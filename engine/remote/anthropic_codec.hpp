// POST /v1/messages as a client: Anthropic's own API, and DeepSeek's and others' copies of it.
//
// Thinking blocks carry a signature that must come back with them, byte for byte, or Anthropic
// refuses the request. The session keeps the content of the answer it has just read
// (SampledContent) and puts it into the body when the transcript appends that very message. A
// session opened again from a transcript has lost the signatures: Anthropic gets those messages
// without their thinking, which it allows; others get the thinking without a signature.
//
// Anthropic caches a prompt only where it is asked to. The request asks once, by a field of its
// own that stands in front of everything and lets the server move the mark along: a mark on the
// last block would change bytes that the request before has sent. Only Anthropic gets it, as others
// cache on their own and may not know the field.
#pragma once

#include "engine/remote/wire_codec.hpp"

#include <string>

namespace fathom::engine {

struct AnthropicOptions {
  std::string model;
  Vendor vendor = Vendor::other;
};

/// The API requires a bound; this one is asked for where nobody set one.
inline constexpr std::uint64_t kAnthropicAnswerTokens = 32'000;

class AnthropicCodec final : public WireCodec {
 public:
  explicit AnthropicCodec(AnthropicOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string begin(const SessionSetup& setup) const override;
  void append(RenderedBody& body, const Message& message,
              const SampledContent& sampled) const override;
  [[nodiscard]] std::string end(const SessionSetup& setup,
                                const RequestLimits& limits) const override;
  [[nodiscard]] std::unique_ptr<AnswerReader> reader(const AnswerContext& context) const override;

 private:
  void append_thinking_settings(std::string& body, const SessionSetup& setup) const;
  void append_assistant(std::string& out, const Message& message,
                        const SampledContent& sampled) const;

  AnthropicOptions options_;
};

}  // namespace fathom::engine
