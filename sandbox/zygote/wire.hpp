// What the runtime and the zygote say to each other. Both are built together, so the form may
// change with every version; it is one struct a message on SOCK_SEQPACKET sockets, descriptors
// beside it.
//
//   runtime ──zygote socket──► zygote    OpenSession(plan memfd, session socket)     ─►
//   SessionStarted runtime ──session socket─► holder    Prepare(cell socket) ─► SessionReady once
//   runtime ──cell socket────► init      Launch(stdin, stdout, stderr)               ─►
//   CellStarted, Notify?,
//                                                                                      Failed?
//                                                                                      Exited
// Nothing waits for an answer: the runtime may write OpenSession, Prepare and Launch one after the
// other and each waits in its socket until its reader exists. A session that fails closes its
// cells' sockets.
//
// Plans are flat lists of operations (PlanWriter, PlanReader): what is decided stands in the
// runtime's compile step and can be tested as data; the zygote only performs it, without
// allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fathom::sandbox::wire {

inline constexpr std::size_t kMessageBytesMax =
    64UL << 10;  // of one Launch; larger ones travel as a memfd
inline constexpr std::size_t kPlanBytesMax = 8UL << 20;  // of a session's plan or a large Launch
inline constexpr std::size_t kDescriptorsMax = 128;      // beside one message; the kernel: 253
inline constexpr std::size_t kArgumentsMax = 4096;       // argv and environment, each
inline constexpr std::size_t kSlotsMax = 128;            // trees held while the root is rebuilt
inline constexpr std::size_t kListenersMax = 32;         // sockets bound inside the session

/// Where something failed. Names are stable: they stand in --json output (stage_name()).
enum class Stage : std::uint32_t {
  none,
  plan,           // the plan itself is malformed: a defect of ours
  namespaces,     // clone3 with the namespaces
  id_maps,        // uid_map, gid_map, setgroups
  identity,       // setresuid and setresgid inside
  idmap,          // an idmapped clone of a path
  cgroup,         // moving the session into its control groups
  mounts,         // one operation of the mount recipe; detail is its index
  loopback,       // raising lo
  routes,         // the capture route
  listeners,      // binding a socket inside; detail is its index
  nested_off,     // max_user_namespaces = 0
  landlock,       // building the rule set; detail is the rule's index
  cell,           // clone3 of a command's namespaces
  proc,           // mounting /proc in them
  extra_mounts,   // a command's own mount operations
  fork,           // the command's process
  terminal,       // its pseudo-terminal
  working_dir,    // chdir
  limits,         // setrlimit; detail is the resource
  capabilities,   // dropping them
  restrict_self,  // landlock_restrict_self
  seccomp,        // installing the filter
  exec,           // execve of the command
};

enum class Kind : std::uint32_t {
  open_session = 1,
  session_started,
  session_ready,
  prepare,
  cell_started,
  launch,
  notify,
  failed,
  exited,
};

/// runtime → zygote. Descriptors: plan memfd, the zygote's end of the session socket.
struct OpenSession {
  Kind kind = Kind::open_session;
};

/// zygote → runtime on the session socket. Descriptor: pidfd of the holder, when ok.
struct SessionStarted {
  Kind kind = Kind::session_started;
  Stage stage = Stage::none;
  std::int32_t error = 0;
  std::uint32_t detail = 0;
  std::int32_t pid = 0;
};

/// holder → runtime, once. Descriptors: the listeners, in the plan's order; then, when the plan
/// names a shown folder, that, opened as a path.
struct SessionReady {
  Kind kind = Kind::session_ready;
  Stage stage = Stage::none;  ///< none: the session stands
  std::int32_t error = 0;
  std::uint32_t detail = 0;
};

/// runtime → holder. Descriptors: the init's end of the cell socket; then, if any, a memfd with
/// mount operations for this command alone.
struct Prepare {
  Kind kind = Kind::prepare;
  std::uint32_t filter = 0;  ///< index of the session's filter
  std::uint32_t notify = 0;  ///< 1: the filter has user-notify actions, send its listener back
};

