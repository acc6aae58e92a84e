#include "sandbox/denied_paths.hpp"

#include "policies/decide.hpp"
#include "policies/path_rules.hpp"
#include "sandbox/target.hpp"

#include <algorithm>
#include <array>

namespace fathom::sandbox {
namespace {

// What every session may open for writing without a word of policy: devices, terminals, and the
// files of /proc about oneself, which the kernel guards file by file.
bool is_always_there(std::string_view path) {
  constexpr std::array<std::string_view, 12> kNames = {
      "/dev/null",   "/dev/zero", "/dev/full",   "/dev/random", "/dev/urandom", "/dev/tty",
      "/dev/stdout", "/dev/ptmx", "/dev/stderr", "/dev/stdin",  "/dev/console", "/proc"};
  if (std::ranges::find(kNames, path) != kNames.end()) return true;
  return policies::is_at_or_below(path, "/proc") || policies::is_at_or_below(path, "/dev/pts") ||
         policies::is_at_or_below(path, "/dev/fd");
}

bool may_write(const FileFences& fences, const ViewEntry* entry, const std::string& path) {
  const auto covers = [&](const std::string& pin) { return policies::is_at_or_below(path, pin); };
  if (std::ranges::any_of(fences.read_only, covers)) return false;
  if (fences.private_folders && policies::is_at_or_below(path, "/dev/shm")) return true;
  if (entry == nullptr) return false;
  if (entry->show == Show::private_folder) return fences.private_folders;
  return entry->show == Show::write;
}

bool is_hidden(const ViewEntry* entry, std::string_view path) {
  if (entry == nullptr) return false;
  if (entry->show == Show::hidden) return true;
  return entry->show == Show::private_folder && entry->name == "home" && path != entry->path;
}

// What is hidden in a private folder is simply not in it: the session may have its own there, as it
// has its run-time folder below the hidden /run/user.
const ViewEntry* standing_entry(const FileFences& fences, const std::string& path) {
  const ViewEntry* entry = entry_for(fences.entries, path);
  while (fences.private_folders && entry != nullptr && entry->show == Show::hidden) {
    const std::size_t slash = entry->path.find_last_of('/');
    const ViewEntry* around = entry_for(fences.entries, entry->path.substr(0, slash));
    if (around == nullptr || around->show == Show::read || around->show == Show::write) break;
    if (around->show == Show::private_folder) return around;
    entry = around;
  }
  return entry_for(fences.entries, path);
}

std::optional<Denial> judge(const FileFences& fences, const std::string& path,
                            std::string_view what) {
  if (may_write(fences, standing_entry(fences, path), path)) return std::nullopt;
  const auto decision = policies::decide(fences.policy, policies::request::WritePath{path});
  // The fences are narrower than the policy where this rung cannot do better (no private /tmp).
  const bool narrower = decision.verdict == policies::Verdict::allow;
  return Denial{.what = std::string(what),
                .target = path,
                .rule = narrower ? "sandbox.view" : decision.rule,
                .grant = decision.grant};
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0
}

bool is_shell(std::string_view program) {
  constexpr std::array<std::string_view, 6> kShells = {"sh", "bash", "dash", "zsh", "ksh", "ash"};
  return std::ranges::find(kShells, base_name(program)) != kShells.end();
}

// The words of a script as far as paths go: split at what separates words, quotes removed. Good
// enough for names written out; nothing depends on it.
std::vector<std::string> words_of(std::string_view script) {
  constexpr std::string_view kBetween = " \t\r\n;|&()<>`'\"=,";
  std::vector<std::string> words;
  while (!script.empty()) {
    const std::size_t end = std::min(script.find_first_of(kBetween), script.size());
    if (end > 0) words.emplace_back(script.substr(0, end));
    script.remove_prefix(std::min(end + 1, script.size()));
  }
  return words;
}

// "" when the word names no path that could be hidden: relative ones stay in the workspace unless
// they climb.
std::string path_named_by(std::string_view word, const NamedCommand& command) {
  if (word.starts_with('@')) word.remove_prefix(1);  // curl -d @FILE
  for (const std::string_view home : {"~", "$HOME", "${HOME}"}) {
    if (command.home.empty() || !word.starts_with(home)) continue;
    const std::string_view rest = word.substr(home.size());
    if (rest.empty() || rest.starts_with('/')) return normal_path(command.home + std::string(rest));
  }
  if (word.starts_with('/')) return normal_path(word);
  if (word.find("..") == std::string_view::npos) return "";
  return normal_path(command.working_dir + "/" + std::string(word));
}

std::vector<std::string> all_words(const std::vector<std::string>& argv) {
  std::vector<std::string> words;
  const bool shell = !argv.empty() && is_shell(argv.front());
  std::size_t left = kNamedBytesMax;
  for (const std::string& argument : argv) {
    const std::string_view text = std::string_view(argument).substr(0, left);
    left -= text.size();
    words.emplace_back(text);
    const std::size_t equals = text.find('=');  // --file=PATH
    if (shell)
      std::ranges::move(words_of(text), std::back_inserter(words));
    else if (equals != std::string_view::npos)
      words.emplace_back(text.substr(equals + 1));
  }
  return words;
}

}  // namespace

const ViewEntry* entry_for(const std::vector<ViewEntry>& entries, std::string_view path) {
  const ViewEntry* best = nullptr;
  for (const ViewEntry& entry : entries)
    if (policies::is_at_or_below(path, entry.path) &&
        (best == nullptr || entry.path.size() > best->path.size()))
      best = &entry;
  return best;
}

std::optional<Denial> judge_write(const FileFences& fences, const std::string& path) {
  if (is_always_there(path)) return std::nullopt;
  return judge(fences, path, "write");
}

std::optional<Denial> judge_change(const FileFences& fences, const std::string& path) {
  return judge(fences, path, "change");
}

std::vector<std::string> named_hidden_paths(const NamedCommand& command,
                                            const std::vector<ViewEntry>& entries) {
  std::vector<std::string> paths;
  for (const std::string& word : all_words(command.argv)) {
    std::string path = path_named_by(word, command);
    if (path.empty() || !is_hidden(entry_for(entries, path), path)) continue;
    if (std::ranges::find(paths, path) == paths.end() && paths.size() < kDenialsMax)
      paths.push_back(std::move(path));
  }
  return paths;
}

std::vector<Denial> named_denials(const FileFences& fences, const NamedCommand& command,
                                  const std::function<bool(const std::string&)>& exists) {
  std::vector<Denial> denials;
  for (const std::string& path : named_hidden_paths(command, fences.entries)) {
    if (!exists(path)) continue;
    const auto decision = policies::decide(fences.policy, policies::request::ReadPath{path});
    if (decision.verdict == policies::Verdict::allow) continue;
    denials.push_back({.what = "read",
                       .target = path,
                       .rule = decision.rule,
                       .grant = decision.grant,
                       .note = "named in the command"});
  }
  return denials;
}

}  // namespace fathom::sandbox
