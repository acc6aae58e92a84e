#include "sandbox/tree_meter.hpp"

#include "runtime/base/file.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kFileBytesMax = 1UL << 20;
constexpr std::uint64_t kBlockBytes = 512;  // of st_blocks, whatever the file system's are
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// "write_bytes: 123" and "Rss:   123 kB" among other lines.
std::uint64_t field(std::string_view text, std::string_view name) {
  std::size_t at = text.starts_with(name) ? 0 : text.find("\n" + std::string(name));
  if (at == std::string_view::npos) return 0;
  at = text.find_first_of("0123456789", at + name.size());
  if (at == std::string_view::npos) return 0;
  std::uint64_t value = 0;
  std::from_chars(text.data() + at, text.data() + text.size(), value);
  return value;
}

// utime, stime, cutime and cstime of proc(5), behind the name, which may hold anything.
std::chrono::milliseconds cpu_in(std::string_view stat) {
  constexpr int kBefore = 11;  // fields between the name and utime
  static const long ticks_per_second = ::sysconf(_SC_CLK_TCK);
  std::size_t at = stat.rfind(')');
  for (int i = 0; i <= kBefore && at != std::string_view::npos; ++i) at = stat.find(' ', at + 1);
  std::uint64_t ticks = 0;
  for (int i = 0; i < 4 && at != std::string_view::npos; ++i) {
    std::uint64_t value = 0;
    std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), value);
    ticks += value;
    at = stat.find(' ', at + 1);
  }
  return std::chrono::milliseconds(ticks * 1000 / static_cast<std::uint64_t>(ticks_per_second));
}

// The children of one thread: a process belongs to the thread that forked it.
void append_children(const std::string& thread, std::vector<pid_t>& tree) {
  const auto text = read_file(thread + "/children", kFileBytesMax);
  if (!text) return;
  const char* at = text->data();
  const char* end = at + text->size();
  while (at < end && tree.size() < kTreeProcessesMax) {
    pid_t child = 0;
    const auto [next, error] = std::from_chars(at, end, child);
    if (error == std::errc()) tree.push_back(child);
    at = next + 1;
  }
}

void append_children_of_threads(const std::string& process, std::vector<pid_t>& tree) {
  std::error_code ended;
  std::filesystem::directory_iterator threads(process + "/task", ended);
  for (const std::filesystem::directory_iterator end; !ended && threads != end;
       threads.increment(ended))
    append_children(threads->path().string(), tree);
}

bool is_memory(const std::string& path) {
  struct statfs system{};
  return ::statfs(path.c_str(), &system) != 0 || system.f_type == TMPFS_MAGIC ||
         system.f_type == HUGETLBFS_MAGIC;
}

}  // namespace

AllocationMeter::AllocationMeter() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  started_ns_ = now.tv_sec * kNsPerSecond + now.tv_nsec;
}

void AllocationMeter::look_at(const std::string& open_file) {
  struct statx info{};
  if (::statx(AT_FDCWD, open_file.c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &info) != 0 ||
      !S_ISREG(info.stx_mode) || is_memory(open_file))
    return;
  const std::uint64_t bytes = info.stx_blocks * kBlockBytes;
  const File file{std::uint64_t{info.stx_dev_major} << 32 | info.stx_dev_minor, info.stx_ino};
  const auto known = files_.find(file);
  if (known != files_.end()) {
    known->second.most = std::max(known->second.most, bytes);
  } else if (files_.size() < kFilesMax) {
    const bool is_new =
        (info.stx_mask & STATX_BTIME) != 0 &&
        info.stx_btime.tv_sec * kNsPerSecond + info.stx_btime.tv_nsec >= started_ns_;
    files_[file] = {is_new ? 0 : bytes, bytes};
  }
}

std::uint64_t AllocationMeter::measure(pid_t root) {
  std::vector<pid_t> tree{root};
  for (std::size_t i = 0; i < tree.size(); ++i)
    append_children_of_threads("/proc/" + std::to_string(tree[i]), tree);
  std::size_t looked_at = 0;
  for (std::size_t i = 0; i < tree.size() && looked_at < kLookedAtMax; ++i) {
    turn_ = (turn_ + 1) % tree.size();
    std::error_code ended;
    std::filesystem::directory_iterator open_files("/proc/" + std::to_string(tree[turn_]) + "/fd",
                                                   ended);
    for (const std::filesystem::directory_iterator end;
         !ended && open_files != end && looked_at < kLookedAtMax;
         open_files.increment(ended), ++looked_at)
      look_at(open_files->path().string());
  }
  std::uint64_t bytes = 0;
  for (const auto& [file, seen] : files_) bytes += seen.most - std::min(seen.before, seen.most);
  return bytes;
}

TreeUse measure_tree(pid_t root) {
  TreeUse use;
  std::vector<pid_t> tree{root};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const std::string folder = "/proc/" + std::to_string(tree[i]);
    append_children_of_threads(folder, tree);
    // Anonymous and shared memory without what other processes map as well would need smaps, which
    // is slow and refused for processes of other ids; the resident size bounds it from above.
    if (const auto status = read_file(folder + "/status", kFileBytesMax)) {
      use.memory_bytes +=
          (field(*status, "RssAnon:") + field(*status, "RssShmem:") + field(*status, "VmSwap:")) *
          1024;
      ++use.processes;
    }
    if (const auto stat = read_file(folder + "/stat", kFileBytesMax)) use.cpu += cpu_in(*stat);
    if (const auto io = read_file(folder + "/io", kFileBytesMax))
      use.written_bytes += field(*io, "write_bytes:");
  }
  return use;
}

pid_t pid_of(int pidfd) {
  const auto text = read_file("/proc/self/fdinfo/" + std::to_string(pidfd), kFileBytesMax);
  if (!text) return -1;
  const std::size_t at = text->find("Pid:");
  if (at == std::string::npos) return -1;
  const std::size_t start = text->find_first_not_of(" \t", at + 4);
  pid_t pid = -1;
  if (start != std::string::npos)
    std::from_chars(text->data() + start, text->data() + text->size(), pid);
  return pid;
}

}  // namespace fathom::sandbox
