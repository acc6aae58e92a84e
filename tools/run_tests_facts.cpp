// Looking at a workspace for its tests. The repository may be hostile: no link is followed, nothing
// is opened that could block, and every file and listing has a bound.
#include "runtime/base/unique_fd.hpp"
#include "sandbox/directory.hpp"
#include "tools/run_tests_plan.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace fathom::tools {
namespace {

constexpr std::size_t kEntriesMax = 2'000;           // looked at in one folder
constexpr std::size_t kFactsBytesMax = 256UL << 10;  // of one file
constexpr std::size_t kFoldersMax = 64;              // looked into below the top one

class Facts {
 public:
  explicit Facts(UniqueFd root) : root_(std::move(root)) {}

  Result<WorkspaceFacts> look();

 private:
  [[nodiscard]] std::string text_of(const std::string& name) const;
  [[nodiscard]] std::vector<sandbox::Listed> entries(const std::string& folder) const;
  [[nodiscard]] bool holds(const std::string& folder, const std::string& name) const;
  void look_below(const std::string& folder, WorkspaceFacts& facts) const;

  UniqueFd root_;
};

std::string Facts::text_of(const std::string& name) const {
  const auto text = sandbox::read_regular(root_.get(), name, kFactsBytesMax);
  return text ? *text : std::string();
}

std::vector<sandbox::Listed> Facts::entries(const std::string& folder) const {
  const auto opened = sandbox::open_directory(root_.get(), folder);
  if (!opened) return {};
  auto listing = sandbox::list(opened->get(), kEntriesMax);
  if (!listing) return {};
  std::ranges::sort(listing->entries, {}, &sandbox::Listed::name);
  return std::move(listing->entries);
}

bool Facts::holds(const std::string& folder, const std::string& name) const {
  const auto opened = sandbox::open_directory(root_.get(), folder);
  if (!opened) return false;
  const auto stamp = sandbox::stamp_of(opened->get(), name);
  return stamp && stamp->type == sandbox::FileType::regular;
}

bool is_python_test(std::string_view name) {
  return name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"));
}

void Facts::look_below(const std::string& folder, WorkspaceFacts& facts) const {
  const bool build = folder.find("build") != std::string::npos || folder == "out";
  if (holds(folder, "CTestTestfile.cmake")) facts.build_dirs.push_back(folder);
  const bool tests = folder == "test" || folder == "tests";
  if (!build && !tests) return;
  std::size_t left = kFoldersMax;
  bool python = false;
  for (const sandbox::Listed& entry : entries(folder)) {
    python |= tests && is_python_test(entry.name);
    // build/release and its like, one for each configuration.
    if (build && entry.type == sandbox::FileType::directory && left > 0) {
      --left;
      const std::string inner = folder + "/" + entry.name;
      if (holds(inner, "CTestTestfile.cmake") && holds(inner, "CMakeCache.txt"))
        facts.build_dirs.push_back(inner);
    }
  }
  if (python) facts.python_tests.push_back(folder);
}

Result<WorkspaceFacts> Facts::look() {
  WorkspaceFacts facts;
  bool python = false;
  std::size_t left = kFoldersMax;
  for (const sandbox::Listed& entry : entries("")) {
    facts.names.push_back(entry.name);
    python |= is_python_test(entry.name);
    if (entry.type == sandbox::FileType::directory && !entry.name.starts_with('.') && left > 0) {
      --left;
      look_below(entry.name, facts);
    }
  }
  if (python) facts.python_tests.insert(facts.python_tests.begin(), ".");
  facts.cmake_lists = text_of("CMakeLists.txt");
  facts.package_json = text_of("package.json");
  for (const char* name : {"GNUmakefile", "makefile", "Makefile"})
    if (facts.makefile.empty()) facts.makefile = text_of(name);
  for (const char* name : {"pyproject.toml", "setup.cfg", "tox.ini"})
    facts.python_settings += text_of(name);
  return facts;
}

}  // namespace

Result<WorkspaceFacts> look_at_tests(const std::string& workspace) {
  UniqueFd root(::open(workspace.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail(system_error("open " + workspace, errno));
  return Facts(std::move(root)).look();
}

}  // namespace fathom::tools
