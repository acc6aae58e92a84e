#include "engine/session/engine.hpp"

namespace fathom::engine {

std::string_view name_of(FaultClass kind) {
  switch (kind) {
    case FaultClass::transport:
      return "transport";
    case FaultClass::rate:
      return "rate";
    case FaultClass::server:
      return "server";
    case FaultClass::format:
      return "format";
    case FaultClass::refused:
      return "refused";
    case FaultClass::balance:
      return "balance";
    case FaultClass::overflow:
      return "overflow";
  }
  return "server";
}

bool may_retry(FaultClass kind) {
  switch (kind) {
    case FaultClass::transport:
    case FaultClass::rate:
    case FaultClass::server:
    case FaultClass::format:
      return true;
    case FaultClass::refused:
    case FaultClass::balance:
    case FaultClass::overflow:
      return false;
  }
  return false;
}

double Price::of(const Usage& usage) const {
  constexpr double kMillion = 1e6;
  const auto fresh = static_cast<double>(usage.prompt_tokens - usage.reused_tokens);
  return (fresh * prompt + static_cast<double>(usage.reused_tokens) * reused +
          static_cast<double>(usage.completion_tokens) * completion) /
         kMillion;
}

}  // namespace fathom::engine
