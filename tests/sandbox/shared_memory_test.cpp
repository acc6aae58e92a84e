// Names in /dev/shm on the container rung are the session's own.
#include "sandbox/shared_memory.hpp"

#include "tests/sandbox/sandbox_fixture.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>

namespace fathom::sandbox {
namespace {

using test::SandboxFixture;

test::SandboxSetup in_container() {
  return {[](LauncherOptions& options) { options.rung = Rung::container; }};
}

// As the C library: "create", "open" and "read" are those of shm_open(3), "semaphore" is the open
// of sem_open(3); each prints "ok" or the error's name. `put` and `get` are the descriptor's bytes.
const std::string kPerl =
    "use Fcntl qw(:DEFAULT); sub r {print $_[0] != -1 ? 'ok' : join('',grep {$!{$_}} keys %!), "
    "qq(\\n); $_[0]} sub o {my ($n,$f)=@_; r(syscall(" +
    std::to_string(SYS_openat) + "," + std::to_string(AT_FDCWD) +
    ",\"/dev/shm/$n\",$f,0600))}"
    "sub create {o($_[0]," +
    std::to_string(O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC) + ")} sub reach {o($_[0]," +
    std::to_string(O_RDWR | O_NOFOLLOW | O_CLOEXEC) + ")} sub look {o($_[0]," +
    std::to_string(O_RDONLY | O_NOFOLLOW | O_CLOEXEC) + ")} sub semaphore {o($_[0]," +
    std::to_string(O_RDWR | O_CREAT | O_EXCL) +
    ")} sub put {open(my $h,'+<&=',$_[0]) or die $!; syswrite($h,$_[1])}"
    "sub get {open(my $h,'<&=',$_[0]) or die $!; sysread($h,my $b,9); print qq($b\\n)}"
    "sub drop {my $n=qq(/dev/shm/$_[0]); r(syscall(" +
    std::to_string(SYS_unlink) +
    ",$n))}"
    "sub name {r(link(qq(/dev/shm/$_[0]),qq(/dev/shm/$_[1])) ? 0 : -1)}";

Command perl(const std::string& script) {
  Command command;
  command.argv = {"perl", "-e", kPerl + script};
  return command;
}

// A piece of shared memory of this user's that is none of a command's business.
class HostMemory {
 public:
  explicit HostMemory(std::string name) : name_(std::move(name)) {
    fd_.reset(::shm_open(("/" + name_).c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
    REQUIRE(fd_);
    REQUIRE(::write(fd_.get(), "secret", 6) == 6);
  }
  ~HostMemory() { ::shm_unlink(("/" + name_).c_str()); }
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;
  [[nodiscard]] bool is_there() const {
    struct stat info{};
    return ::fstat(fd_.get(), &info) == 0 && info.st_nlink == 1 && info.st_size == 6;
  }

 private:
  std::string name_;
  UniqueFd fd_;
};

std::string unused_name() { return "fathom-test-" + std::to_string(::getpid()); }

TEST_CASE("only plain names directly in /dev/shm are the session's", "[sandbox]") {
  CHECK(shared_memory_name("/dev/shm/a") == "a");
  CHECK(shared_memory_name("/dev/shm/sem.a b") == "sem.a b");
  for (const char* path : {"/dev/shm", "/dev/shm/", "/dev/shm/.", "/dev/shm/..", "/dev/shm/a/b",
                           "/dev/shm/../null", "//dev/shm/a", "dev/shm/a", "/dev/shmx", ""})
    CHECK_FALSE(shared_memory_name(path));
  CHECK_FALSE(shared_memory_name("/dev/shm/" + std::string(256, 'a')));
}

TEST_CASE("shared memory and semaphores are made, found again and removed", "[sandbox]") {
  SandboxFixture box(in_container());
  const std::string name = unused_name();
  const Outcome outcome =
      box.run(perl("put(create('" + name + "'),'shared'); get(reach('" + name + "')); get(look('" +
                   name + "')); create('" + name +
                   "'); semaphore('tmp'); name('tmp','sem'); drop('tmp'); reach('sem');"
                   "reach('tmp'); name('none','other'); drop('none');"));
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.out.text() ==
        "ok\nok\nshared\nok\nshared\nEEXIST\nok\nok\nok\nok\nENOENT\nENOENT\nENOENT\n");
  CHECK(outcome.denials.empty());
  CHECK_FALSE(std::filesystem::exists("/dev/shm/" + name));
  // The next command of the session finds them, the next session does not.
  CHECK(box.run(perl("get(look('" + name + "')); drop('sem')")).out.text() == "ok\nshared\nok\n");
  box.reopen([](LauncherOptions&) {});
  CHECK(box.run(perl("look('" + name + "')")).out.text() == "ENOENT\n");
}

TEST_CASE("shared memory of other programs is neither read nor removed", "[sandbox]") {
  const std::string name = unused_name();
  const HostMemory memory(name);
  SandboxFixture box(in_container());
  const Outcome outcome =
      box.run(perl("look('" + name + "'); reach('" + name + "'); drop('" + name + "'); name('" +
                   name + "','mine'); r(link('/dev/shm/" + name +
                   "','here') ? 0 : -1); symlink('/dev/shm','way');"
                   "r(open(F,'+<','way/" +
                   name + "') ? 0 : -1); r(unlink('way/" + name +
                   "') ? 0 : -1);"
                   "r(open(F,'<','/dev/shm/../shm/" +
                   name +
                   "') ? 0 : -1); r(opendir(D,'/dev/shm') ? 0 : -1);"
                   "r(rename('/dev/shm/" +
                   name +
                   "','/dev/shm/x') ? 0 : -1);"
                   "r(chmod(0777,'/dev/shm/" +
                   name + "') ? 0 : -1)"));
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.out.text() ==
        "ENOENT\nENOENT\nENOENT\nENOENT\nEXDEV\nEACCES\nEACCES\nEACCES\nEACCES\nEACCES\n"
        "EACCES\n");
  CHECK(memory.is_there());
}

TEST_CASE("what is no file in the session's folder is not opened as shared memory", "[sandbox]") {
  SandboxFixture box(in_container());
  const Outcome outcome = box.run(
      perl("use POSIX; my $at=qq($ENV{TMPDIR}/../shm); POSIX::mkfifo(qq($at/fifo),0600) or die $!;"
           "symlink('/etc/passwd',qq($at/link)) or die $!; mkdir(qq($at/folder)) or die $!;"
           "look('fifo'); reach('fifo'); look('link'); look('folder'); drop('folder');"
           "rename($at,qq($at.away)) or die $!; symlink('/etc',$at) or die $!; look('passwd');"));
  CHECK(outcome.rung == Rung::container);
  CHECK(outcome.out.text() == "EACCES\nEACCES\nELOOP\nEACCES\nEISDIR\nENOENT\n");
  CHECK(outcome.err.text().empty());
}

}  // namespace
}  // namespace fathom::sandbox
