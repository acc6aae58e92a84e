#include "sandbox/tree_meter.hpp"

#include "runtime/base/file.hpp"

#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <string>
#include <vector>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kFileBytesMax = 1UL << 20;

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

}  // namespace

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
