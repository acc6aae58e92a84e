#include "tests/sandbox/seccomp_model.hpp"

#include <algorithm>
#include <span>

namespace fathom::test {
namespace {

using policies::SyscallProfile;
using sandbox::FilterOptions;

struct Range {
  int first;
  int last;
};

constexpr Range kAllowed[] = {
    {0, 40},    {45, 45},   {47, 48},   {51, 52},   {55, 55},   {57, 82},   {84, 84},   {88, 89},
    {95, 100},  {102, 102}, {104, 131}, {137, 138}, {140, 143}, {145, 152}, {158, 158}, {160, 160},
    {162, 162}, {186, 187}, {191, 196}, {200, 204}, {206, 210}, {213, 213}, {216, 226}, {228, 234},
    {238, 245}, {247, 247}, {251, 255}, {262, 262}, {264, 264}, {266, 267}, {269, 271}, {273, 278},
    {281, 287}, {289, 297}, {299, 299}, {306, 306}, {309, 309}, {315, 319}, {322, 322}, {324, 336},
    {424, 424}, {434, 434}, {436, 436}, {439, 439}, {441, 441}, {444, 446}, {448, 449}, {451, 451},
    {453, 456}, {462, 462}, {464, 465}};

// Granted too, but not to strict, where they are EPERM.
constexpr Range kNotStrict[] = {{43, 43}, {50, 50}, {288, 288}};

constexpr Range kForbidden[] = {
    {103, 103}, {134, 134}, {136, 136}, {139, 139}, {153, 153}, {155, 156}, {163, 173},
    {175, 176}, {179, 180}, {212, 212}, {227, 227}, {246, 246}, {248, 250}, {256, 256},
    {279, 279}, {300, 300}, {304, 304}, {308, 308}, {313, 313}, {320, 321}, {425, 433},
    {438, 438}, {440, 440}, {442, 443}, {447, 447}, {467, 467}};

constexpr Range kRefused[] = {{159, 159}, {305, 305}, {314, 314}};

bool in(std::span<const Range> ranges, int number) {
  return std::ranges::any_of(ranges, [number](const Range& range) {
    return range.first <= number && number <= range.last;
  });
}

// One call with what its rule needs; `low` is an argument as the kernel reads an int.
struct Call {
  const FilterOptions& options;
  const Arguments& arguments;