/// holder → runtime on the cell socket. Descriptor: pidfd of the init.
struct CellStarted {
  Kind kind = Kind::cell_started;
  std::int32_t pid = 0;
};

// Launch::flags
/// stdin, stdout and stderr are a new pseudo-terminal of the sandbox
inline constexpr std::uint32_t kLaunchTerminal = 1;
/// The body follows in a memfd, the first descriptor
inline constexpr std::uint32_t kLaunchInMemfd = 4;
/// In place of a command: the checks of self_check.hpp
inline constexpr std::uint32_t kLaunchSelfCheck = 8;

// What a self check tries, fully restricted, in place of a command: does this kernel really do
// what it said it would? Its exit status has the bit of each check that failed. Bits 0 to 7.
inline constexpr std::uint32_t kCheckWriteOutside = 1;  ///< argv[1] cannot be opened for writing
inline constexpr std::uint32_t kCheckLandlock = 2;  ///< nor argv[2], which only Landlock protects
inline constexpr std::uint32_t kCheckWriteInside = 4;  ///< argv[3] can
inline constexpr std::uint32_t kCheckNesting = 8;      ///< no further user namespace
inline constexpr std::uint32_t kCheckPids = 16;        ///< the limit of processes holds
inline constexpr std::uint32_t kCheckSignals = 32;     ///< process argv[4] cannot be signalled
inline constexpr std::uint32_t kCheckLoopback = 64;    ///< a server and its client on loopback meet
inline constexpr std::uint32_t kCheckNetwork = 128;    ///< no route leads outside
/// For a filter that waits for the runtime at getpgid(2): the answer must be this errno.
inline constexpr std::int32_t kCheckNotifyErrno = 77;
inline constexpr std::uint32_t kCheckNotify = 1;  ///< bit of that check, alone in its run

/// runtime → child. Behind it the body: LaunchBody's fields by PlanWriter. Descriptors: [memfd],
/// stdin, stdout, stderr.
struct Launch {
  Kind kind = Kind::launch;
  std::uint32_t flags = 0;
  std::uint32_t filter = 0;  ///< index of the session's filter
};

/// child → runtime. Descriptor: the seccomp listener, or the terminal's master side.
struct Notify {
  Kind kind = Kind::notify;
  std::uint32_t terminal = 0;
};

/// child or init → runtime: nothing was executed.
struct Failed {
  Kind kind = Kind::failed;
  Stage stage = Stage::none;
  std::int32_t error = 0;
  std::uint32_t detail = 0;
};

/// init → runtime: the command's first process ended. A child cannot forge it: it has no descriptor
/// of this socket and cannot trace the init.
struct Exited {
  Kind kind = Kind::exited;
  std::int32_t status = 0;  ///< as waitpid(2) gives it
  std::uint32_t left = 0;   ///< 1 when other processes of the command are still alive
  std::uint64_t user_us = 0;
  std::uint64_t system_us = 0;
  std::uint64_t memory_bytes_max = 0;  ///< of its largest process
};

/// Appends plain values and strings; the reader finds strings NUL-terminated in place. `Bytes` is a
/// std::string in the runtime; this header needs only append().
template <class Bytes>
class PlanWriter {
 public:
  void u32(std::uint32_t value) { raw(&value, sizeof value); }
  void u64(std::uint64_t value) { raw(&value, sizeof value); }
  void text(const char* from, std::size_t size) {
    u32(static_cast<std::uint32_t>(size));
    raw(from, size);
    raw("\0\0\0\0", 4 - size % 4);  // at least one NUL, and the next value stays aligned
  }
  template <class Text>
  void text(const Text& value) {
    text(value.data(), value.size());
  }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  void raw(const void* from, std::size_t size) {
    bytes_.append(static_cast<const char*>(from), size);
  }
  Bytes bytes_;
};

/// Reads what PlanWriter wrote. The first value that does not fit makes ok() false and every later
/// value 0 or "".
class PlanReader {
 public:
  PlanReader() = default;
  PlanReader(const char* bytes, std::size_t size) : at_(bytes), end_(bytes + size) {}

