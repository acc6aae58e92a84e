#include "sandbox/metadata_call.hpp"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <utime.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fathom::sandbox {
namespace {

constexpr int kFchmodat2 = 452;  // newer than the headers of Debian 12
constexpr long kMicrosecondsMax = 1'000'000;

enum class What : std::uint8_t { mode, owner, seconds, timevals, timespecs, set, remove };
enum class Where : std::uint8_t { path, link, descriptor, at };

// One form of a call: which of its arguments is what.
struct Form {
  int number;
  What what;
  Where where;
  std::size_t first;                      // argument that says what is to become of it
  std::optional<std::size_t> flags = {};  // AT_ flags
};

constexpr auto kForms = std::to_array<Form>({
#ifdef SYS_chmod
    {SYS_chmod, What::mode, Where::path, 1},
    {SYS_chown, What::owner, Where::path, 1},
    {SYS_lchown, What::owner, Where::link, 1},
    {SYS_utime, What::seconds, Where::path, 1},
    {SYS_utimes, What::timevals, Where::path, 1},
    {SYS_futimesat, What::timevals, Where::at, 2},
#endif
    {SYS_fchmod, What::mode, Where::descriptor, 1},
    {SYS_fchmodat, What::mode, Where::at, 2},
    {kFchmodat2, What::mode, Where::at, 2, 3},
    {SYS_fchown, What::owner, Where::descriptor, 1},
    {SYS_fchownat, What::owner, Where::at, 2, 4},
    {SYS_utimensat, What::timespecs, Where::at, 2, 3},
    {SYS_setxattr, What::set, Where::path, 1},
    {SYS_lsetxattr, What::set, Where::link, 1},
    {SYS_fsetxattr, What::set, Where::descriptor, 1},
    {SYS_removexattr, What::remove, Where::path, 1},
    {SYS_lremovexattr, What::remove, Where::link, 1},
    {SYS_fremovexattr, What::remove, Where::descriptor, 1},
});

const Form* form_of(int number) {
  const auto found = std::ranges::find(kForms, number, &Form::number);
  return found == kForms.end() ? nullptr : &*found;
}

template <class T>
std::expected<T, int> value_at(const Target& target, std::uint64_t address) {
  const auto bytes = target.bytes(address, sizeof(T));
  if (!bytes) return std::unexpected(EFAULT);
  T value;
  std::memcpy(&value, bytes->data(), sizeof value);
  return value;
}

using Times = std::array<timespec, 2>;

std::expected<Times, int> read_times(const Target& target, std::uint64_t address, What what) {
  if (what == What::timespecs) return value_at<Times>(target, address);
  if (what == What::seconds) {
    const auto both = value_at<utimbuf>(target, address);
    if (!both) return std::unexpected(both.error());
    return Times{timespec{both->actime, 0}, timespec{both->modtime, 0}};
  }
  const auto values = value_at<std::array<timeval, 2>>(target, address);
  if (!values) return std::unexpected(values.error());
  Times times{};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const timeval& value = values->at(i);
    // Checked before they are multiplied: UTIME_NOW and the like are not for these calls.
    if (value.tv_usec < 0 || value.tv_usec >= kMicrosecondsMax) return std::unexpected(EINVAL);
    times.at(i) = {value.tv_sec, value.tv_usec * 1000};
  }
  return times;
}

std::expected<std::string, int> read_name(const Target& target, std::uint64_t address) {
  auto name = target.path(address);
  if (!name) return std::unexpected(EFAULT);
  if (name->empty() || name->size() > XATTR_NAME_MAX) return std::unexpected(ERANGE);
  return *std::move(name);
}

std::expected<MetadataChange, int> read_attribute(const Target& target, const NotifiedCall& call,
                                                  const Form& form) {
  auto name = read_name(target, call.arguments.at(form.first));
  if (!name) return std::unexpected(name.error());
  if (form.what == What::remove) return change::RemoveAttribute{*std::move(name)};
  const std::uint64_t size = call.arguments.at(form.first + 2);
  if (size > XATTR_SIZE_MAX) return std::unexpected(E2BIG);
  auto value = size == 0 ? std::optional<std::string>("")
                         : target.bytes(call.arguments.at(form.first + 1), size);
  if (!value) return std::unexpected(EFAULT);
  return change::SetAttribute{*std::move(name), *std::move(value), call.word(form.first + 3)};
}

std::expected<MetadataChange, int> read_change(const Target& target, const NotifiedCall& call,
                                               const Form& form) {
  switch (form.what) {
    case What::mode:
      return change::Mode{static_cast<mode_t>(call.word(form.first)) & 07777};
    case What::owner:
      return change::Owner{static_cast<uid_t>(call.word(form.first)),
                           static_cast<gid_t>(call.word(form.first + 1))};
    case What::set:
    case What::remove:
      return read_attribute(target, call, form);
    case What::seconds:
    case What::timevals:
    case What::timespecs:
      break;
  }
  const std::uint64_t address = call.arguments.at(form.first);
  if (address == 0) return change::Times{};
  const auto times = read_times(target, address, form.what);
  if (!times) return std::unexpected(times.error());
  return change::Times{*times};
}

std::expected<MetadataPlace, int> read_place(const Target& target, const NotifiedCall& call,
                                             const Form& form) {
  MetadataPlace place;
  if (form.where == Where::descriptor) {
    place.descriptor = call.word(0);
    return place;
  }
  const bool at = form.where == Where::at;
  place.descriptor = at ? call.word(0) : AT_FDCWD;
  const int flags = form.flags ? call.word(*form.flags) : 0;
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return std::unexpected(EINVAL);
  const bool stays = form.where == Where::link || (flags & AT_SYMLINK_NOFOLLOW) != 0;
  place.at_link = stays ? AtLink::change_it : AtLink::follow;
  const std::uint64_t address = call.arguments.at(at ? 1 : 0);
  const bool of_times = form.what == What::timespecs || form.what == What::timevals;
  if (at && of_times && address == 0) {  // futimens(3)
    if (place.descriptor == AT_FDCWD) return std::unexpected(EFAULT);
    return place;
  }
  auto path = target.path(address);
  if (!path) return std::unexpected(EFAULT);
  if (path->empty()) {
    if ((flags & AT_EMPTY_PATH) == 0) return std::unexpected(ENOENT);
    place.may_be_path_only = true;
    return place;
  }
  place.path = *std::move(path);
  return place;
}

}  // namespace

bool is_metadata_call(int number) { return form_of(number) != nullptr; }

std::expected<MetadataCall, int> read_metadata_call(const Target& target,
                                                    const NotifiedCall& call) {
  const Form* form = form_of(call.number);
  if (form == nullptr) return std::unexpected(ENOSYS);
  auto place = read_place(target, call, *form);
  if (!place) return std::unexpected(place.error());
  auto change = read_change(target, call, *form);
  if (!change) return std::unexpected(change.error());
  return MetadataCall{*std::move(place), *std::move(change)};
}

}  // namespace fathom::sandbox