  [[nodiscard]] bool is(SyscallProfile profile) const { return options.profile == profile; }
  [[nodiscard]] std::uint32_t low(std::size_t at) const {
    return static_cast<std::uint32_t>(arguments[at] & 0xFFFFFFFF);
  }
  [[nodiscard]] bool setid(std::size_t mode) const {
    return options.refuse_setuid_bits && (arguments[mode] & 06000) != 0;
  }
};

std::string_view allow_if(bool condition) { return condition ? "allow" : "eperm"; }
std::string_view forbidden(const Call& call) {
  return call.options.notify.refused ? "notify" : "eperm";
}

bool may_use_unix(const Call& call, std::uint32_t type) {
  const FilterOptions& options = call.options;
  const bool broker_sees_all = !options.notify.connect || options.inet_datagram;
  if (type == 2) return options.unix_sockets && broker_sees_all && !call.is(SyscallProfile::strict);
  return type == 1 || type == 5;
}

bool may_socket(const Call& call) {
  if (call.is(SyscallProfile::strict)) return false;
  const std::uint32_t type = call.low(1) % 16;
  const std::uint32_t protocol = call.low(2);
  switch (call.low(0)) {
    case 1:
      return call.options.unix_sockets && may_use_unix(call, type);
    case 2:
    case 10:
      if (type == 1) return call.options.inet_stream && (protocol == 0 || protocol == 6);
      if (type == 2) return call.options.inet_datagram && (protocol == 0 || protocol == 17);
      return false;
    case 16:
      return call.options.netlink_route && protocol == 0 && (type == 2 || type == 3);
    default:
      return false;
  }
}

std::string_view open_answer(const Call& call, std::size_t flags_at) {
  const std::uint32_t flags = call.low(flags_at);
  const bool creates = (flags & 0x40) != 0 || (flags & 0x400000) != 0;
  if (creates && call.setid(flags_at + 1)) return "eperm";
  const bool writes = flags % 4 != 0 || (flags & 0x40) != 0 || (flags & 0x200) != 0;
  const bool exclusive = (flags & 0x80) != 0;
  const bool follows = (flags & 0x20000) == 0;
  if (call.options.notify.shared_memory) {
    if (exclusive && !follows) return "notify";
    if (flags == 0xC2 && (call.low(flags_at + 1) & 0x80) != 0) return "notify";
    if (flags == 0xA0000) return "notify";
  }
  return call.options.notify.write_opens && writes && !exclusive ? "notify" : "allow";
}

std::string_view mknod_answer(const Call& call, std::size_t mode_at) {
  if (call.is(SyscallProfile::strict)) return "eperm";
  const std::uint64_t type = call.arguments[mode_at] >> 12 & 0xF;
  return allow_if(!call.setid(mode_at) && (type == 0 || type == 1 || type == 8 || type == 12));
}

// CLONE_NEW*: 0x80 is NEWTIME, then NEWNS and NEWCGROUP to NEWNET.
bool makes_namespace(const Call& call, std::uint32_t flags) {
  const bool nested = call.options.allow_nested_userns && !call.is(SyscallProfile::strict);
  const std::uint32_t all = 0x7E020080;
  const std::uint32_t browsers = 0x70000000;
  return (flags & all & ~(nested ? browsers : 0)) != 0;
}

std::string_view unshare_answer(const Call& call) {
  const bool nested = call.options.allow_nested_userns && !call.is(SyscallProfile::strict);
  const std::uint64_t granted = nested ? 0x70040600 : 0x00040600;
  return allow_if((call.arguments[0] | granted) == granted);
}

std::string_view send_message_answer(const Call& call, std::size_t flags) {
  if (!call.options.notify.connect) return "allow";
  if ((call.low(flags) & 0x20000000) != 0) return "eperm";
  return call.options.inet_datagram ? "notify" : "allow";
}

std::string_view ioctl_answer(const Call& call) {
  const std::uint32_t command = call.low(1);
  // Settings of a file, as "number of bytes, letter, number" in the kernel's own coding.
  const bool of_file = command == 0x40086602 || command == 0x40046602 || command == 0x401C5820 ||
                       command == 0x40087602 || command == 0x40047602 || command == 0x40806685 ||
                       command == 0x800C6613;
  if (of_file) return allow_if(!call.options.notify.metadata);
  if ((command >> 8 & 0xFF) == 0x94 && call.options.notify.metadata)
    return allow_if(command == 0x40049409 || command == 0x4020940D || command == 0xC0189436);
  return allow_if(command != 0x5412 && command != 0x541C && command != 0x541D && command != 0x5423);
}

std::string_view personality_answer(std::uint32_t persona) {
  const std::uint32_t rest = persona & ~0x40000U & ~0x20000U;
  return allow_if(persona == 0xFFFFFFFF || rest == 0 || rest == 8);
}

std::string_view trace_answer(const Call& call, std::string_view outside_debug) {
  if (!call.is(SyscallProfile::debug)) return outside_debug;
  return allow_if(call.options.trace_processes);
}

std::string_view file_answer(int number, const Call& call) {
  switch (number) {
    case 2:
      return open_answer(call, 1);
    case 257:
      return open_answer(call, 2);
    case 85:
      if (call.setid(1)) return "eperm";
      return call.options.notify.write_opens ? "notify" : "allow";
    case 437:
      return call.options.refuse_setuid_bits || call.options.notify.write_opens ? "enosys"
                                                                                : "allow";
    case 83:
      return allow_if(!call.setid(1));
    case 258:
      return allow_if(!call.setid(2));
    case 133:
      return mknod_answer(call, 1);
    case 259:
      return mknod_answer(call, 2);
    default:
      return "";
  }
}

std::string_view metadata_answer(int number, const Call& call) {
  const bool waits = call.options.notify.metadata;
  const std::string_view granted = waits ? "notify" : "allow";
  switch (number) {
    case 90:
    case 91:
      return call.setid(1) ? "eperm" : granted;
    case 268:
    case 452:
      return call.setid(2) ? "eperm" : granted;
    case 132:
    case 235:
    case 261:
    case 280:
      return granted;
    case 92:
    case 93:
    case 94:
    case 188:
    case 189:
    case 190:
    case 197:
    case 198:
    case 199:
    case 260:
      return call.is(SyscallProfile::strict) ? "eperm" : granted;
    case 463:
    case 466:
      if (call.is(SyscallProfile::strict)) return "eperm";
      return waits ? "enosys" : "allow";
    case 86:
    case 87:
      return call.options.notify.shared_memory ? "notify" : "allow";
    case 263:
    case 265:
      return "allow";
    default:
      return "";
  }
}

std::string_view socket_answer(int number, const Call& call) {
  const bool brokered = call.options.notify.connect;
  switch (number) {
    case 41:
      if (brokered && may_socket(call) && (call.low(0) == 2 || call.low(0) == 10) &&
          call.low(1) % 16 == 1)
        return "notify";
      return allow_if(may_socket(call));
    case 53:
      return allow_if(call.low(0) == 1 && may_use_unix(call, call.low(1) % 16));
    case 54:
      return allow_if(call.low(1) != 6 || call.low(2) != 31);
    case 42:
    case 49:
      if (call.is(SyscallProfile::strict)) return "eperm";
      return brokered ? "notify" : "allow";
    case 44:
      return brokered && call.arguments[4] != 0 ? "notify" : "allow";
    case 46:
      return send_message_answer(call, 2);
    case 307:
      return send_message_answer(call, 3);
    default:
      return "";
  }
}

std::string_view process_answer(int number, const Call& call) {
  const bool strict = call.is(SyscallProfile::strict);
  switch (number) {
    case 16:
      return ioctl_answer(call);
    case 56:
      return allow_if(!makes_namespace(call, call.low(0)));
    case 272:
      return unshare_answer(call);
    case 135:
      return personality_answer(call.low(0));
    case 157:
      return allow_if(call.low(0) != 35);
    case 141:
      return allow_if(!strict || call.low(2) < 0x80000000);
    case 144: {
      const std::uint32_t policy = call.low(1) & 0xBFFFFFFF;
      return allow_if(policy == 0 || policy == 3 || policy == 5);
    }
    case 101:
    case 310:
      return allow_if(!strict && call.options.trace_processes);
    case 311:
      return trace_answer(call, "enosys");
    case 312:
      return trace_answer(call, forbidden(call));
    case 298:
      return call.is(SyscallProfile::debug) ? "allow" : forbidden(call);
    case 64:
    case 65:
    case 66:
    case 68:
    case 69:
    case 70:
    case 71:
    case 220:
    case 240:
    case 241:
      return allow_if(call.options.ipc_objects);
    case 302:
      return allow_if(call.options.limit_others || call.low(0) == 0);
    case 323:
      return call.is(SyscallProfile::debug) && call.low(0) % 2 == 1 ? "allow" : forbidden(call);
    case 161:
      return call.options.allow_nested_userns && !strict ? "allow" : forbidden(call);
    default:
      return "";
  }
}

}  // namespace

std::string_view modelled_answer(const FilterOptions& options, int number,
                                 const Arguments& arguments) {
  const Call call{options, arguments};
  for (const auto part : {file_answer, metadata_answer, socket_answer, process_answer})
    if (const std::string_view answer = part(number, call); !answer.empty()) return answer;
  if (in(kAllowed, number)) return "allow";
  if (in(kNotStrict, number)) return allow_if(!call.is(SyscallProfile::strict));
  if (in(kForbidden, number)) return forbidden(call);
  return in(kRefused, number) ? "eperm" : "enosys";
}

}  // namespace fathom::test