  std::uint32_t u32() { return read<std::uint32_t>(); }
  std::uint64_t u64() { return read<std::uint64_t>(); }
  const char* text(std::size_t* size = nullptr) {
    const std::size_t length = u32();
    const std::size_t padded = length + 4 - length % 4;
    if (!ok_ || static_cast<std::size_t>(end_ - at_) < padded || at_[length] != '\0') {
      ok_ = false;
      if (size != nullptr) *size = 0;
      return "";
    }
    const char* start = at_;
    at_ += padded;
    if (size != nullptr) *size = length;
    return start;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return at_ == end_; }

 private:
  template <class T>
  T read() {
    T value{};
    if (!ok_ || static_cast<std::size_t>(end_ - at_) < sizeof value) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  bool ok_ = true;
};

/// Who the session's processes are.
enum class Identity : std::uint32_t {
  unchanged,  ///< no user namespace
  self,       ///< the caller's own ids, mapped by the session itself (an ordinary user)
  mapped,     ///< ids inside and outside as the plan says, written by the zygote (root)
};

// Flags of a session
/// A network namespace of its own, its lo raised
inline constexpr std::uint32_t kSessionNetwork = 1;
/// Route every address to lo, so that in-session listeners get all connections
inline constexpr std::uint32_t kSessionCapture = 2;
/// No further user namespaces below the session's
inline constexpr std::uint32_t kSessionNestedOff = 4;

// Flags of its cells
/// A mount namespace of its own
inline constexpr std::uint32_t kCellMounts = 1;
/// A process namespace of its own, with a fresh /proc when it has mounts too
inline constexpr std::uint32_t kCellPids = 2;

// The session's plan, in this order (SessionPlan of the zygote reads it, sandbox/plan.cpp writes
// it):
//   u32 namespaces (CLONE_NEW…), the session's flags, its cells' flags
//   u32 Identity, inside uid, outside uid, inside gid, outside gid
//   u32 n, then n paths: trees to clone with the disk's ids `owner uid`, `owner gid` shown as the
//   outside ids
//   u32 n, then n folders of control groups
//   text host name
//   u32 n, then n mount operations
//   u32 n, then n listeners: u32 type (SOCK_STREAM or SOCK_DGRAM), u32 port, text address ("": any)
//   text folder that the runtime gets as the session sees it ("": none)
//   u64 Landlock file access, u64 network access, u64 scope; u32 n, then n rules: u64 access, text
//   path; u32 n, then n rules: u64 access, u64 port. All zero: no Landlock
//   u32 n, then n paths below /proc to make read-only in each cell
//   u32 n, then n filters: text of sock_filter
// The body of a Launch:
//   text working folder; u32 n, n arguments; u32 n, n environment entries
//   u32 n, then n limits: u32 resource, u64 value; u32 umask

/// One step of a mount recipe: opcode, then its operands. Paths are absolute and free of links.
enum class MountOp : std::uint32_t {
  clone,          ///< slot, flags, path: hold a detached copy of the mount tree at path
  given,          ///< slot, index: hold a tree that the zygote made (idmapped clones)
  restrict_all,   ///< path, attributes: set mount attributes on path and every mount below
  restrict_one,   ///< path, attributes: on the mount at path alone
  restrict_slot,  ///< slot, attributes: on a held tree, recursively
  attach,         ///< slot, path: put the held tree there
  tmpfs,          ///< path, options: a new tmpfs, nosuid and nodev
  overlay,        ///< path, options: a new overlayfs
  devpts,         ///< path
  sysfs,          ///< path; a failure is ignored: the inherited one stays
  mkdirs,         ///< mode, path: the folder and its missing parents
  file,           ///< mode, path, contents: a new file
  symlink,        ///< target, path
  cover,  ///< path: an empty read-only folder or file over what is there; nothing needs none
};

/// Flag of MountOp::clone: a missing path leaves the slot empty; attach of an empty slot does
/// nothing
inline constexpr std::uint32_t kCloneOptional = 1;

}  // namespace fathom::sandbox::wire
