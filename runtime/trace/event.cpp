#include "runtime/trace/event.hpp"

#include <algorithm>
#include <array>

namespace fathom::trace {
namespace {

struct Family {
  std::string_view name;  ///< a whole type, or a prefix when it ends in a dot
  Durability durability;
};

// In the order of ARCHITECTURE.md's life of a run. Whole names come before the prefix that would also match them.
constexpr std::array kFamilies = {
    Family{"model.delta", Durability::ephemeral},
    Family{"tool.output", Durability::ephemeral},
    Family{"prefill.progress", Durability::ephemeral},
    Family{"heartbeat", Durability::ephemeral},
    Family{"run.", Durability::durable},
    Family{"workflow.", Durability::durable},
    Family{"step.", Durability::durable},
    Family{"gate.", Durability::durable},
    Family{"artifact.", Durability::durable},
    Family{"agent.", Durability::durable},
    Family{"turn.", Durability::durable},
    Family{"steer.", Durability::durable},
    Family{"model.request", Durability::durable},
    Family{"model.message", Durability::durable},
    Family{"model.retry", Durability::durable},
    Family{"model.failed", Durability::durable},
    Family{"kv.", Durability::durable},
    Family{"context.", Durability::durable},
    Family{"compaction.", Durability::durable},
    Family{"tool.", Durability::durable},
    Family{"file.changed", Durability::durable},
    Family{"process.", Durability::durable},
    Family{"sandbox.denied", Durability::durable},
    Family{"approval.", Durability::durable},
    Family{"test.", Durability::durable},
    Family{"guard.", Durability::durable},
};

constexpr bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

std::optional<Durability> durability_of(std::string_view type) {
  if (!is_event_type(type)) return std::nullopt;
  for (const Family& family : kFamilies) {
    const bool matches = family.name.ends_with('.') ? type.starts_with(family.name) : type == family.name;
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
    return is_word_char(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == ':' || c == '/' || c == '-';
  };
  return !text.empty() && text.size() <= kStreamNameBytesMax && std::ranges::all_of(text, allowed);
}

}  // namespace fathom::trace
