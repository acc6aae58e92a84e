// fathom encode: chats to the token ids that a model of this machine reads. A model that is trained
// on these ids is later asked with the same ones: sessions render through the same encoder.
#pragma once

#include "agents/cli/chosen_command.hpp"
#include "agents/cli/terminal.hpp"
#include "runtime/base/result.hpp"

#include <filesystem>
#include <string>

namespace CLI {
class App;
}

namespace fathom::agents {

struct EncodeOptions {
  std::filesystem::path input = "-";  ///< "-": standard input
  std::filesystem::path tokenizer;    ///< tokenizer.json, or a folder that has one
  std::string profile = "preview";
  std::string effort;     ///< as in sessions: "" thinks as the model does by default
  bool no_think = false;  ///< answers without reasoning
  bool lines = false;     ///< a chat a line, an object of ids a line
  bool text = false;      ///< the rendered text in place of ids
};

void add_encode_command(CLI::App& app, EncodeOptions& options, const Choose& choose);

/// Writes {"ids": […], "answers": [[begin, end], …]} for every chat; answers are ranges of ids,
/// those of the assistant messages, and a message with "train": false is left out of them.
Result<> encode(const EncodeOptions& options, Terminal& terminal);

}  // namespace fathom::agents
