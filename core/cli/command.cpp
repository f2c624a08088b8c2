// One row per subcommand.
#include "core/cli/command.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/bench/commands.h"
#include "core/export/commands.h"
#include "core/inference/commands.h"
#include "core/train/commands.h"

namespace ftrun {
namespace {

constexpr std::string_view kTokenizeDetails =
    "\nA line is one text and ends at LF; a CR before the LF belongs to the text (tr -d '\\r' takes it out).\n"
    "The ids are those of Hugging Face's Tokenizer.encode(text), with the special tokens that the tokenizer's\n"
    "post-processor adds (a leading bos, for example). Training adds none of these: templates write their own.\n\n"
    "  --no_special_tokens  only the ids of the text, as Tokenizer.encode(text, add_special_tokens=False)\n"
    "  --decode             the way back: a line is a JSON array of ids; special tokens stay in the text,\n"
    "                       with --no_special_tokens they are left out\n";

constexpr std::string_view kPredictDetails =
    "\nReads the rows of eval_dataset (of dataset where that is not given), asks the model for the last answer of "
    "each,\n"
    "and writes into output_dir. Rows may be of any kind and lack the answer; the label of a pair is its chosen one, "
    "a\n"
    "row of plain text (a line of a .txt file) is what the user says:\n\n"
    "  generated_predictions.jsonl  a line {\"prompt\", \"predict\", \"label\"} per row, in the order of the data\n"
    "  predict_results.json         ROUGE-1, -2, -L and BLEU-4 in percent where the data has answers, and speed\n\n"
    "Prompts are written by `template`, else by the tokenizer's chat_template, and never cut.\n"
    "per_device_eval_batch_size rows are answered at a time; answers do not depend on it. --nproc N deals the rows to "
    "N\n"
    "ranks. A training file serves as it is: --model names the folder that training wrote.\n"
    "\ndo_sample, temperature, top_p, top_k, repetition_penalty, max_new_tokens and stop: a key or flag wins over the\n"
    "model's generation_config.json, which wins over the default. Keys of training have no effect in the file and are "
    "refused\n"
    "as flags. --model may also name the folder of an adapter whose base is where adapter_config.json says.\n";

constexpr std::string_view kChatDetails =
    "\nReads questions from stdin, a line each, and writes answers to stdout as they are made. From a pipe there is\n"
    "nothing else on stdout: printf 'question\\n' | ftrun chat --model DIR. With --json one object at the end.\n"
    "Prompts are written by `template`, else by the tokenizer's chat_template; --system TEXT gives a system prompt.\n\n"
    "  /reset        forget the conversation          /exit   leave (or Ctrl-D)\n"
    "  /system TEXT  another system prompt            /help   this list\n\n"
    "A question that is refused (longer than the model's positions) is an error on stderr and an empty line on stdout\n"
    "of a pipe, with --json {\"user\", \"error\"}, so that answers keep their places. Answers may have several lines: "
    "--json\n"
    "tells them apart. Lines are edited as the terminal does it (Backspace, Ctrl-U, Ctrl-W); arrow keys and older "
    "lines:\n"
    "rlwrap ftrun chat ...\n\n"
    "Exit codes: 0; from a pipe 2 where a question was refused or a command unknown, after all lines have been read; "
    "130\n"
    "after Ctrl-C twice; 1 and 2 without a conversation as every command's.\n\n"
    "Ctrl-C stops an answer, twice leaves. When a conversation outgrows the model's positions, its oldest turns go.\n"
    "\ndo_sample, temperature, top_p, top_k, repetition_penalty, max_new_tokens and stop: a key or flag wins over the\n"
    "model's generation_config.json, which wins over the default. Keys of training have no effect in the file and are "
    "refused\n"
    "as flags. --model may also name the folder of an adapter whose base is where adapter_config.json says.\n";

constexpr std::string_view kBenchDetails =
    "\n  --model DIR                    folder with a config.json (configs/models/default); weights are random\n"
    "  --seq N                        tokens of a row (1024)\n"
    "  --batch N                      rows of a step (2)\n"
    "  --steps N                      measured steps, after one that is not (5)\n"
    "  --torch_dtype bf16|fp32        bf16 with fp32 master weights, or fp32 throughout (bf16)\n"
    "  --finetuning_type full|lora    train everything, or low-rank pairs on frozen weights (full); with lora also\n"
    "                                 lora_rank, lora_alpha, lora_dropout, lora_target, use_rslora, use_dora\n"
    "  --gradient_checkpointing BOOL  recompute blocks in backward (false)\n"
    "  --json                         one JSON object: tokens_per_second, step_ms, phase_ms, gemm_peak_tflops, mfu, "
    "...\n"
    "  --generate                     measure answers instead: prefill of --seq tokens, decoding one sequence and "
    "--batch\n"
    "                                 of them (16), each for --steps tokens (32) behind --context ones (64), against "
    "the\n"
    "                                 memory's and the matrix products' speed\n"
    "\nFurther: threads, device, strategy, network, plugin_path, seed. No configuration file is read. The peak is the "
    "best\n"
    "of ftrun's own matrix product and those of oneDNN and OpenBLAS where they are installed.\n";

}  // namespace

std::span<const Command> commands() {
  static constexpr Command kCommands[] = {
      {"train", "[train] --config FILE [--KEY VALUE]...", "train; the word 'train' may be left out", true,
       train_command},
      {"check", "check --config FILE [--KEY VALUE]...", "validate and compose without running; prints the resolved run",
       true, check_command},
      {"data", "data --config FILE [--rows N] [--KEY VALUE]...",
       "what the model will see: the data ledger, then rows as text, ids and loss mask", true, data_command, " rows "},
      {"predict",
       "predict --config FILE [--KEY VALUE]...",
       "answer every row of a data set: generated_predictions.jsonl, with ROUGE and BLEU",
       true,
       predict_command,
       {},
       kPredictDetails},
      {"chat",
       "chat [--config FILE] [--model DIR] [--system TEXT] [--KEY VALUE]...",
       "talk to a model, in a terminal or a pipe",
       true,
       chat_command,
       {},
       kChatDetails},
      {"tokenize", "tokenize MODEL_DIR [FILE] [--decode] [--no_special_tokens]",
       "one JSON array of ids per line of FILE or stdin, or the way back", false, tokenize_command,
       " decode no_special_tokens ", kTokenizeDetails},
      {"export", "export --config FILE [--KEY VALUE]...",
       "merge adapters into the model, convert its dtype, split its files; checks that it answers as before", true,
       export_command},
      {"bench",
       "bench [--generate] [--model DIR] [--seq N] [--batch N] [--steps N] [--torch_dtype bf16|fp32] "
       "[--finetuning_type full|lora] [--json]",
       "this machine's matrix products, and training steps with random weights against them",
       true,
       bench_command,
       {},
       kBenchDetails,
       false},
      {"plugins", "plugins [list | info NAME | check FILE] [--plugin_path PATH]",
       "plugins on the search path, one plugin's options, or the checks on a file", false, plugins_command},
      {"devices", "devices [info] [--plugin_path PATH]", "devices that can be used, with their memory", false,
       devices_command},
      {"version", "version", "version of the program and of the plugin ABI", false, version_command},
  };
  return kCommands;
}

const Command& find_command(std::string_view name) {
  const auto all = commands();
  if (const auto found = std::ranges::find(all, name, &Command::name); found != all.end()) return *found;
  std::vector<std::string> names;
  for (const Command& command : all) names.emplace_back(command.name);
  if (name.ends_with(".yaml") || name.ends_with(".yml")) {
    throw invalid_argument("unknown command '{0}': a configuration is given as --config {0}", name);
  }
  throw invalid_argument("unknown command '{}'{}; known: {}", name, did_you_mean(name, names), fmt::join(names, ", "));
}

void require_taken(const Command& command, std::string_view flag) {
  const std::string word = fmt::format(" {} ", flag);
  if (command.flags.find(word) != std::string_view::npos) return;
  const auto all = commands();
  const auto owner =
      std::ranges::find_if(all, [&](const Command& other) { return other.flags.find(word) != std::string_view::npos; });
  throw invalid_argument("--{}: '{}' has no use for it: it is a flag of 'ftrun {}'", flag, command.name, owner->name);
}

}  // namespace ftrun
