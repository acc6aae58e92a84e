// POST /chat/completions as a client: DeepSeek's own API, OpenAI's, vLLM, llama.cpp, SGLang,
// another Fathom.
//
// `tool_choice: none` and the answer's length stand behind `messages` (wire_codec.hpp). DeepSeek
// leaves the tools out of the prompt for `none`, so such a request reads the prompt anew there; its
// bytes still begin like the others', which is all that a client can do.
#pragma once

#include "engine/remote/wire_codec.hpp"

#include <string>

namespace fathom::engine {

struct OpenAiOptions {
  enum class Schema : std::uint8_t {
    json_schema,  ///< response_format, enforced by the server
    in_words,     ///< DeepSeek's own API knows json_object only: the system text asks for it
  };

  std::string model;  ///< "": the server chooses
  Vendor vendor = Vendor::other;
  Schema schema = Schema::json_schema;
  /// Every assistant message has reasoning_content, "" where there was none: DeepSeek refuses a
  /// thinking model's message without. Others get it from the first message on that had some.
  bool always_reasoning = false;
};

/// What fits `vendor` and the model's name.
[[nodiscard]] OpenAiOptions openai_options(std::string model, Vendor vendor);

class OpenAiCodec final : public WireCodec {
 public:
  explicit OpenAiCodec(OpenAiOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string begin(const SessionSetup& setup) const override;
  void append(RenderedBody& body, const Message& message,
              const SampledContent& sampled) const override;
  [[nodiscard]] std::string end(const SessionSetup& setup,
                                const RequestLimits& limits) const override;
  [[nodiscard]] std::unique_ptr<AnswerReader> reader(const AnswerContext& context) const override;

 private:
  void append_effort(std::string& body, const std::string& effort) const;
  void append_assistant(RenderedBody& body, const Message& message) const;

  OpenAiOptions options_;
};

}  // namespace fathom::engine
