// PartialAnswer: what has come of an answer so far, in case it is stopped.
#pragma once

#include "engine/text/sample.hpp"
#include "runtime/base/message.hpp"

#include <cstddef>
#include <vector>

namespace fathom::agents {

class PartialAnswer {
 public:
  void add(const engine::SampleDelta& delta);

  [[nodiscard]] bool empty() const;
  /// The text so far and the calls that were complete. A call that was being written is not there.
  [[nodiscard]] Message take();

 private:
  Message message_;
  std::vector<ToolCall> calls_;
  std::vector<bool> finished_;
};

}  // namespace fathom::agents
