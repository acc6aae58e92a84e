#include "runtime/net/connection_pool.hpp"

#include <algorithm>
#include <utility>

namespace fathom::net {

std::unique_ptr<ByteStream> ConnectionPool::take(const Origin& origin) {
  close_expired();
  for (std::size_t i = idle_.size(); i-- > 0;) {
    if (idle_[i].origin != origin) continue;
    std::unique_ptr<ByteStream> connection = std::move(idle_[i].connection);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
    if (connection->is_quiet()) return connection;
  }
  return nullptr;
}

void ConnectionPool::put(Origin origin, std::unique_ptr<ByteStream> connection) {
  close_expired();
  if (limits_.idle_max == 0 || limits_.idle_per_origin_max == 0) return;
  const auto is_same = [&](const Idle& idle) { return idle.origin == origin; };
  const auto same = static_cast<std::size_t>(std::ranges::count_if(idle_, is_same));
  if (same >= limits_.idle_per_origin_max) {
    idle_.erase(std::ranges::find_if(idle_, is_same));
  } else if (idle_.size() >= limits_.idle_max) {
    idle_.erase(idle_.begin());
  }
  idle_.push_back({std::move(origin), std::move(connection), clock_.now()});
}

void ConnectionPool::close_expired() {
  const Instant now = clock_.now();
  std::erase_if(idle_, [&](const Idle& idle) { return idle.since + limits_.idle_timeout <= now; });
}

}  // namespace fathom::net
