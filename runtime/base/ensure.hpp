// ENSURE: for the third kind of trouble, a program that is wrong. It is always on.
#pragma once

namespace fathom {

/// Called with its context while the program is dying, to save what it can. It must be
/// async-signal-safe in spirit: no allocation, no locks it might already hold, no return to normal
/// work.
using CrashFlush = void (*)(void* context);

/// Registers `flush` for the life of this object. The trace journal uses it so that the events
/// before a crash reach the disk. At most kCrashFlushesMax are kept; further ones are silently not
/// called.
class CrashFlushRegistration {
 public:
  CrashFlushRegistration(CrashFlush flush, void* context);
  ~CrashFlushRegistration();
  CrashFlushRegistration(const CrashFlushRegistration&) = delete;
  CrashFlushRegistration& operator=(const CrashFlushRegistration&) = delete;

  static constexpr int kCrashFlushesMax = 4096;

 private:
  int slot_ = -1;
};

/// Prints where and why, runs the registered flushes, aborts.
[[noreturn]] void ensure_failed(const char* condition, const char* why, const char* file, int line);

}  // namespace fathom

/// ENSURE(cond, why): `why` is a string literal saying which promise makes the condition true.
#define ENSURE(condition, why)                                      \
  do {                                                              \
    if (!(condition)) [[unlikely]]                                  \
      ::fathom::ensure_failed(#condition, why, __FILE__, __LINE__); \
  } while (false)
