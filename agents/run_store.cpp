#include "agents/run_store.hpp"

#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <algorithm>
#include <cctype>
#include <random>
#include <system_error>

namespace fathom::agents {
namespace {

constexpr std::string_view kJournalSuffix = ".jsonl";
constexpr std::size_t kShortestEnd = 4;  // characters of an id that may stand for it

std::string upper_case(std::string_view text) {
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper;
}

// FNV-1a: a name for a folder, not a secret.
std::string name_of_place(std::string_view workspace) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : workspace) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::string name;
  for (int shift = 60; shift >= 0; shift -= 4) name += "0123456789abcdef"[hash >> shift & 15];
  return name;
}

}  // namespace

Result<RunStore> RunStore::open(std::filesystem::path state) {
  for (const char* folder : {"journals", "outputs", "blobs", "snapshots", "tests"})
    TRY(create_private_dirs(state / folder));
  return RunStore(std::move(state));
}

RunId RunStore::new_run(Clock& clock) {
  static UlidSource source = [] {
    std::random_device device;
    return UlidSource((std::uint64_t{device()} << 32) | device());
  }();
  const auto now = std::chrono::floor<std::chrono::milliseconds>(clock.wall_now());
  return RunId{source.next(static_cast<std::uint64_t>(now.time_since_epoch().count()))};
}

std::filesystem::path RunStore::journal(const RunId& run) const {
  return state_ / "journals" / (run.to_string() + std::string(kJournalSuffix));
}

std::filesystem::path RunStore::outputs(std::string_view workspace) const {
  return state_ / "outputs" / name_of_place(workspace);
}

std::filesystem::path RunStore::test_baseline(std::string_view workspace) const {
  return state_ / "tests" / (name_of_place(workspace) + ".json");
}

Result<std::vector<RunId>> RunStore::list() const {
  std::vector<RunId> runs;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(state_ / "journals", error), end;
       !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.ends_with(kJournalSuffix)) continue;
    const auto run = RunId::parse(std::string_view(name).substr(0, name.size() - 6));
    if (run) runs.push_back(*run);
  }
  if (error) return fail(system_error("list runs in " + state_.string(), error.value()));
  std::ranges::sort(runs, std::greater<>());
  return runs;
}

Result<RunId> RunStore::find(std::string_view text) const {
  const std::string wanted = upper_case(text);
  const std::vector<RunId> runs = TRY(list());
  std::vector<RunId> found;
  for (const RunId& run : runs)
    if (wanted.size() >= kShortestEnd && run.to_string().ends_with(wanted)) found.push_back(run);
  const std::string shown = "run '" + to_printable(clip_prefix(text, 40)) + "'";
  if (found.size() == 1) return found.front();
  if (found.empty())
    return fail(ErrorCode::not_found,
                "no " + shown +
                    (runs.empty() ? "; there are no runs yet"
                                  : "; the newest is " + runs.front().to_string()));
  return fail(ErrorCode::usage, shown + " is the end of " + std::to_string(found.size()) +
                                    " ids: give more of it, such as " + found.front().to_string());
}

void RunStore::sweep_outputs() const {
  std::vector<std::filesystem::path> folders;
  std::error_code error;
  for (std::filesystem::directory_iterator place(state_ / "outputs", error), end;
       !error && place != end; place.increment(error)) {
    std::error_code gone;
    for (std::filesystem::directory_iterator run(place->path(), gone); !gone && run != end;
         run.increment(gone))
      if (RunId::parse(run->path().filename().string())) folders.push_back(run->path());
  }
  if (folders.size() <= kOutputFoldersMax) return;
  std::ranges::sort(folders, std::greater<>(),
                    [](const std::filesystem::path& path) { return path.filename(); });
  for (std::size_t i = kOutputFoldersMax; i < folders.size(); ++i)
    std::filesystem::remove_all(folders[i], error);
}

}  // namespace fathom::agents
