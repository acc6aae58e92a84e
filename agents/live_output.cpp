#include "agents/live_output.hpp"

#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace fathom::agents {

void LiveOutput::add(const std::string& call, std::string_view bytes) {
  if (bytes.empty()) return;
  const bool is_known = unseen_.contains(call);
  if (!is_known && unseen_.size() == kCallsMax) return;
  std::string& text = unseen_[call];
  if (bytes.size() >= kTextBytesMax)
    text = bytes.substr(bytes.size() - kTextBytesMax);
  else
    text += bytes;
  // A character may be cut in two: reading them puts a mark in its place.
  if (text.size() > kTextBytesMax) text.erase(0, text.size() - kTextBytesMax);
  if (!is_known) news_.notify_all();
}

asio::awaitable<void> LiveOutput::follow(Write write) {
  unseen_.clear();
  for (;;) {
    while (unseen_.empty()) co_await news_.wait();
    for (const auto& [call, text] : std::exchange(unseen_, {}))
      write("tool.output",
            nlohmann::ordered_json({{"call", call}, {"text", to_valid_utf8(text)}})
                .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    co_await clock_.sleep_for(kInterval);
  }
}

}  // namespace fathom::agents
