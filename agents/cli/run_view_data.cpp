#include "agents/cli/run_view_data.hpp"

#include "runtime/trace/event.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace fathom::agents {

using nlohmann::json;

struct EventData::Json {
  json value;

  [[nodiscard]] const json* find(std::string_view key) const {
    const auto found = value.find(key);
    return found == value.end() ? nullptr : &*found;
  }
};

namespace {

std::string digits_of(const json& value) {
  if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
  if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
  return "";
}

}  // namespace

EventData::EventData(std::string_view json_text) : json_(std::make_unique<Json>()) {
  if (json_text.size() <= trace::kEventBytesMax)
    json_->value = json::parse(json_text, nullptr, false);
  if (!json_->value.is_object()) json_->value = json::object();
}

EventData::EventData(std::unique_ptr<Json> json) : json_(std::move(json)) {}
EventData::~EventData() = default;
EventData::EventData(EventData&& other) noexcept = default;
EventData& EventData::operator=(EventData&& other) noexcept = default;

bool EventData::has(std::string_view key) const { return json_->find(key) != nullptr; }

EventText EventData::body(std::string_view key) const {
  EventText body;
  const json* value = json_->find(key);
  if (value == nullptr) return body;
  if (value->is_string()) {
    body.text = value->get<std::string>();
    body.bytes = body.text.size();
  } else if (value->is_object()) {
    const EventData reference = object(key);
    const json* preview = reference.json_->find("preview");
    if (preview != nullptr && preview->is_string()) body.text = preview->get<std::string>();
    body.bytes = reference.count("size").value_or(body.text.size());
    body.is_whole = false;
  }
  return body;
}

std::string EventData::text(std::string_view key) const { return body(key).text; }

std::optional<std::uint64_t> EventData::count(std::string_view key) const {
  const json* value = json_->find(key);
  if (value == nullptr || !value->is_number_unsigned()) return std::nullopt;
  return value->get<std::uint64_t>();
}

std::string EventData::digits(std::string_view key) const {
  const json* value = json_->find(key);
  return value == nullptr ? "" : digits_of(*value);
}

std::optional<double> EventData::number(std::string_view key) const {
  const json* value = json_->find(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

std::optional<bool> EventData::flag(std::string_view key) const {
  const json* value = json_->find(key);
  if (value == nullptr || !value->is_boolean()) return std::nullopt;
  return value->get<bool>();
}

EventData EventData::object(std::string_view key) const {
  auto copy = std::make_unique<Json>();
  const json* value = json_->find(key);
  copy->value = value != nullptr && value->is_object() ? *value : json::object();
  return EventData(std::move(copy));
}

std::vector<EventData> EventData::objects(std::string_view key, std::size_t count_max) const {
  std::vector<EventData> found;
  const json* value = json_->find(key);
  if (value == nullptr || !value->is_array()) return found;
  for (const json& one : *value) {
    if (found.size() == count_max) break;
    if (!one.is_object()) continue;
    auto copy = std::make_unique<Json>();
    copy->value = one;
    found.push_back(EventData(std::move(copy)));
  }
  return found;
}

std::vector<std::string> EventData::texts(std::string_view key, std::size_t count_max) const {
  std::vector<std::string> found;
  const json* value = json_->find(key);
  if (value == nullptr || !value->is_array()) return found;
  for (const json& one : *value) {
    if (found.size() == count_max) break;
    found.push_back(one.is_string() ? one.get<std::string>() : digits_of(one));
  }
  return found;
}

}  // namespace fathom::agents
