#include "tools/tool_set.hpp"

#include "tests/support/catch.hpp"

using namespace fathom;
using namespace fathom::tools;

namespace {

class NamedTool final : public Tool {
 public:
  explicit NamedTool(std::string name, std::string parameters = R"({"type":"object"})")
      : spec_{std::move(name), "", std::move(parameters)} {}
  [[nodiscard]] const ToolSpec& spec() const override { return spec_; }
  [[nodiscard]] Result<Intent> intent(const Arguments&) const override { return Intent{}; }
  asio::awaitable<Result<ToolOutput>> run(const Call&) override { co_return ToolOutput::of(""); }

 private:
  ToolSpec spec_;
};

template <class... Names>
Result<ToolSet> set_of(Names... names) {
  std::vector<std::unique_ptr<Tool>> tools;
  (tools.push_back(std::make_unique<NamedTool>(names)), ...);
  return ToolSet::create(std::move(tools));
}

}  // namespace

TEST_CASE("a set keeps the order in which its tools were given", "[tools]") {
  const auto set = set_of("b", "a", "mcp_x-y").value();
  CHECK(set.names() == std::vector<std::string_view>{"b", "a", "mcp_x-y"});
  CHECK(set.find("a") != nullptr);
  CHECK(set.find("c") == nullptr);
}

TEST_CASE("a set refuses names that no model could call", "[tools]") {
  CHECK(set_of("a", "a").error().message == "tool 'a' stands twice");
  CHECK(set_of("a b").error().message ==
        "tool 'a b': a name has letters, digits, '_' and '-', 64 at most");
  CHECK_FALSE(set_of(""));
  CHECK_FALSE(set_of(std::string(65, 'a')));
}

TEST_CASE("a set refuses a schema that cannot be compiled", "[tools]") {
  std::vector<std::unique_ptr<Tool>> tools;
  tools.push_back(std::make_unique<NamedTool>("t", "{"));
  CHECK(ToolSet::create(std::move(tools)).error().code == ErrorCode::bad_data);
}

TEST_CASE("a set has a bound", "[tools]") {
  std::vector<std::unique_ptr<Tool>> tools;
  for (std::size_t i = 0; i <= kToolsMax; ++i)
    tools.push_back(std::make_unique<NamedTool>("t" + std::to_string(i)));
  CHECK(ToolSet::create(std::move(tools)).error().code == ErrorCode::too_large);
}
