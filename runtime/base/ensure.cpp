#include "runtime/base/ensure.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace fathom {
namespace {

// The one piece of global state in the project: a dying program has nobody to hand it a reference.
// A slot is claimed by its flag, then filled; `flush` is published last and withdrawn first.
struct Slot {
  std::atomic<bool> claimed = false;
  std::atomic<void*> context = nullptr;
  std::atomic<CrashFlush> flush = nullptr;
};
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables)
constinit std::array<Slot, CrashFlushRegistration::kCrashFlushesMax> g_slots;
constinit std::atomic<bool> g_dying = false;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

}  // namespace

CrashFlushRegistration::CrashFlushRegistration(CrashFlush flush, void* context) {
  for (std::size_t i = 0; i < g_slots.size(); ++i) {
    bool expected = false;
    if (!g_slots[i].claimed.compare_exchange_strong(expected, true)) continue;
    g_slots[i].context.store(context);
    g_slots[i].flush.store(flush);
    slot_ = static_cast<int>(i);
    return;
  }
}

CrashFlushRegistration::~CrashFlushRegistration() {
  if (slot_ < 0) return;
  Slot& slot = g_slots[static_cast<std::size_t>(slot_)];
  slot.flush.store(nullptr);
  slot.context.store(nullptr);
  slot.claimed.store(false);
}

void ensure_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "fathom: bug: %s:%d: ENSURE(%s): %s\n", file, line, condition, why);
  std::fflush(stderr);
  // A flush that itself fails an ENSURE must not start the round again.
  if (!g_dying.exchange(true)) {
    for (Slot& slot : g_slots) {
      if (CrashFlush flush = slot.flush.load()) flush(slot.context.load());
    }
  }
  std::abort();
}

}  // namespace fathom
