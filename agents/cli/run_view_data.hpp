// EventData: one event's data, read so that nothing in it can be wrong. What a view shows may come
// from another version or a broken disk: a key that is missing or of another kind reads as nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::agents {

/// A text of an event. Long ones are in the blob store; the event has only how they begin.
struct EventText {
  std::string text;
  std::uint64_t bytes = 0;  ///< of all of it
  bool is_whole = true;
};

class EventData {
 public:
  /// `json` that is no object, or longer than an event may be, has no keys.
  explicit EventData(std::string_view json);
  ~EventData();
  EventData(EventData&& other) noexcept;
  EventData& operator=(EventData&& other) noexcept;
  EventData(const EventData&) = delete;
  EventData& operator=(const EventData&) = delete;

  [[nodiscard]] bool has(std::string_view key) const;
  /// The text, or its beginning.
  [[nodiscard]] std::string text(std::string_view key) const;
  [[nodiscard]] EventText body(std::string_view key) const;
  /// A number that is not negative.
  [[nodiscard]] std::optional<std::uint64_t> count(std::string_view key) const;
  /// Any whole number as its digits; "" for none.
  [[nodiscard]] std::string digits(std::string_view key) const;
  [[nodiscard]] std::optional<double> number(std::string_view key) const;
  [[nodiscard]] std::optional<bool> flag(std::string_view key) const;
  /// The object at `key`; one without keys where there is none.
  [[nodiscard]] EventData object(std::string_view key) const;
  /// The first objects of the list at `key`.
  [[nodiscard]] std::vector<EventData> objects(std::string_view key, std::size_t count_max) const;
  /// The first texts of the list at `key`; whole numbers as their digits.
  [[nodiscard]] std::vector<std::string> texts(std::string_view key, std::size_t count_max) const;

 private:
  struct Json;
  explicit EventData(std::unique_ptr<Json> json);
  std::unique_ptr<Json> json_;
};

}  // namespace fathom::agents
