#include "tests/sandbox/probes/probe_box.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace fathom::test {
namespace {

constexpr const char* kVariable = "FATHOM_PROBES_SETUID";

// Nobody's, so that a copy that outlives a killed test gives nobody anything.
constexpr uid_t kOwner = 12346;

// Made once a process, below a folder that the sandbox shows; gone with the process.
class SetuidCopy {
 public:
  SetuidCopy() {
    if (::geteuid() != 0) return;
    char name[] = "/var/lib/fathom-probes-XXXXXX";
    if (::mkdtemp(name) == nullptr) return;
    folder_ = name;
    path_ = folder_ + "/probes";
    std::filesystem::copy_file(FATHOM_PROBES, path_);
    if (::chmod(folder_.c_str(), 0755) == 0 && ::chown(path_.c_str(), kOwner, kOwner) == 0 &&
        ::chmod(path_.c_str(), 04755) == 0)
      ::setenv(kVariable, path_.c_str(), 1);
  }
  ~SetuidCopy() {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  SetuidCopy(const SetuidCopy&) = delete;
  SetuidCopy& operator=(const SetuidCopy&) = delete;

 private:
  std::string folder_;
  std::string path_;
};

}  // namespace

std::string setuid_probes() {
  static const SetuidCopy copy;
  const char* path = std::getenv(kVariable);
  return path != nullptr ? path : "";
}

}  // namespace fathom::test
