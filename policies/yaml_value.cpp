#include "policies/yaml_value.hpp"

#include "policies/quantity.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>

namespace fathom::policies {
namespace {

constexpr std::size_t kShownMax = 80;  // bytes of the author's text in an error

std::string shown(std::string_view text) {
  return "'" + to_printable(clip_middle(text, kShownMax)) + "'";
}

std::string_view kind_name(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return "text";
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::mapping:
      return "a mapping";
  }
  return "";
}

std::string range_text(const std::string& min, const std::string& max) {
  return "(between " + min + " and " + max + ")";
}

}  // namespace

std::string did_you_mean(std::string_view word, std::span<const std::string_view> names) {
  std::string out = shown(word);
  if (const std::string_view near = nearest(word, names); !near.empty())
    return out + " (did you mean '" + std::string(near) + "'?)";
  out += " (one of: ";
  for (const std::string_view name : names)
    out.append(name == names.front() ? "" : ", ").append(name);
  return out + ")";
}

Error YamlValue::error(std::string_view message) const {
  return yaml_error(file_, node_->at, (path_.empty() ? "" : path_ + ": ") + std::string(message));
}

Result<std::string_view> YamlValue::word(std::string_view wanted) const {
  if (node_->kind == YamlNode::Kind::scalar) return std::string_view(node_->text);
  const std::string_view hint =
      node_->kind == YamlNode::Kind::null
          ? " (write it, or remove the key; ~ and null are quoted as text)"
          : "";
  return fail(error(std::string(kind_name(node_->kind)) + " where " + std::string(wanted) +
                    " should be" + std::string(hint)));
}

Result<std::string> YamlValue::any_text(std::size_t bytes_max) const {
  const std::string_view text = TRY(word("text"));
  if (!node_->quoted && (text == "true" || text == "false"))
    return fail(error("a boolean where text should be (write \"" + std::string(text) + "\")"));
  if (text.size() > bytes_max)
    return fail(error("text of more than " + std::to_string(bytes_max) + " bytes (shorten it)"));
  return std::string(text);
}

Result<std::string> YamlValue::text(std::size_t bytes_max) const {
  std::string out = TRY(any_text(bytes_max));
  if (out.empty()) return fail(error("is empty (write it, or remove it)"));
  const bool control = std::ranges::any_of(out, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
  });
  if (control) return fail(error("has a line break or another control character (remove it)"));
  return out;
}

Result<bool> YamlValue::boolean() const {
  const std::string_view text = TRY(word("true or false"));
  if (text != "true" && text != "false")
    return fail(error(shown(text) + " where true or false should be"));
  if (node_->quoted) return fail(error("text where true or false should be (remove the quotes)"));
  return text == "true";
}

Result<std::uint64_t> YamlValue::integer(std::uint64_t min, std::uint64_t max) const {
  const std::string_view text = TRY(word("a number"));
  const auto value = node_->quoted ? std::nullopt : parse_decimal(text, max);
  if (!value || *value < min)
    return fail(error(shown(text) + " is no number that fits " +
                      range_text(std::to_string(min), std::to_string(max))));
  return *value;
}

Result<double> YamlValue::decimal(double min, double max) const {
  const std::string_view text = TRY(word("a number"));
  const auto value = node_->quoted ? std::nullopt : parse_decimal_fraction(text);
  if (!value || *value < min || *value > max)
    return fail(error(shown(text) + " is no number that fits " +
                      range_text(format_decimal_fraction(min), format_decimal_fraction(max))));
  return *value;
}

Result<std::uint64_t> YamlValue::size(std::uint64_t min, std::uint64_t max) const {
  const std::string_view text = TRY(word("a size"));
  const auto value = parse_size(text);
  if (!value) return fail(error(shown(text) + " is no size (write it as 4GiB, 512MiB or 100B)"));
  if (*value < min || *value > max)
    return fail(
        error(shown(text) + " is out of range " + range_text(format_size(min), format_size(max))));
  return *value;
}

Result<std::chrono::milliseconds> YamlValue::duration() const {
  const std::string_view text = TRY(word("a duration"));
  const auto value = parse_duration(text);
  if (!value || value->count() == 0)
    return fail(error(shown(text) + " is no duration (write it as 10m, 90s, 250ms or 2h)"));
  return *value;
}

Result<std::chrono::milliseconds> YamlValue::duration(std::chrono::milliseconds min,
                                                      std::chrono::milliseconds max) const {
  const std::chrono::milliseconds value = TRY(duration());
  if (value < min || value > max)
    return fail(error(shown(node_->text) + " is out of range " +
                      range_text(format_duration(min), format_duration(max))));
  return value;
}

Result<std::size_t> YamlValue::choice(std::span<const std::string_view> names) const {
  const std::string_view text = TRY(word("a word"));
  const auto found = std::ranges::find(names, text);
  if (found == names.end()) return fail(error("unknown word " + did_you_mean(text, names)));
  return static_cast<std::size_t>(found - names.begin());
}

Result<std::vector<YamlValue>> YamlValue::items(std::size_t count_max) const {
  if (!is_sequence())
    return fail(error(std::string(kind_name(node_->kind)) +
                      " where a list should be (write [a, b], or a line '- a' for each)"));
  if (node_->items.size() > count_max)
    return fail(error("a list of more than " + std::to_string(count_max)));
  std::vector<YamlValue> out;
  out.reserve(node_->items.size());
  for (const YamlNode& item : node_->items)
    out.emplace_back(file_, item, path_ + "[" + std::to_string(out.size()) + "]");
  return out;
}

YamlValue YamlValue::child(const YamlEntry& entry) const {
  return {file_, entry.value, (path_.empty() ? "" : path_ + ".") + to_printable(entry.key)};
}

Result<std::vector<YamlField>> YamlValue::fields(std::size_t count_max) const {
  if (!is_mapping())
    return fail(error(std::string(kind_name(node_->kind)) +
                      " where a mapping should be (write 'key: value' lines)"));
  if (node_->entries.size() > count_max)
    return fail(error("a mapping of more than " + std::to_string(count_max)));
  std::vector<YamlField> out;
  out.reserve(node_->entries.size());
  for (const YamlEntry& entry : node_->entries) out.push_back({entry.key, child(entry)});
  return out;
}

Result<std::vector<YamlField>> YamlValue::fields(std::span<const std::string_view> keys) const {
  std::vector<YamlField> out = TRY(fields(kYamlEntriesMax));
  for (const YamlEntry& entry : node_->entries)
    if (std::ranges::find(keys, entry.key) == keys.end())
      return fail(yaml_error(
          file_, entry.at,
          (path_.empty() ? "" : path_ + ": ") + "unknown key " + did_you_mean(entry.key, keys)));
  return out;
}

std::optional<YamlValue> YamlValue::find(std::string_view key) const {
  const auto found = std::ranges::find(node_->entries, key, &YamlEntry::key);
  if (found == node_->entries.end()) return std::nullopt;
  return child(*found);
}

Result<YamlValue> YamlValue::require(std::string_view key) const {
  if (auto value = find(key)) return *std::move(value);
  return fail(error("'" + std::string(key) + "' is missing (add '" + std::string(key) + ": …')"));
}

}  // namespace fathom::policies
