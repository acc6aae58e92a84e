// Reads the events of POST /v1/messages.
#pragma once

#include "engine/remote/wire_codec.hpp"
#include "engine/text/json_value.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace fathom::engine {

class AnthropicReader final : public AnswerReader {
 public:
  explicit AnthropicReader(const AnswerContext& context) : draft_(context) {}

  std::optional<Fault> on_event(const net::SseEvent& event,
                                std::vector<SampleDelta>& deltas) override;
  std::optional<Fault> on_body(std::string_view json, std::vector<SampleDelta>& deltas) override;
  [[nodiscard]] bool complete() const override { return done_; }
  std::expected<Whole, Fault> finish(std::vector<SampleDelta>& deltas) override;

  /// Texts, thoughts and calls of one answer together.
  static constexpr std::size_t kBlocksMax = 512;

 private:
  using Step = AnswerDraft::Step;
  struct Block {
    enum class Kind : std::uint8_t { text, thinking, redacted, call, unknown };
    Kind kind = Kind::unknown;
    std::size_t call = 0;  ///< its number
    std::string text;      ///< or the data of a redacted one
    std::string signature;
  };

  Step take_event(std::string_view type, const JsonValue& data, std::vector<SampleDelta>& deltas);
  Step start_block(std::uint64_t index, const JsonValue& content, std::vector<SampleDelta>& deltas);
  Step take_delta(const JsonValue& data, std::vector<SampleDelta>& deltas);
  void take_usage(const JsonValue* usage);
  void take_stop(const JsonValue& message);
  Step add_to(Block& block, std::string text, std::vector<SampleDelta>& deltas);
  [[nodiscard]] std::string wire_content(const AnswerDraft::Settled& settled) const;

  AnswerDraft draft_;
  std::map<std::uint64_t, Block> blocks_;  ///< by index
  std::string model_;
  std::string stop_reason_;
  std::uint64_t fresh_tokens_ = 0;
  std::uint64_t written_tokens_ = 0;  ///< into the cache
  std::uint64_t reused_tokens_ = 0;
  std::uint64_t output_tokens_ = 0;
  bool message_seen_ = false;
  bool done_ = false;
};

}  // namespace fathom::engine
