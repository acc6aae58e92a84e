#include "agents/control.hpp"

#include <algorithm>
#include <utility>

namespace fathom::agents {

bool Control::steer(Steer steer) {
  if (steer.text.empty() || steer.text.size() > kSteerBytesMax) return false;
  if (!steer.key.empty()) {
    // One that was delivered already is for the journal to recognise: it knows of earlier lives.
    const auto same = std::ranges::find(steers_, steer.key, &Steer::key);
    if (same != steers_.end()) {
      same->receipt = [first = std::move(same->receipt),
                       second = std::move(steer.receipt)](std::uint64_t seq) {
        if (first) first(seq);
        if (second) second(seq);
      };
      return true;
    }
  }
  if (steers_.size() >= kSteersMax) return false;
  steers_.push_back(std::move(steer));
  return true;
}

void Control::interrupt() {
  interrupted_ = true;
  changed_.notify_all();
}

}  // namespace fathom::agents
