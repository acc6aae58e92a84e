// One agent, one turn, in a program of your own.
//
//   hello ENGINE REPOSITORY TASK
//   hello openai:http://127.0.0.1:8000/v1 ~/src/x "what does this program do?"
#include "agents/document/agent_files.hpp"
#include "agents/runtime.hpp"

#include <iostream>

using namespace fathom;

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: hello ENGINE REPOSITORY TASK\n";
    return 64;
  }
  // First of all: it starts the process that starts the sandboxes.
  const auto runtime = agents::Runtime::start();
  const auto reviewer = agents::find_agent("reviewer", argv[2], process_env);
  if (!runtime || !reviewer) {
    std::cerr << "hello: " << (runtime ? reviewer.error() : runtime.error()).message << '\n';
    return 1;
  }
  agents::SessionOptions options;
  options.agent = reviewer->agent;
  options.document = reviewer->text;
  options.engine = argv[1];
  options.tools.repository = argv[2];
  options.on_event = [](const trace::EventDraft& event) {
    if (event.type == "tool.requested") std::cerr << event.data << '\n';
  };
  const auto report = (*runtime)->run(std::move(options), argv[3]);
  if (!report) {
    std::cerr << "hello: " << report.error().message << '\n';
    return 1;
  }
  std::cout << report->answer << '\n';
  return report->end == agents::TurnEnd::answered ? 0 : 1;
}
