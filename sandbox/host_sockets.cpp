#include "sandbox/host_sockets.hpp"

#include "runtime/base/file.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kTableBytesMax = 8UL << 20;
constexpr int kFieldsBeforePath = 7;  // Num RefCount Protocol Flags Type St Inode Path

// What stands after the inode, blanks included: a path may hold some.
std::string_view path_field(std::string_view line) {
  for (int field = 0; field < kFieldsBeforePath; ++field) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    line.remove_prefix(std::min(line.find(' '), line.size()));
  }
  line.remove_prefix(std::min<std::size_t>(1, line.size()));
  return line;
}

bool is_socket(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

}  // namespace

std::vector<std::string> parse_socket_paths(std::string_view text) {
  std::vector<std::string> paths;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (const std::string_view path = path_field(line); path.starts_with('/'))
      paths.emplace_back(path);
  }
  std::ranges::sort(paths);
  const auto repeated = std::ranges::unique(paths);
  paths.erase(repeated.begin(), repeated.end());
  return paths;
}

Result<std::vector<std::string>> host_socket_paths() {
  auto table = read_file("/proc/self/net/unix", kTableBytesMax);
  if (!table) return fail(context("sandbox: the host's sockets", std::move(table).error()));
  std::vector<std::string> paths = parse_socket_paths(*table);
  std::erase_if(paths, [](const std::string& path) { return !is_socket(path); });
  return paths;
}

}  // namespace fathom::sandbox
