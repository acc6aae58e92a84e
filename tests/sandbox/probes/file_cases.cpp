#include "tests/sandbox/probes/probe_cases.hpp"

namespace fathom::test {
namespace {

constexpr std::string_view kMovedAway =
    "gap: a repository that is moved is not moved back without mounts => ok";
constexpr std::string_view kDenied = "EROFS|EACCES";

constexpr ProbeCase kCases[] = {
    // Writing outside the workspace.
    {"A1", "create {outside}/new", "ok", kDenied, "EACCES"},
    {"A1", "write {outside}/file", "ok", kDenied, "EACCES"},
    {"A1", "append {outside}/file", "ok", kDenied, "EACCES"},
    {"A1", "truncate {outside}/file", "ok", kDenied, "EACCES"},
    {"A1", "open_truncate {outside}/file", "ok", kDenied, "EACCES"},
    {"A1", "unlink {outside}/file", "ok", kDenied, "EACCES"},
    {"A1", "rmdir {outside}/empty", "ok", kDenied, "EACCES"},
    {"A1", "mkdir {outside}/new", "ok", kDenied, "EACCES"},
    {"A1", "symlink x {outside}/new", "ok", kDenied, "EACCES"},
    {"A1", "mknod {outside}/new p", "ok", kDenied, "EACCES"},
    {"A1", "rename {outside}/file {outside}/other", "ok", kDenied, "EACCES"},
    {"A1", "exchange {outside}/file {outside}/second", "ok", kDenied, "EACCES"},
    {"A1", "chmod {outside}/file 0777", "ok", kDenied, "EACCES"},
    {"A1", "chown {outside}/file", "ok", kDenied, "EACCES"},
    {"A1", "utime {outside}/file", "ok", kDenied, "EACCES"},
    {"A1", "setxattr {outside}/file", "ok", kDenied, "EACCES"},
    {"A1", "create {etc}/fathom-probe", "ok", kDenied, "EACCES"},
    {"A1", "create {usr}/fathom-probe", "ok", kDenied, "EACCES"},
    {"A1", "create {var}/fathom-probe", "ok", kDenied, "EACCES"},
    {"A1", "create {opt}/fathom-probe", "ok", kDenied, "EACCES"},
    {"A1", "create {top}/fathom-probe", "ok", kDenied, "EACCES"},
    {"A1", "create {dev}/fathom-probe", "ok", kDenied, "EACCES"},
    {"A1", "create {sys}/fathom-probe", "ok", "EROFS|EACCES|EPERM", "EACCES|EPERM"},

    // Other spellings of the same path.
    {"A2", "write {outside}/folder/../file", "ok", kDenied, "EACCES"},
    {"A2", "write {work}/../outside/file", "ok", kDenied, "EACCES"},
    {"A2", "write /proc/self/root{outside}/file", "ok", kDenied, "EACCES"},
    {"A2", "write /proc/thread-self/root{outside}/file", "ok", kDenied, "EACCES"},
    {"A2", "write /proc/{init}/root{outside}/file", "ok", kDenied, "EACCES"},
    {"A2", "write /proc/{init}/cwd/file", "*", kDenied, "EACCES"},
    {"A2", "write_from_inside {outside} file", "ok", kDenied, "EACCES"},
    {"A2", "write_from_inside {work} ../outside/file", "ok", kDenied, "EACCES"},
    {"A2", "write_by_descriptor {outside} file", "ok", kDenied, "EACCES"},

    // Through symbolic links that the workspace holds.
    {"A3", "write {work}/way", "ok", kDenied, "EACCES"},
    {"A3", "append {work}/way", "ok", kDenied, "EACCES"},
    {"A3", "open_truncate {work}/way", "ok", kDenied, "EACCES"},
    {"A3", "truncate {work}/way", "ok", kDenied, "EACCES"},
    {"A3", "create {work}/ways/new", "ok", kDenied, "EACCES"},
    {"A3", "unlink {work}/ways/file", "ok", kDenied, "EACCES"},
    {"A3", "rename {work}/mine {work}/ways/file", "ok", "EROFS|EXDEV|EACCES", "EACCES|EXDEV"},
    {"A3", "chmod {work}/way 0777", "ok", kDenied, "EACCES"},

    // Hard links and moves across the border.
    {"A4", "link {outside}/file {work}/hard", "ok", "EXDEV|EPERM|EROFS", "EXDEV|EACCES"},
    {"A4", "link {self} {work}/hard", "ok", "ok", "ok"},
    {"A4", "link {work}/mine {outside}/hard", "ok", "EXDEV|EROFS", "EXDEV|EACCES"},
    {"A4", "link_temporary {work} {work}/named", "ok", "ok", "ok"},
    {"A4", "link_temporary {work} {outside}/named", "ok", "EXDEV|EROFS", "EXDEV|EACCES"},
    {"A4", "link_temporary {outside} {outside}/named", "ok", kDenied, "EACCES"},
    {"A4", "rename {outside}/file {work}/moved", "ok", "EXDEV|EROFS", "EXDEV|EACCES"},
    {"A4", "exchange {outside}/file {work}/mine", "ok", "EXDEV|EROFS", "EXDEV|EACCES"},
    {"A4", "rename {work}/mine {work}/moved", "ok", "ok", "ok"},
    {"A4", "rename {work}/mine {work}/plain/moved", "ok", "ok", "ok"},
    // The way to a nested repository is pinned: moves into it are copies.
    {"A4", "rename {work}/mine {work}/folder/moved", "*", "ok|EXDEV", "ok"},

    // Descriptors.
    {"A5", "reopen {outside}/file 0", "ok", kDenied, "EACCES"},
    {"A5", "reopen {outside}/file 1", "ok", kDenied, "EACCES"},
    {"A5", "inherited", "some", "none", "none"},
    {"A6", "change_by fallocate {outside}/file", "ok", kDenied, "EACCES"},
    {"A6", "change_by ftruncate {outside}/file", "ok", kDenied, "EACCES"},
    {"A6", "change_by copy {outside}/file", "ok", kDenied, "EACCES"},
    {"A6", "change_by splice {outside}/file", "ok", kDenied, "EACCES"},
    {"A6", "change_by clone {outside}/file", "*", kDenied, "EACCES"},
    {"A6", "change_by mmap {outside}/file", "ok", kDenied, "EACCES"},
    {"A7", "alone bind {work} /mnt", "ok", "EPERM", "EPERM"},
    {"A7", "alone rule_user_namespace", "ok", "EPERM", "EPERM"},

    // Private folders: the host's stay as they were (HostMarks).
    {"A8", "create {tmp}/fathom-probe", "ok", "ok", "?no private folders on this rung"},
    {"A8", "create {vartmp}/fathom-probe", "ok", "ok", "EACCES"},
    {"A8", "create {shm}/fathom-probe", "ok", "ok", "ok|EACCES"},
    {"A8", "create {run}/user/{uid}/fathom-probe", "ok", "ok", "EACCES|ENOENT"},

    // Devices. Opening one for reading only, which is harmless unconfined too.
    {"A9", "open_device /dev/vda", "*", "ENOENT", "EACCES|ENOENT|EPERM"},
    {"A9", "open_device /dev/mem", "*", "ENOENT", "EACCES|ENOENT|EPERM"},
    {"A9", "open_device /dev/kmsg", "*", "ENOENT", "EACCES|ENOENT|EPERM"},
    {"A9", "open_device /dev/kvm", "*", "ENOENT", "EACCES|ENOENT"},
    {"A9", "open_device /dev/fuse", "*", "ENOENT", "EACCES|ENOENT"},
    {"A9", "open_device /dev/net/tun", "*", "ENOENT", "EACCES|ENOENT"},
    {"A9", "open_device /dev/userfaultfd", "*", "ENOENT", "EACCES|ENOENT"},
    {"A9", "open_device /dev/vsock", "*", "ENOENT", "EACCES|ENOENT"},
    {"A9", "open_device /dev/null 1", "ok", "ok", "ok"},
    {"A9", "open_device /dev/urandom", "ok", "ok", "ok"},
    // The nodes are the host's own.
    {"A9", "chmod /dev/null 0666", "ok|EPERM", "EROFS", "EACCES"},
    {"A9", "set_capability {work}/mine", "ok|EPERM", "EPERM", "EPERM"},
    {"A9", "mknod {work}/node c", "ok|EPERM", "EPERM", "EPERM"},
    {"A9", "mknod {work}/node b", "ok|EPERM", "EPERM", "EPERM"},
    {"A9", "mknod {work}/node p", "ok", "ok", "ok"},

    // Files that would run as root or as the user outside.
    {"A9", "leave_setid open {work}/setid 04755", "ok", "root=EPERM user=ok", "root=EPERM user=ok"},
    {"A9", "leave_setid chmod {work}/setid 04755", "ok", "root=EPERM user=ok",
     "root=EPERM user=ok"},
    {"A9", "leave_setid fchmod {work}/setid 02755", "ok", "root=EPERM user=ok",
     "root=EPERM user=ok"},
    {"A9", "leave_setid mkdir {work}/setid 02755", "ok", "root=EPERM user=ok",
     "root=EPERM user=ok"},
    {"A9", "leave_setid mknod {work}/setid 06755", "ok", "root=EPERM user=ok",
     "root=EPERM user=ok"},

    // What runs later, outside. Whatever the answer: afterwards it is as it was (untouchable()).
    {"B1", "create {work}/.git/hooks/pre-commit", "ok", kDenied, "~protected_paths ok"},
    {"B1", "chmod {work}/.git/hooks/sample 0755", "ok", kDenied, "EACCES"},
    {"B1", "append {work}/.git/config", "ok", kDenied, "~protected_paths ok"},
    {"B1", "unlink {work}/.git/config", "ok", "EBUSY|EROFS", "~protected_paths ok"},
    {"B1", "exchange {work}/.git/config {work}/mine", "ok", "EBUSY|EROFS|EXDEV",
     "~protected_paths ok"},
    {"B2", "rename {work}/.git {work}/away", "ok", "EBUSY", kMovedAway},
    {"B3", "create {work}/folder/.git/hooks/pre-commit", "ok", kDenied, "~protected_paths ok"},
    {"B3", "append {work}/folder/.git/config", "ok", kDenied, "~protected_paths ok"},
    {"B3", "rename {work}/folder {work}/elsewhere", "ok", "EBUSY", kMovedAway},
    {"B4", "create {work}/.envrc", "ok", "ok", "ok"},
    {"B4", "mkdir {work}/.vscode", "ok", "ok", "ok"},
    {"B4", "symlink mine {work}/.mcp.json", "ok", "ok", "ok"},
    {"B4", "create {work}/folder/.envrc", "ok", "ok", "ok"},
    {"B5", "create {work}/.git/objects/x", "ok", "ok", "ok"},
    {"B5", "create {work}/.git/index", "ok", "ok", "ok"},
    {"B5", "create {work}/.git/refs/heads/topic", "ok", "ok", "ok"},
    {"B6", "create {home}/.bash_profile", "ok", "ok", "EACCES"},
    {"B6", "append {home}/.gitconfig", "ok", "EROFS|ENOENT", "EACCES"},
    {"B6", "create {home}/.ssh/authorized_keys", "ok", "EROFS|EACCES|ENOENT", "EACCES"},
    {"B6", "mkdir {home}/.config/autostart", "ok", "ENOENT", "EACCES"},
    {"B6", "create {cron}/fathom-probe", "ok", kDenied, "EACCES"},
    {"B7", "append {home}/.config/fathom/policy.yaml", "ok", "EROFS|ENOENT|EACCES", "EACCES"},
    {"B7", "rename {home}/.config {home}/away", "ok", "EBUSY|ENOENT", "EACCES"},
    {"B7", "create {state}/new", "ok", "ENOENT", "EACCES"},
    {"B7", "append {runtime}", "ok", "EROFS|EACCES|ETXTBSY", "EACCES|ETXTBSY"},
    {"B7", "create {bin}/fathom-probe", "ok", kDenied, "EACCES"},

    // Secrets.
    {"C1", "read {home}/.ssh/id_rsa", "ok", "ENOENT|EACCES", "EACCES"},
    {"C1", "read {home}/.aws/credentials", "ok", "ENOENT|EACCES", "EACCES"},
    {"C1", "read {home}/.config/gcloud/token", "ok", "ENOENT|EACCES", "EACCES"},
    {"C1", "read {home}/.netrc", "ok", "ENOENT|EACCES|ENODATA", "EACCES"},
    {"C1", "read {home}/.docker/config.json", "ok", "ENOENT|EACCES", "EACCES"},
    {"C1", "read {home}/.kube/config", "ok", "ENOENT|EACCES", "EACCES"},
    {"C1", "read {home}/.mozilla/cookies", "ok", "ENOENT|EACCES", "EACCES"},
    {"C1", "read {home}/.local/share/keyrings/login", "ok", "ENOENT|EACCES", "EACCES"},
    {"C1", "read {home}/.bash_history", "ok", "ENOENT|EACCES|ENODATA", "EACCES"},
    {"C1", "read {home}/.cargo/credentials.toml", "ok", "ENOENT|EACCES|ENODATA", "EACCES"},
    {"C1", "read {home}/.cargo/config.toml", "ok", "ok", "ok"},
    {"C1", "count_names {home}/.ssh", "1", "0|ENOENT|EACCES", "EACCES"},
    {"C1", "read {work}/to-secret", "ok", "ENOENT|EACCES", "EACCES"},
    {"C1", "read /proc/self/root{home}/.ssh/id_rsa", "ok", "ENOENT|EACCES", "EACCES"},
    {"C1", "read /proc/{init}/root{home}/.ssh/id_rsa", "ok", "EACCES", "EACCES"},
    {"C1", "read {state}/journal", "ok", "ENOENT|EACCES", "?the state folder is not hidden here"},
    {"C1", "read {outside}/file", "ok", "ok", "ok"},
    {"C2",
     "environment AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN GH_TOKEN GITHUB_TOKEN NPM_TOKEN "
     "OPENAI_API_KEY ANTHROPIC_API_KEY DATABASE_URL PGPASSWORD MYSQL_PWD REDIS_URL "
     "SSH_AUTH_SOCK SSH_AGENT_PID GPG_AGENT_INFO DBUS_SESSION_BUS_ADDRESS DISPLAY "
     "WAYLAND_DISPLAY KUBECONFIG DOCKER_HOST VAULT_TOKEN CI_JOB_TOKEN SLACK_TOKEN "
     "STRIPE_SECRET_KEY TWINE_PASSWORD CARGO_REGISTRY_TOKEN HF_TOKEN SENTRY_DSN "
     "AZURE_CLIENT_SECRET GOOGLE_APPLICATION_CREDENTIALS LD_PRELOAD",
     "AWS_SECRET_ACCESS_KEY", "none", "none"},
    {"C3", "open_of_process {init} environ", "ok", "EACCES", "EACCES"},
    {"C3", "open_of_process parent environ", "ok", "EACCES", "EACCES"},
    {"C3", "open_of_process parent maps", "ok", "EACCES", "EACCES"},
    {"C3", "write_memory_file parent", "ok", "EACCES", "EACCES"},
    {"C3", "link_of_process parent fd/0", "ok", "EACCES", "EACCES"},
    {"C4", "call keyctl 0 -3 0", "ok|ENOKEY", "EPERM", "EPERM"},
    {"C4", "call add_key 0 0 0 0 0", "EFAULT", "EPERM", "EPERM"},
    {"C4", "call request_key 0 0 0 0 0", "EFAULT", "EPERM", "EPERM"},
    {"C5", "connect_unix {socket}", "ok", "ENOENT|EACCES", "EACCES"},
    {"C5", "connect_unix {outside}/socket", "ok",
     "gap: a second name (hard link) of a socket is not covered on a read-only mount => "
     "ok|EACCES|EPERM",
     "EACCES"},
    {"C5", "connect_unix {abstract}", "ok", "ECONNREFUSED", "EPERM"},
    {"C6", "listed 12", "many", "few", "~processes many"},
    {"C6", "open_of_process {victim} environ", "ok", "ENOENT", "EACCES"},
    {"C6", "link_of_process {victim} cwd", "ok", "ENOENT", "EACCES"},
    {"C6", "read /proc/kcore", "*", "EACCES|EPERM|ENOENT", "EACCES|EPERM|ENOENT"},
    {"C6", "read /proc/kmsg", "*", "EACCES|EPERM", "EACCES|EPERM"},
    {"C6", "read /etc/shadow", "ok|EACCES", "EACCES|ENODATA", "EACCES"},
    {"C6", "read /sys/firmware/acpi/tables/DSDT", "*", "EACCES|ENOENT", "EACCES|ENOENT"},
    {"C6", "read /sys/firmware/dmi/tables/DMI", "*", "EACCES|ENOENT", "EACCES|ENOENT"},
    {"C6", "read /sys/kernel/debug/clk/clk_summary", "*", "EACCES|ENOENT", "EACCES|ENOENT"},
    {"C6", "call syslog 3 0 0", "*", "EPERM", "EPERM"},
    {"C6", "call semget 0x5EC2E7 1 0", "ENOENT", "ENOENT", "EPERM"},
    {"C6", "call msgctl -1 0 0", "EINVAL", "EINVAL", "EPERM"},
    {"C6", "call mq_unlink 0", "EFAULT", "EFAULT", "EPERM"},
    {"C6", "attach_segment {segment}", "found", "ENOENT",
     "gap: System V segments of the same user are in reach without an IPC namespace => found"},
};

}  // namespace

std::span<const ProbeCase> file_cases() { return kCases; }

}  // namespace fathom::test
