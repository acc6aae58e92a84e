// Reads the chunks of POST /chat/completions, in the spellings that servers use.
#pragma once

#include "engine/remote/wire_codec.hpp"
#include "engine/text/json_value.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace fathom::engine {

class OpenAiReader final : public AnswerReader {
 public:
  explicit OpenAiReader(const AnswerContext& context) : draft_(context) {}

  std::optional<Fault> on_event(const net::SseEvent& event,
                                std::vector<SampleDelta>& deltas) override;
  std::optional<Fault> on_body(std::string_view json, std::vector<SampleDelta>& deltas) override;
  [[nodiscard]] bool complete() const override { return done_; }
  std::expected<Whole, Fault> finish(std::vector<SampleDelta>& deltas) override;

 private:
  using Step = AnswerDraft::Step;

  Step take_chunk(std::string_view json, std::vector<SampleDelta>& deltas);
  Step take_delta(const JsonValue& delta, std::vector<SampleDelta>& deltas);
  Step take_call(const JsonValue& piece, std::vector<SampleDelta>& deltas);
  std::expected<std::size_t, Fault> number_of(const JsonValue& piece, const std::string& id);
  void take_usage(const JsonValue& usage);

  AnswerDraft draft_;
  std::map<std::uint64_t, std::size_t> by_index_;  ///< a server's index → number of the call
  std::string model_;
  std::string finish_;
  Usage usage_;
  bool choices_seen_ = false;
  bool done_ = false;
};

}  // namespace fathom::engine
