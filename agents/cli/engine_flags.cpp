#include "agents/cli/engine_flags.hpp"

#include "engine/cpu/thread_pool.hpp"
#include "runtime/base/text.hpp"

#include <CLI/CLI.hpp>

namespace fathom::agents {
namespace {

void add_json(CLI::App& command, ReportFormat& format) {
  command.add_flag_callback(
      "--json", [&format] { format = ReportFormat::json; }, "One JSON object");
}

void add_sampling(CLI::App& command, engine::SamplingOptions& sampling) {
  command.add_option("--temperature", sampling.temperature, "0 takes the likeliest token")
      ->capture_default_str();
  command.add_option("--top-p", sampling.top_p, "Fewest tokens with this much probability")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "This many likeliest tokens; 0 all")
      ->capture_default_str();
  command.add_option("--min-p", sampling.min_p, "At least this share of the likeliest")
      ->capture_default_str();
  command.add_option("--seed", sampling.seed, "The same seed gives the same tokens")
      ->capture_default_str();
}

}  // namespace

void add_model_commands(CLI::App& app, ModelOptions& options, const Choose& choose) {
  CLI::App* model = app.add_subcommand("model", "Look at a checkpoint, check it, or make one");
  model->require_subcommand(1);
  model->footer(
      "Examples:\n  fathom model inspect DeepSeek-V4-Flash\n  fathom model random --shape tiny "
      "/tmp/tiny");
  const auto add = [&](const char* name, const char* help,
                       Result<> (*run)(const ModelOptions&, Terminal&)) {
    CLI::App* command = model->add_subcommand(name, help);
    command->add_option("DIR", options.dir, "Folder with config.json and model*.safetensors")
        ->required();
    command->callback([&options, choose, run] {
      choose([&options, run](Terminal& terminal) -> Result<ExitCode> {
        TRY(run(options, terminal));
        return ExitCode::ok;
      });
    });
    return command;
  };
  CLI::App* inspect =
      add("inspect", "Parameters, bytes, layers, KV bytes and what fits here", model_inspect);
  add_json(*inspect, options.format);
  inspect->footer("Example:\n  fathom model inspect DIR --json | jq .kv_bytes");
  CLI::App* verify =
      add("verify", "Read every byte: damaged values, and the content's fingerprint", model_verify);
  add_json(*verify, options.format);
  verify->footer("Exit code 65 when a value is no number.\nExample:\n  fathom model verify DIR");
  CLI::App* random =
      add("random", "Write random weights in the release's format, with a tokenizer", model_random);
  random->add_option("--shape", options.shape, "tiny (4 layers, 2 MB) or mini (12 layers, 1.7 GB)")
      ->capture_default_str();
  random->add_option("--seed", options.seed, "The same seed gives the same bytes")
      ->capture_default_str();
  random->footer("Example:\n  fathom model random --shape mini /tmp/mini");
}

void add_generate_command(CLI::App& app, GenerateOptions& options, const Choose& choose) {
  CLI::App* command =
      app.add_subcommand("generate", "Continue a prompt with a model on this machine");
  command->add_option("PROMPT", options.prompt, "Text to continue, or to answer with --chat");
  command->add_option("--model", options.model, "Folder of the checkpoint")->required();
  command->add_option("--prompt-file", options.prompt_file,
                      "Read the prompt from here; - is standard input");
  command->add_option("--suffix", options.suffix, "Fill in between PROMPT and this text");
  command->add_option("--schema", options.schema, "JSON Schema file that the answer must meet");
  command->add_option(
      "--tools", options.tools,
      "With --chat: JSON file with the tools it may call, as the OpenAI API has them");
  command->add_flag("--must-call", options.must_call, "With --tools: the answer is a call");
  command->add_option("--ids", options.ids, "Token ids in place of a prompt: \"0 5 9\"");
  command->add_flag("--chat", options.chat, "The prompt is a user's message");
  command->add_flag("--think", options.think, "With --chat: reason before the answer");
  command->add_option("--effort", options.effort,
                      "With --think: none, low, high or max, as the profile has it");
  command->add_option("--profile", options.profile,
                      "Chat encoding: preview or 0731; by default the checkpoint's");
  CLI::Option* ids = command->add_flag_callback(
      "--print-ids", [&] { options.output = GenerateOutput::ids; },
      "Print token ids and nothing else");
  command
      ->add_flag_callback(
          "--json", [&] { options.output = GenerateOutput::json; }, "One JSON object at the end")
      ->excludes(ids);
  command->add_option("--max-tokens", options.tokens_max, "Length of the answer at most")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24))
      ->capture_default_str();
  add_sampling(*command, options.sampling);
  command->add_option("--stop", options.stop, "End before this text (repeatable)")
      ->allow_extra_args(false);
  command->add_flag("--ignore-eos", options.ignore_eos, "Go on behind the end of sentence");
  command->add_flag("!--no-speculation", options.speculate, "Do not draft tokens ahead");
  command->add_flag("--stats", options.stats, "Tokens a second, on standard error");
  command->add_option("--threads", options.threads, "Threads; 0 uses the cores of this machine")
      ->check(CLI::Range(0U, engine::ThreadPool::kThreadsMax))
      ->capture_default_str();
  const auto numerics = [&options](const std::string& name) {
    if (name != "official" && name != "exact")
      throw CLI::ValidationError("--numerics",
                                 "'" + to_printable(name) + "' is not official or exact");
    options.numerics = name == "exact" ? engine::Numerics::exact : engine::Numerics::official;
  };
  command
      ->add_option_function<std::string>("--numerics", numerics,
                                         "official (as released) or exact (f32)")
      ->type_name("MODE");
  command->footer(
      "Examples:\n  fathom generate --model DIR --chat 'Why is the sky blue?'\n"
      "  fathom generate --model DIR --chat 'List the files' --tools tools.json --json\n"
      "  fathom generate --model DIR --chat 'Name three birds' --schema birds.schema.json\n"
      "  fathom generate --model DIR --ids '0 5 9' --print-ids --temperature 0 --ignore-eos");
  command->callback([&options, choose] {
    choose([&options](Terminal& terminal) -> Result<ExitCode> {
      TRY(generate(options, terminal));
      return ExitCode::ok;
    });
  });
}

void add_bench_commands(CLI::App& app, BenchOptions& options, const Choose& choose) {
  CLI::App* bench = app.add_subcommand("bench", "Measure, as shares of what this machine can do");
  bench->require_subcommand(1);
  CLI::App* engine =
      bench->add_subcommand("engine", "Tokens a second of a checkpoint: prompts, decoding, drafts");
  engine->add_option("--model", options.model, "Folder of the checkpoint")->required();
  engine
      ->add_option("--context", options.contexts,
                   "Also decode behind so many tokens, made up (repeatable)")
      ->allow_extra_args(false);
  engine
      ->add_option("--threads", options.threads,
                   "Threads; 0 measures one and then the cores of this machine")
      ->check(CLI::Range(0U, engine::ThreadPool::kThreadsMax))
      ->capture_default_str();
  engine->add_flag("--quick", options.quick, "One round of each");
  add_json(*engine, options.format);
  engine->footer(
      "Fails when something else is running: then figures mean nothing.\n"
      "Examples:\n  fathom model random --shape mini DIR\n  fathom bench engine --model DIR\n"
      "  fathom bench engine --model DIR --context 1000 --context 256000 --json");
  engine->callback([&options, choose] {
    choose([&options](Terminal& terminal) -> Result<ExitCode> {
      TRY(bench_engine(options, terminal));
      return ExitCode::ok;
    });
  });
}

}  // namespace fathom::agents
