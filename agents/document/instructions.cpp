#include "agents/document/instructions.hpp"

#include "policies/decide.hpp"
#include "runtime/base/text.hpp"
#include "tools/edit/workspace_files.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace fathom::agents {
namespace {

using sandbox::FileType;
using tools::ResolvedPath;

constexpr std::string_view kSkillName = "SKILL.md";

struct HeadOfFile {
  std::string bytes;
  std::size_t bytes_cut = 0;
};

// What was cut off may have ended in the middle of a character.
void drop_half_character(std::string& bytes) {
  constexpr std::size_t kHalfBytesMax = 3;
  const std::size_t flaw = find_invalid_utf8(std::string_view(bytes));
  if (flaw != std::string::npos && bytes.size() - flaw <= kHalfBytesMax) bytes.resize(flaw);
}

class Reader {
 public:
  Reader(const policies::Policy& policy, const tools::WorkspaceFiles& files)
      : policy_(policy), files_(files) {}

  void file(const std::string& path);
  void skills(const std::string& folder);
  Instructions finish() && { return std::move(out_); }

 private:
  void note(const std::string& path, const std::string& what) {
    out_.notes.push_back(to_printable(path) + ": " + what);
  }
  std::optional<ResolvedPath> place(const std::string& path);
  std::optional<HeadOfFile> head(const std::string& path, const ResolvedPath& at,
                                 std::size_t bytes_max);
  std::string mended(const std::string& path, std::string bytes);
  bool skill(const std::string& path);

  const policies::Policy& policy_;
  const tools::WorkspaceFiles& files_;
  Instructions out_;
  std::size_t bytes_ = 0;
  std::vector<std::string> seen_;  // real paths of skills
};

// What is at `path`, if something is and a command might read it too.
std::optional<ResolvedPath> Reader::place(const std::string& path) {
  auto at = files_.resolve(path);
  if (!at) {
    note(path, "not read: " + at.error().message);
    return std::nullopt;
  }
  if (!at->exists) return std::nullopt;
  const policies::Decision decision =
      policies::decide(policy_, policies::request::ReadPath{at->path});
  if (decision.verdict == policies::Verdict::allow) return *std::move(at);
  note(path, "not read: the policy hides it (rule " + to_printable(decision.rule) + ")");
  return std::nullopt;
}

std::optional<HeadOfFile> Reader::head(const std::string& path, const ResolvedPath& at,
                                       std::size_t bytes_max) {
  HeadOfFile out;
  std::size_t size = 0;
  const auto scanned = files_.scan(at, [&](std::string_view piece) {
    const std::size_t room = bytes_max - std::min(bytes_max, out.bytes.size());
    out.bytes += piece.substr(0, room);
    size += piece.size();
    return size <= bytes_max;
  });
  if (!scanned) {
    note(path, "not read: " + scanned.error().message);
    return std::nullopt;
  }
  const auto whole = static_cast<std::size_t>(scanned->bytes);
  if (whole > out.bytes.size()) out.bytes_cut = whole - out.bytes.size();
  return out;
}

std::string Reader::mended(const std::string& path, std::string bytes) {
  if (find_invalid_utf8(bytes) == std::string::npos) return bytes;
  note(path, "not UTF-8: what is none was replaced");
  return to_valid_utf8(bytes);
}

void Reader::file(const std::string& path) {
  const auto at = place(path);
  if (!at) return;
  const std::size_t left = kInstructionBytesMax - bytes_;
  if (left == 0) return note(path, "not read: the files before it are long enough");
  auto read = head(path, *at, std::min(kInstructionFileBytesMax, left));
  if (!read) return;
  InstructionFile file{path, "", read->bytes_cut};
  if (file.bytes_cut > 0) {
    // The last line would be half of one.
    const std::size_t before = read->bytes.size();
    if (const std::size_t end = read->bytes.rfind('\n'); end != std::string::npos) {
      read->bytes.resize(end + 1);
    } else {
      drop_half_character(read->bytes);
    }
    file.bytes_cut += before - read->bytes.size();
    note(path, "the last " + std::to_string(file.bytes_cut) + " bytes were left out (at most " +
                   format_bytes(kInstructionFileBytesMax) + " of a file, " +
                   format_bytes(kInstructionBytesMax) + " of all)");
  }
  bytes_ += read->bytes.size();
  file.text = mended(path, std::move(read->bytes));
  if (file.text.find_first_not_of(" \t\r\n") == std::string::npos) return;
  // CLAUDE.md is often a copy of AGENTS.md, or a link to it.
  const auto same = std::ranges::find(out_.files, file.text, &InstructionFile::text);
  if (same == out_.files.end()) out_.files.push_back(std::move(file));
}

// False when there is no such file.
bool Reader::skill(const std::string& path) {
  const auto at = place(path);
  if (!at) return false;
  if (std::ranges::find(seen_, at->path) != seen_.end()) return true;
  seen_.push_back(at->path);
  auto read = head(path, *at, kSkillHeadBytesMax);
  if (!read) return true;
  if (read->bytes_cut > 0) drop_half_character(read->bytes);
  auto parsed = parse_skill_head(mended(path, std::move(read->bytes)), to_printable(path));
  if (!parsed) {
    out_.notes.push_back(parsed.error().message);
  } else if (out_.skills.size() >= kSkillsMax) {
    note(path, "left out: more than " + std::to_string(kSkillsMax) + " skills");
  } else {
    out_.skills.push_back({*std::move(parsed), path});
  }
  return true;
}

void Reader::skills(const std::string& folder) {
  if (skill(folder + "/" + std::string(kSkillName))) return;
  const auto at = place(folder);
  if (!at) return;
  if (at->type != FileType::directory) return note(folder, "not read: it is no folder");
  const auto listing = files_.list(*at, kSkillEntriesMax);
  if (!listing) return note(folder, "not read: " + listing.error().message);
  if (!listing->complete)
    note(folder, "only the first " + std::to_string(kSkillEntriesMax) + " entries were looked at");
  for (const tools::ListedEntry& entry : listing->entries)
    if (entry.type != FileType::regular)
      skill(folder + "/" + entry.name + "/" + std::string(kSkillName));
}

}  // namespace

Result<Instructions> read_instructions(const AgentDocument& agent, const policies::Policy& policy) {
  const auto files = TRY(tools::HostFiles::create(policy.filesystem.workspace_root, {}));
  Reader reader(policy, *files);
  for (const std::string& path : agent.instructions) reader.file(path);
  for (const std::string& folder : agent.skills) reader.skills(folder);
  return std::move(reader).finish();
}

}  // namespace fathom::agents
