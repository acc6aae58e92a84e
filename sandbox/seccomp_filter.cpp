#include "sandbox/seccomp_filter.hpp"

#include "runtime/base/file.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/bpf_eval.hpp"
#include "sandbox/seccomp_link.hpp"
#include "sandbox/seccomp_rules.hpp"
#include "sandbox/seccomp_table.hpp"

#include <seccomp.h>

#include <sys/mman.h>

#include <cerrno>
#include <memory>
#include <string>

namespace fathom::sandbox {
namespace {

constexpr unsigned kApiLevel = 6;  // kills processes and notifies: Linux 5.7
constexpr unsigned kBinaryTree = 2;

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

// A libseccomp call that returned -errno.
Result<> checked(int returned, std::string_view what) {
  if (returned >= 0) return {};
  return fail(system_error("build the system-call filter: " + std::string(what), -returned));
}

// Negative: another architecture's call.
Result<int> number_of(const SyscallGrant& call) {
  const std::string name(call.name);  // libseccomp wants a terminator
  const int known = seccomp_syscall_resolve_name_arch(seccomp_arch_native(), name.c_str());
  if (known != __NR_SCMP_ERROR) return known;
  if (const auto newer = newer_syscall_number(call.name)) return *newer;
  return fail(ErrorCode::unsupported, "build the system-call filter: unknown call '" + name +
                                          "': give its number in seccomp_table.cpp");
}

Result<Context> create_context() {
  // Without this libseccomp asks the kernel what it can do, which a filter around us may hide. What
  // the kernel really lacks, installing the filter says.
  static const int api = seccomp_api_set(kApiLevel);
  TRY(checked(api, "set the api level"));
  Context context(seccomp_init(filter_return(Answer::enosys)));
  if (!context) return fail(ErrorCode::io, "build the system-call filter: libseccomp has no room");
  TRY(checked(seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
              "bad arch"));
  TRY(checked(seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, kBinaryTree),
              "binary tree"));
  return context;
}

// libseccomp writes to a descriptor only.
Result<std::vector<sock_filter>> export_program(const Context& context) {
  const UniqueFd fd(::memfd_create("filter", MFD_CLOEXEC));
  if (!fd) return fail(system_error("build the system-call filter: memfd_create", errno));
  TRY(checked(seccomp_export_bpf(context.get(), fd.get()), "export"));
  std::vector<sock_filter> program(kBpfInstructionsMax + 1);
  const std::size_t bytes =
      TRY(read_at(fd.get(), reinterpret_cast<char*>(program.data()),
                  program.size() * sizeof(sock_filter), 0, "system-call filter"));
  program.resize(bytes / sizeof(sock_filter));
  return program;
}

}  // namespace

Result<std::vector<sock_filter>> build_filter(const FilterOptions& options) {
  const Context context = TRY(create_context());
  std::vector<Rule> rules;
  for (const SyscallGrant& call : syscall_table()) {
    const int number = TRY(number_of(call));
    if (number < 0) continue;
    Rule rule = rule_of(call, options);
    if (rule.clauses.empty() && rule.otherwise == Answer::enosys) continue;  // as all the rest
    std::uint32_t returned = filter_return(rule.otherwise);
    if (!rule.clauses.empty()) {
      returned = rule_marker(rules.size());
      rules.push_back(std::move(rule));
    }
    TRY(checked(seccomp_rule_add_exact(context.get(), returned, number, 0),
                "rule for " + std::string(call.name)));
  }
  const std::vector<sock_filter> tree = TRY(export_program(context));
  std::vector<sock_filter> linked = TRY(link_filter(seccomp_arch_native(), tree, rules));
  // What the kernel would refuse is better said here, with the instruction.
  const BpfProgram valid = TRY(BpfProgram::create(std::move(linked)));
  return std::vector<sock_filter>(valid.instructions().begin(), valid.instructions().end());
}

std::string syscall_name(int number) {
  for (const SyscallGrant& call : syscall_table())
    if (const auto known = number_of(call); known && *known == number)
      return std::string(call.name);
  return "call " + std::to_string(number);
}

}  // namespace fathom::sandbox
