// RefusedTool: a tool that this session cannot offer, under the name and description that it always
// has: the model's prefix stays the same, and a call says why.
#pragma once

#include "tools/tool.hpp"

#include <string>
#include <utility>

namespace fathom::tools {

class RefusedTool final : public Tool {
 public:
  /// `spec` outlives this.
  RefusedTool(const ToolSpec& spec, std::string why) : spec_(spec), why_(std::move(why)) {}

  [[nodiscard]] const ToolSpec& spec() const override { return spec_; }
  [[nodiscard]] Result<Intent> intent(const Arguments&) const override {
    return fail(ErrorCode::permission, why_);
  }
  asio::awaitable<Result<ToolOutput>> run(const Call&) override {
    co_return fail(ErrorCode::permission, why_);
  }

 private:
  const ToolSpec& spec_;
  std::string why_;
};

}  // namespace fathom::tools
