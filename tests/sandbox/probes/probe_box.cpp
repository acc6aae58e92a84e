#include "tests/sandbox/probes/probe_box.hpp"

#include "policies/policy_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/run_program.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace fathom::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPrivateBytesMax = 32UL << 20;  // of /tmp, /run, /dev/shm and home
constexpr std::uint32_t kProcessesMax = 100;

const std::vector<std::string>& secret_environment() {
  static const std::vector<std::string> names = {"AWS_SECRET_ACCESS_KEY",
                                                 "AWS_SESSION_TOKEN",
                                                 "GH_TOKEN",
                                                 "GITHUB_TOKEN",
                                                 "NPM_TOKEN",
                                                 "OPENAI_API_KEY",
                                                 "ANTHROPIC_API_KEY",
                                                 "DATABASE_URL",
                                                 "PGPASSWORD",
                                                 "MYSQL_PWD",
                                                 "REDIS_URL",
                                                 "SSH_AUTH_SOCK",
                                                 "SSH_AGENT_PID",
                                                 "GPG_AGENT_INFO",
                                                 "DBUS_SESSION_BUS_ADDRESS",
                                                 "DISPLAY",
                                                 "WAYLAND_DISPLAY",
                                                 "KUBECONFIG",
                                                 "DOCKER_HOST",
                                                 "VAULT_TOKEN",
                                                 "CI_JOB_TOKEN",
                                                 "SLACK_TOKEN",
                                                 "STRIPE_SECRET_KEY",
                                                 "TWINE_PASSWORD",
                                                 "CARGO_REGISTRY_TOKEN",
                                                 "HF_TOKEN",
                                                 "SENTRY_DSN",
                                                 "AZURE_CLIENT_SECRET",
                                                 "GOOGLE_APPLICATION_CREDENTIALS"};
  return names;
}

std::vector<std::string> environment() {
  std::vector<std::string> entries = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"};
  for (const std::string& name : secret_environment()) entries.push_back(name + "=secret");
  return entries;
}

void write(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

// "outside": readable by everybody, so that what keeps a child from writing is the sandbox alone.
void fill_outside(const fs::path& folder, const fs::path& socket) {
  for (const char* name : {"file", "second", "folder/inner"}) write(folder / name, "old\n");
  fs::create_directories(folder / "empty");
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    fs::permissions(entry.path(), fs::perms::all);
  fs::permissions(folder, fs::perms::all);
  if (!fs::exists(folder / "socket")) fs::create_hard_link(socket, folder / "socket");
}

void fill_work(const fs::path& folder, const fs::path& outside, const fs::path& home) {
  for (const char* name : {"mine", "folder/inner", "plain/inner"}) write(folder / name, "old\n");
  for (const char* repository : {".git", "folder/.git"}) {
    write(folder / repository / "HEAD", "ref: refs/heads/main\n");
    write(folder / repository / "config", "[core]\n\tbare = false\n");
    write(folder / repository / "hooks/sample", "old\n");
    fs::create_directories(folder / repository / "objects");
    fs::create_directories(folder / repository / "refs/heads");
  }
  fs::create_symlink(outside / "file", folder / "way");
  fs::create_symlink(outside, folder / "ways");
  fs::create_symlink(home / ".ssh/id_rsa", folder / "to-secret");
}

void fill_home(const fs::path& folder) {
  for (const char* name :
       {".ssh/id_rsa", ".aws/credentials", ".config/gcloud/token", ".netrc", ".docker/config.json",
        ".kube/config", ".mozilla/cookies", ".local/share/keyrings/login", ".bash_history",
        ".cargo/credentials.toml", ".cargo/config.toml", ".gitconfig",
        ".config/fathom/policy.yaml"})
    write(folder / name, "SECRET\n");
}

void clear(const fs::path& folder) {
  // By rm: a tree that is thousands of folders deep outruns std::filesystem's open descriptors.
  if (run_program({"rm", "-rf", "--one-file-system", folder.string()}).exit_code != 0)
    throw std::runtime_error("cannot clear " + folder.string());
}

constexpr off_t kShownBytesMax = 4096;

void describe(const fs::path& path, std::ostringstream& text) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return;
  text << path.string() << ' ' << std::oct << info.st_mode << std::dec << ' ' << info.st_uid << ' '
       << info.st_nlink << ' ' << info.st_mtim.tv_sec << '.' << info.st_mtim.tv_nsec;
  if (S_ISREG(info.st_mode) && info.st_size <= kShownBytesMax && ::access(path.c_str(), R_OK) == 0)
    text << ' ' << slurp(path);
  text << '\n';
}

