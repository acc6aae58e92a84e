#include "engine/text/chat_merge.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace fathom::engine {
namespace {

using CallOrder = std::unordered_map<std::string, std::size_t>;

// Results trade places among themselves; texts keep theirs. An id nobody called counts as the
// first.
void sort_results(std::vector<UserBlock>& blocks, const CallOrder& order) {
  std::vector<std::pair<std::size_t, std::size_t>> from;  // place in the calls, place in `blocks`
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].kind != UserBlock::Kind::tool_result) continue;
    const auto found = order.find(blocks[i].call_id);
    from.emplace_back(found == order.end() ? 0 : found->second, i);
  }
  std::ranges::sort(from);
  const std::vector<UserBlock> old = blocks;
  auto next = from.begin();
  for (UserBlock& block : blocks)
    if (block.kind == UserBlock::Kind::tool_result) block = old[(next++)->second];
}

CallOrder order_of(const std::vector<ToolCall>& calls) {
  CallOrder order;
  for (std::size_t i = 0; i < calls.size(); ++i)
    if (!calls[i].id.empty()) order[calls[i].id] = i;
  return order;
}

}  // namespace

std::vector<MergedMessage> merge_messages(const Chat& chat) {
  std::vector<MergedMessage> merged;
  const auto last_user = [&]() -> MergedMessage* {
    const bool user = !merged.empty() && merged.back().message.role == ChatRole::user;
    return user ? &merged.back() : nullptr;
  };
  for (const ChatMessage& message : chat) {
    if (message.role == ChatRole::tool) {
      if (!last_user()) merged.emplace_back();
      merged.back().blocks.push_back(
          {UserBlock::Kind::tool_result, message.content, message.tool_call_id});
    } else if (message.role == ChatRole::user) {
      // A message with a task ends its user turn; the task of one that joins another is lost.
      if (MergedMessage* before = last_user(); !before || before->message.task) {
        MergedMessage& fresh = merged.emplace_back();
        fresh.message.task = message.task;
        fresh.message.open = message.open;
      }
      merged.back().blocks.push_back({UserBlock::Kind::text, message.content, ""});
    } else {
      merged.push_back({message, {}});
    }
  }
  CallOrder order;
  for (MergedMessage& one : merged) {
    if (!one.message.calls.empty()) order = order_of(one.message.calls);
    sort_results(one.blocks, order);
  }
  return merged;
}

}  // namespace fathom::engine
