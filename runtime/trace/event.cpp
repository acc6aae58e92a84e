#include "runtime/trace/event.hpp"

#include <algorithm>
#include <array>

namespace fathom::trace {
namespace {

constexpr std::array kFamilies = {
    EventFamily{"model.delta", Durability::ephemeral},
    EventFamily{"tool.output", Durability::ephemeral},
    EventFamily{"prefill.progress", Durability::ephemeral},
    EventFamily{"heartbeat", Durability::ephemeral},
    EventFamily{"run.", Durability::durable},
    EventFamily{"workflow.", Durability::durable},
    EventFamily{"step.", Durability::durable},
    EventFamily{"gate.", Durability::durable},
    EventFamily{"artifact.", Durability::durable},
    EventFamily{"agent.", Durability::durable},
    EventFamily{"turn.", Durability::durable},
    EventFamily{"steer.", Durability::durable},
    EventFamily{"model.request", Durability::durable},
    EventFamily{"model.message", Durability::durable},
    EventFamily{"model.bodies", Durability::durable},
    EventFamily{"model.retry", Durability::durable},
    EventFamily{"model.failed", Durability::durable},
    EventFamily{"kv.", Durability::durable},
    EventFamily{"context.", Durability::durable},
    EventFamily{"compaction.", Durability::durable},
    EventFamily{"tool.", Durability::durable},
    EventFamily{"file.changed", Durability::durable},
    EventFamily{"process.", Durability::durable},
    EventFamily{"sandbox.denied", Durability::durable},
    EventFamily{"approval.", Durability::durable},
    EventFamily{"test.", Durability::durable},
    EventFamily{"guard.", Durability::durable},
};

constexpr bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

std::span<const EventFamily> event_families() { return kFamilies; }

std::optional<Durability> durability_of(std::string_view type) {
  if (!is_event_type(type)) return std::nullopt;
  for (const EventFamily& family : kFamilies) {
    const bool matches =
        family.name.ends_with('.') ? type.starts_with(family.name) : type == family.name;
    if (matches) return family.durability;
  }
  return std::nullopt;
}

bool is_event_type(std::string_view text) {
  if (text == "heartbeat") return true;
  if (text.size() > kEventTypeBytesMax || text.find('.') == std::string_view::npos) return false;
  bool in_word = false;
  for (char c : text) {
    if (c == '.' && !in_word) return false;
    if (c != '.' && !is_word_char(c)) return false;
    in_word = c != '.';
  }
  return in_word;
}

bool is_stream_name(std::string_view text) {
  const auto allowed = [](char c) {
    return is_word_char(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == ':' || c == '/' ||
           c == '-';
  };
  return !text.empty() && text.size() <= kStreamNameBytesMax && std::ranges::all_of(text, allowed);
}

}  // namespace fathom::trace