// Without what putting a file back changes: owners, times and numbers.
void describe_contents(const fs::path& path, std::ostringstream& text) {
  const auto status = fs::symlink_status(path);
  if (!fs::exists(status)) return;
  text << path.string() << ' ' << static_cast<unsigned>(status.permissions()) << '\n';
  if (fs::is_regular_file(status)) text << slurp(path);
  if (!fs::is_directory(status)) return;
  for (const auto& entry : fs::directory_iterator(path)) describe_contents(entry.path(), text);
}

std::string description(const fs::path& root, std::initializer_list<const char*> names) {
  std::ostringstream text;
  for (const char* name : names) {
    describe(root / name, text);
    if (!fs::is_directory(root / name)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / name))
      describe(entry.path(), text);
  }
  return text.str();
}

std::string answer_of(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::vector<std::string> words_of(const std::string& command, const std::string& program) {
  std::vector<std::string> words = {program};
  std::istringstream in(command);
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace

ProbeBox::ProbeBox(const ProbeBoxSetup& setup) {
  leaked_.reset(::open("/proc/self/status", O_RDONLY));  // NOLINT(*-cloexec): that is the point
  box_ = std::make_unique<SandboxFixture>(SandboxSetup{[&](sandbox::LauncherOptions& options) {
    const std::string home = options.host.home;
    auto policy = policies::load_effective_policy(
        {options.workspace.root, ""},
        [&](const char* name) { return std::string_view(name) == "HOME" ? home : std::string(); });
    INFO((policy ? "" : policy.error().message));
    REQUIRE(policy);
    options.policy = std::move(policy->policy);
    options.policy.limits.tmp_bytes = kPrivateBytesMax;
    options.policy.limits.pids = kProcessesMax;
    options.policy.filesystem.grants.push_back(
        {fs::path(options.workspace.root).parent_path() / "outside", policies::Access::read,
         "probes"});
    options.environment = environment();
    options.rung = setup.rung;
    if (setup.change) setup.change(options);
  }});
  root_ = fs::path(box_->workspace()).parent_path();
  fill_home(root_ / "home");
  write(root_ / "state/journal", "SECRET\n");
  victim_ = std::make_unique<Victim>((root_ / "home").string(), setup.listening);
  fill_outside(root_ / "outside", root_ / "home/socket");
  fill_places();
  refresh();
}

ProbeBox::~ProbeBox() {
  clear(root_ / "work/d");  // what a deep probe left
  clear(root_ / "scratch");
}

void ProbeBox::open() {
  if (opened_) return;
  const Result<> opened = box_->open();
  INFO((opened ? "" : opened.error().message));
  REQUIRE(opened);
  opened_ = true;
}

void ProbeBox::fill_places() {
  const fs::path scratch = root_ / "scratch";
  for (const char* name : {"work", "outside", "home", "state"}) {
    unconfined_[name] = (scratch / name).string();
    confined_[name] = (root_ / name).string();
  }
  const std::map<std::string, std::string> system = {{"etc", "/etc"},
                                                     {"usr", "/usr"},
                                                     {"var", "/var/lib"},
                                                     {"opt", "/opt"},
                                                     {"top", ""},
                                                     {"dev", "/dev"},
                                                     {"sys", "/sys"},
                                                     {"tmp", "/tmp"},
                                                     {"vartmp", "/var/tmp"},
                                                     {"shm", "/dev/shm"},
                                                     {"run", "/run"},
                                                     {"cron", "/etc/cron.d"},
                                                     {"bin", "/usr/local/bin"},
                                                     {"cgroup", "/sys/fs/cgroup/pids"}};
  for (const auto& [name, path] : system) {
    unconfined_[name] = (scratch / "system" / name).string();
    confined_[name] = path;
  }
  unconfined_["runtime"] = (scratch / "outside/file").string();
  confined_["runtime"] = fs::read_symlink("/proc/self/exe").string();
  const std::string pid = std::to_string(victim_->pid());
  for (Places* places : {&unconfined_, &confined_}) {
    (*places)["uid"] = std::to_string(::geteuid());
    (*places)["victim"] = pid;
    (*places)["port"] = victim_->port();
    (*places)["abstract"] = victim_->abstract_name();
    (*places)["segment"] = victim_->segment();
    (*places)["socket"] = (root_ / "home/socket").string();
    (*places)["setuid"] = setuid_probes();
  }
  unconfined_["self"] = (scratch / "work/probes").string();
  confined_["self"] = (root_ / "work/probes").string();
  // Where there is no pid namespace the victim stands for the processes of the sandbox's own.
  unconfined_["init"] = pid;
  confined_["init"] = "1";
}

void ProbeBox::refresh() {
  const fs::path scratch = root_ / "scratch";
  if (!pristine_.empty() && description(root_, {"scratch", "work"}) == pristine_) return;
  clear(scratch);
  fill_outside(scratch / "outside", root_ / "home/socket");
  fill_home(scratch / "home");
  write(scratch / "state/journal", "SECRET\n");
  fill_work(scratch / "work", scratch / "outside", scratch / "home");
  fs::create_directories(scratch / "system/run/user" / std::to_string(::geteuid()));
  for (const auto& [name, path] : unconfined_)
    if (path.starts_with((scratch / "system").string())) fs::create_directories(path);
  for (const auto& entry : fs::directory_iterator(root_ / "work")) clear(entry.path());
  fill_work(root_ / "work", root_ / "outside", root_ / "home");
  for (const fs::path& folder : {scratch / "work", root_ / "work"})
    fs::copy_file(FATHOM_PROBES, folder / "probes");
  pristine_ = description(root_, {"scratch", "work"});
}

std::string ProbeBox::untouchable() const {
  std::ostringstream text;
  text << description(root_, {"outside", "home", "state/journal"});
  for (const char* name :
       {"work/.git/hooks", "work/.git/config", "work/folder/.git/hooks", "work/folder/.git/config",
        "work/.envrc", "work/.vscode", "work/.mcp.json", "work/folder/.envrc"})
    describe_contents(root_ / name, text);
  return text.str();
}

std::string ProbeBox::unconfined(const std::string& command) {
  const auto words = words_of(replace_places(command, unconfined_), unconfined_["self"]);
  const ProgramResult result =
      run_program(words, {.environment = environment(), .stdout_path = ""});
  if (result.exit_code != 0) return "exit code " + std::to_string(result.exit_code) + result.out;
  return answer_of(result.out);
}

std::string ProbeBox::confined(const std::string& command) {
  sandbox::Command run;
  run.argv = words_of(replace_places(command, confined_), confined_["self"]);
  const sandbox::Outcome outcome = box_->run(run);
  if (outcome.ending != sandbox::Ending::exited || outcome.exit_code != 0)
    return sandbox::summary(outcome) + outcome.out.text();
  return answer_of(outcome.out.text());
}

std::string replace_places(std::string_view text, const Places& places) {
  std::string out;
  while (!text.empty()) {
    const std::size_t open = std::min(text.find('{'), text.size());
    out += text.substr(0, open);
    text.remove_prefix(open);
    if (text.empty()) break;
    const std::size_t close = text.find('}');
    const auto place = places.find(text.substr(1, close - 1));
    if (place == places.end()) throw std::runtime_error("no place " + std::string(text));
    out += place->second;
    text.remove_prefix(close + 1);
  }
  return out;
}

std::vector<std::string> host_marks() {
  std::vector<std::string> marks;
  for (const char* folder :
       {"/etc", "/usr", "/var/lib", "/opt", "", "/dev", "/sys", "/tmp", "/var/tmp", "/dev/shm",
        "/run", "/etc/cron.d", "/usr/local/bin", "/sys/fs/cgroup/pids"})
    marks.push_back(std::string(folder) + "/fathom-probe");
  return marks;
}

}  // namespace fathom::test
