#include "tools/edit/folder_view.hpp"

#include "runtime/base/text.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <string_view>
#include <utility>

namespace fathom::tools {
namespace {

using sandbox::FileType;

constexpr std::array<std::string_view, 6> kHeavyNames = {
    "__pycache__", "bower_components", "node_modules", "site-packages", "target", "venv"};

bool is_summarised(std::string_view name) {
  return name.starts_with('.') || std::ranges::find(kHeavyNames, name) != kHeavyNames.end();
}

std::string shown_name(const ListedEntry& entry) {
  const std::string name = to_printable(entry.name);
  if (entry.type == FileType::directory) return name + "/";
  return entry.type == FileType::symlink ? name + "@" : name;
}

std::string entries_of(const FolderListing& listing) {
  return std::to_string(listing.entries.size()) + (listing.complete ? "" : " or more") +
         (listing.entries.size() == 1 ? " entry" : " entries");
}

class Writer {
 public:
  void line(const std::string& text) {
    if (view_.entries == kFolderLinesMax) {
      view_.cut = true;
      return;
    }
    view_.text.append(text).append(1, '\n');
    ++view_.entries;
  }
  [[nodiscard]] bool is_full() const { return view_.cut; }
  void cut() { view_.cut = true; }
  FolderView take() { return std::move(view_); }

 private:
  FolderView view_;
};

void write_inner(Writer& writer, const std::string& folder, const Result<FolderListing>& inner,
                 bool summarised) {
  if (!inner) {
    writer.line(folder + " (cannot be read)");
    return;
  }
  if (summarised) {
    writer.line(folder + " (" + entries_of(*inner) + ", not shown)");
    return;
  }
  writer.line(folder);
  const std::size_t shown = std::min(inner->entries.size(), kFolderEntriesShownMax);
  for (std::size_t i = 0; i < shown; ++i) writer.line(folder + shown_name(inner->entries[i]));
  if (shown == inner->entries.size() && inner->complete) return;
  writer.line(folder + "… (" + entries_of(*inner) + ", " + std::to_string(shown) + " shown)");
}

}  // namespace

Result<FolderView> view_folder(const WorkspaceFiles& files, const ResolvedPath& place) {
  const FolderListing top = TRY(files.list(place, kFolderEntriesReadMax));
  Writer writer;
  if (!top.complete) writer.cut();
  for (const ListedEntry& entry : top.entries) {
    if (entry.type != FileType::directory) {
      writer.line(shown_name(entry));
      continue;
    }
    ResolvedPath inner = place;
    inner.path += (inner.path.ends_with('/') ? "" : "/") + entry.name;
    write_inner(writer, shown_name(entry), files.list(inner, kFolderEntriesReadMax),
                is_summarised(entry.name));
    if (writer.is_full()) break;
  }
  return writer.take();
}

std::vector<std::string> files_below(const WorkspaceFiles& files, const ResolvedPath& place,
                                     std::size_t count_max) {
  std::vector<std::string> found;
  std::deque<ResolvedPath> folders = {place};
  for (; !folders.empty() && found.size() < count_max; folders.pop_front()) {
    const auto listing = files.list(folders.front(), kFolderEntriesReadMax);
    if (!listing) continue;
    const std::string shown = folders.front().shown;
    const std::string before = shown == "." ? "" : shown + "/";
    for (const ListedEntry& entry : listing->entries) {
      if (is_summarised(entry.name)) continue;
      if (entry.type == FileType::regular && found.size() < count_max)
        found.push_back(before + entry.name);
      if (entry.type != FileType::directory || folders.size() > count_max) continue;
      if (auto inner = files.resolve(before + entry.name)) folders.push_back(*std::move(inner));
    }
  }
  return found;
}

}  // namespace fathom::tools
