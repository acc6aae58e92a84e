// The event: the one record of everything a run does. State is a fold over durable events.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/base/ids.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fathom::trace {

constexpr int kEventVersion = 1;

/// One encoded event, its newline included. What is larger belongs into the blob store, referred to
/// by name: a WebSocket frame of the trace protocol holds 64 KiB.
constexpr std::size_t kEventBytesMax = 64 * 1024;
constexpr std::size_t kStreamNameBytesMax = 64;
constexpr std::size_t kEventTypeBytesMax = 64;

/// Durable events are in the journal and may be relied on. Ephemeral ones (token deltas, progress)
/// may be joined or dropped anywhere; a later durable event always implies them.
enum class Durability : std::uint8_t { durable, ephemeral };

/// A W3C span id, 8 bytes, 16 hexadecimal digits in text. Zero is none. The trace id is the run's
/// ULID.
struct SpanId {
  std::uint64_t value = 0;
  friend bool operator==(SpanId, SpanId) = default;
};

/// A place in a stream. Durable events are counted by `seq` from 1 without gap and never reused;
/// `sub` is 0 for them. An ephemeral event stands behind the durable one it followed: same `seq`,
/// `sub` counted from 1. So what a reader resumes from is a durable seq alone, whatever ephemeral
/// events it saw or missed.
struct Position {
  std::uint64_t seq = 0;
  std::uint64_t sub = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

/// What the emitter of an event says; the journal adds the rest.
struct EventDraft {
  std::string type;
  SpanId span;
  SpanId parent;
  std::uint64_t cause = 0;  ///< seq of the durable event that led to this one, 0 for none
  std::string data = "{}";  ///< one JSON object on one line

  friend bool operator==(const EventDraft&, const EventDraft&) = default;
};

struct Event {
  RunId run;
  std::string stream;
  Position at;
  WallTime ts;
  std::int64_t mono_ns = 0;  ///< CLOCK_MONOTONIC of the emitting machine, for durations
  Durability durability = Durability::durable;
  EventDraft what;

  friend bool operator==(const Event&, const Event&) = default;
};

/// A whole type ("model.request"), or when it ends in a dot all types that begin with it ("tool.").
struct EventFamily {
  std::string_view name;
  Durability durability;
};

/// Everything this version emits. A whole name stands before a family that would match it too.
[[nodiscard]] std::span<const EventFamily> event_families();

/// The durability of a known type, by its family: "run.started" is of "run.". Nothing for a type
/// this version does not know; readers pass those on, writers must not invent them.
[[nodiscard]] std::optional<Durability> durability_of(std::string_view type);

/// Lower-case words of letters, digits and underscores joined by dots, two at least:
/// "tool.started". The one-word type "heartbeat" is the only exception.
[[nodiscard]] bool is_event_type(std::string_view text);

/// Letters, digits and `._:/-`, 1 to kStreamNameBytesMax bytes. "main" is a run's own stream.
[[nodiscard]] bool is_stream_name(std::string_view text);

}  // namespace fathom::trace
