#include "tools/git/snapshot_record.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace fathom::tools {
namespace {

using Json = nlohmann::json;

// File names are bytes and JSON is text: each byte becomes the code point of its number.
std::string to_text(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 128) {
      text += c;
    } else {
      text += static_cast<char>(0xc0U | (byte >> 6U));
      text += static_cast<char>(0x80U | (byte & 0x3fU));
    }
  }
  return text;
}

std::string to_bytes(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xe0U) == 0xc0 && i + 1 < text.size())
      bytes += static_cast<char>((byte << 6U) |
                                 (unsigned{static_cast<unsigned char>(text[++i])} & 0x3fU));
    else
      bytes += text[i];
  }
  return bytes;
}

Json encode_git(const GitState& git) {
  return {{"presence", name_of(git.presence)},
          {"head", to_text(git.head)},
          {"commit", to_text(git.commit)},
          {"refs", git.refs}};
}

// Absent in records of before there was such a thing: unknown then.
GitState decode_git(const Json& record) {
  GitState git;
  const auto found = record.find("git");
  if (found == record.end() || !found->is_object()) return git;
  const auto text = [&](const char* key) {
    const auto at = found->find(key);
    return at != found->end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  git.presence = git_presence_from(text("presence"));
  git.head = to_bytes(text("head"));
  git.commit = to_bytes(text("commit"));
  git.refs = text("refs");
  return git;
}

}  // namespace

std::string encode_record(const SnapshotRecord& record) {
  Json uncovered = Json::array();
  for (const Uncovered& one : record.uncovered)
    uncovered.push_back({{"path", to_text(one.path)}, {"reason", to_text(one.reason)}});
  const Json json = {{"id", record.id.to_string()},  {"label", to_text(record.label)},
                     {"root", to_hex(record.root)},  {"files", record.files},
                     {"bytes", record.bytes},        {"uncovered", std::move(uncovered)},
                     {"complete", record.complete},  {"excludes", to_text(record.excludes)},
                     {"git", encode_git(record.git)}};
  return json.dump(2) + "\n";
}

Result<SnapshotRecord> decode_record(std::string_view text) {
  const auto bad = [] { return fail(ErrorCode::bad_data, "snapshot record: damaged"); };
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return bad();
  const auto string_of = [](const Json& object, const char* key) -> const std::string* {
    const auto found = object.find(key);
    return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
  };
  const auto number_of = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  };
  const std::string* id = string_of(json, "id");
  const std::string* label = string_of(json, "label");
  const std::string* root = string_of(json, "root");
  const std::string* excludes = string_of(json, "excludes");
  const auto complete = json.find("complete");
  const auto uncovered = json.find("uncovered");
  if (id == nullptr || label == nullptr || root == nullptr || excludes == nullptr ||
      complete == json.end() || !complete->is_boolean() || uncovered == json.end() ||
      !uncovered->is_array())
    return bad();
  SnapshotRecord record;
  record.id = TRY(SnapshotId::parse(*id));
  record.label = to_bytes(*label);
  record.root = TRY(object_id_from_hex(*root));
  record.files = number_of("files");
  record.bytes = number_of("bytes");
  record.complete = complete->get<bool>();
  record.excludes = to_bytes(*excludes);
  record.git = decode_git(json);
  for (const Json& one : *uncovered) {
    if (!one.is_object()) return bad();
    const std::string* path = string_of(one, "path");
    const std::string* reason = string_of(one, "reason");
    if (path == nullptr || reason == nullptr) return bad();
    record.uncovered.push_back({to_bytes(*path), to_bytes(*reason)});
  }
  return record;
}

}  // namespace fathom::tools
