#include "sandbox/maker_name.hpp"

#include "runtime/base/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kFileBytesMax = 1UL << 16;  // of any file read here
constexpr std::size_t kBootDigits = 8;            // of the boot id, which is random
constexpr std::size_t kNameParts = 5;
constexpr std::string_view kPrefix = "fathom-";

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

// Field 22 of /proc/PID/stat: tells a process from a later one with its number.
std::string start_time(const std::string& pid) {
  const auto stat = read_file("/proc/" + pid + "/stat", kFileBytesMax);
  if (!stat) return "";
  const std::size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos || name_end + 2 > stat->size()) return "";
  const auto fields = split(std::string_view(*stat).substr(name_end + 2), ' ');
  constexpr std::size_t kStartTime = 19;  // counted from the field behind the name
  return fields.size() > kStartTime ? fields[kStartTime] : "";
}

// Within which numbers of processes mean something: process namespace and boot.
std::string place() {
  struct stat info{};
  const bool known = ::stat("/proc/self/ns/pid", &info) == 0;
  const std::string boot = read_file("/proc/sys/kernel/random/boot_id", kFileBytesMax)
                               .value_or("")
                               .substr(0, kBootDigits);
  return (known ? std::to_string(info.st_ino) : "0") + "-" + (boot.empty() ? "0" : boot);
}

UniqueFd lock(const std::filesystem::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.reset();
  return fd;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string maker_name_prefix() {
  const std::string pid = std::to_string(::getpid());
  return std::string(kPrefix) + pid + "-" + start_time(pid) + "-" + place() + "-";
}

std::string new_maker_name() {
  static int next = 0;  // folders of this process are numbered; one thread makes them
  return maker_name_prefix() + std::to_string(next++);
}

Result<UniqueFd> hold_folder(const std::filesystem::path& folder) {
  UniqueFd held = lock(folder);
  if (!held) return fail(system_error("lock " + folder.string(), errno));
  return held;
}

bool is_left_behind(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  if (!name.starts_with(kPrefix)) return false;
  const auto parts = split(std::string_view(name).substr(kPrefix.size()), '-');
  if (parts.size() != kNameParts || !is_number(parts[0]) || !is_number(parts[1])) return false;
  if (parts[2] + "-" + parts[3] == place()) return start_time(parts[0]) != parts[1];
  return static_cast<bool>(lock(folder));
}

}  // namespace fathom::sandbox
