#include "tools/edit/edit_memory.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace fathom::tools {
namespace {

std::size_t bytes_of(const Seen& seen) { return seen.bytes ? seen.bytes->size() : 0; }

}  // namespace

void EditMemory::saw(const std::string& path, Seen seen) {
  if (bytes_of(seen) > kSeenFileBytesMax) seen.bytes.reset();
  Remembered& remembered = seen_[path];
  seen_bytes_ = seen_bytes_ - bytes_of(remembered.seen) + bytes_of(seen);
  remembered = {std::move(seen), ++looks_};
  if (seen_bytes_ > kSeenBytesMax) forget_oldest_bytes();
  if (seen_.size() <= kSeenFilesMax) return;
  const auto oldest =
      std::ranges::min_element(seen_, {}, [](const auto& entry) { return entry.second.age; });
  seen_bytes_ -= bytes_of(oldest->second.seen);
  seen_.erase(oldest);
}

void EditMemory::forget_oldest_bytes() {
  while (seen_bytes_ > kSeenBytesMax) {
    Remembered* oldest = nullptr;
    for (auto& [path, remembered] : seen_)
      if (remembered.seen.bytes && (!oldest || remembered.age < oldest->age)) oldest = &remembered;
    if (!oldest) return;
    seen_bytes_ -= bytes_of(oldest->seen);
    oldest->seen.bytes.reset();
  }
}

const Seen* EditMemory::seen(const std::string& path) const {
  const auto found = seen_.find(path);
  return found == seen_.end() ? nullptr : &found->second.seen;
}

void EditMemory::restored() {
  for (auto& [path, remembered] : seen_)
    remembered.seen = {remembered.seen.identity, nullptr, true};
  seen_bytes_ = 0;
  steps_.clear();
  undo_bytes_ = 0;
}

std::deque<EditMemory::Step>::iterator EditMemory::last_step(std::string_view path) {
  for (auto step = steps_.end(); step != steps_.begin();)
    if ((--step)->path == path) return step;
  return steps_.end();
}

const UndoStep* EditMemory::last_edit(const std::string& path) const {
  for (const Step& step : std::ranges::reverse_view(steps_))
    if (step.path == path) return &step.step;
  return nullptr;
}

void EditMemory::edited(const std::string& path, const FileIdentity* before, UndoStep step) {
  const UndoStep* last = last_edit(path);
  const bool too_large = step.inverse.text.size() > kUndoBytesMax;
  const bool continues = last && before && last->after == *before && !too_large;
  if (last && !continues)
    std::erase_if(steps_, [&](const Step& old) {
      if (old.path != path) return false;
      undo_bytes_ -= old.step.inverse.text.size();
      return true;
    });
  if (too_large) return;
  undo_bytes_ += step.inverse.text.size();
  steps_.push_back({path, std::move(step)});
  while (steps_.size() > kUndoStepsMax || undo_bytes_ > kUndoBytesMax) {
    undo_bytes_ -= steps_.front().step.inverse.text.size();
    steps_.pop_front();
  }
}

void EditMemory::undone(const std::string& path, const FileIdentity* now) {
  const auto step = last_step(path);
  if (step == steps_.end()) return;
  undo_bytes_ -= step->step.inverse.text.size();
  steps_.erase(step);
  const auto earlier = last_step(path);
  if (now && earlier != steps_.end()) earlier->step.after = *now;
}

}  // namespace fathom::tools
