// A tool of your own beside the ones that ship: it says what it is, what a call would do, and does
// it. The policy decides in between, and the call is in the journal like every other.
//
//   custom_tool ENGINE REPOSITORY TASK
#include "agents/document/agent_files.hpp"
#include "agents/runtime.hpp"

#include <iostream>

using namespace fathom;

namespace {

class CountWords final : public tools::Tool {
 public:
  [[nodiscard]] const tools::ToolSpec& spec() const override {
    static const tools::ToolSpec kSpec{
        "count_words", "Count the words of a text.",
        R"({"type":"object","properties":{"text":{"type":"string"}},)"
        R"("required":["text"],"additionalProperties":false})"};
    return kSpec;
  }

  // It only looks at its argument, so there is nothing to ask the policy about.
  [[nodiscard]] Result<tools::Intent> intent(const tools::Arguments&) const override {
    return tools::Intent{tools::Effect::read, {}};
  }

  boost::asio::awaitable<Result<tools::ToolOutput>> run(const tools::Call& call) override {
    const std::string text = call.arguments.text("text").value_or("");
    std::size_t words = 0;
    bool is_inside = false;
    for (const char c : text) {
      const bool is_blank = c == ' ' || c == '\n' || c == '\t';
      if (!is_blank && !is_inside) ++words;
      is_inside = !is_blank;
    }
    co_return tools::ToolOutput::of(std::to_string(words) + " words");
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: custom_tool ENGINE REPOSITORY TASK\n";
    return 64;
  }
  const auto runtime = agents::Runtime::start();
  const auto agent = agents::find_agent("reviewer", argv[2], process_env);
  if (!runtime || !agent) {
    std::cerr << "custom_tool: " << (runtime ? agent.error() : runtime.error()).message << '\n';
    return 1;
  }
  agents::SessionOptions options;
  options.agent = agent->agent;
  options.document = agent->text;
  options.engine = argv[1];
  options.tools.repository = argv[2];
  options.tools.more.push_back(std::make_unique<CountWords>());
  const auto report = (*runtime)->run(std::move(options), argv[3]);
  if (!report) {
    std::cerr << "custom_tool: " << report.error().message << '\n';
    return 1;
  }
  std::cout << report->answer << '\n';
  return report->end == agents::TurnEnd::answered ? 0 : 1;
}
