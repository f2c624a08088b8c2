// `ftrun chat`: answers go to stdout, everything else (the prompt sign, hints, errors) to stderr.
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/base/utf8_text.h"
#include "core/inference/chat_line.h"
#include "core/inference/chat_session.h"
#include "core/inference/commands.h"
#include "core/inference/interrupt.h"
#include "core/inference/terminal_text.h"

namespace ftrun {
namespace {

constexpr int kInterruptedExit = 130;
constexpr int kWrongInputExit = 2;

void refuse_ranks(const InferenceSetup& setup) {
  if (setup.run.nproc == 1 && setup.run.launched_world <= 1) return;
  throw invalid_argument("{}: a chat is one sequence of tokens, which more ranks would only compute again: remove it",
                         setup.run.launched_world > 1 ? "mpirun" : setup.config().origin("nproc") + ": nproc");
}

void flush_stdout() {
  if (std::fflush(stdout) != 0) throw io_error("standard output cannot be written");
}

/// The loop over lines.
class Chat {
 public:
  Chat(const InferenceSetup& setup, InferenceModel& model, bool as_json)
      : session_(setup, model),
        as_json_(as_json),
        is_terminal_(::isatty(STDIN_FILENO) != 0),
        shows_(::isatty(STDOUT_FILENO) != 0),
        input_(STDIN_FILENO) {}

  int run() {
    std::string line;
    while (true) {
      sign("> ");
      const ChatInput::Status status = input_.read(line, [&] { sign(". "); });
      if (status == ChatInput::Status::kEnd) break;
      if (status == ChatInput::Status::kInterrupted) {
        if (interrupts() > 1) return finish(kInterruptedExit);
        if (interrupts() == 1) hint("\n(Ctrl-C again, or /exit, leaves)\n");
        continue;
      }
      forget_interrupts();
      if (!handle(line)) break;
      if (interrupts() > 1) return finish(kInterruptedExit);
    }
    return finish(failed_ && !is_terminal_ ? kWrongInputExit : 0);
  }

 private:
  void sign(std::string_view text) const {
    if (is_terminal_) hint(text);
  }
  static void hint(std::string_view text) { fmt::print(stderr, "{}", text); }

  /// False: leave.
  bool handle(const std::string& text) {
    try {
      const std::string typed = replace_ill_formed(text);
      const ChatLine line = parse_chat_line(is_terminal_ ? terminal_input(typed) : typed);
      switch (line.action) {
        case ChatAction::kAsk:
          ask_or_refuse(line.text);
          return true;
        case ChatAction::kNothing:
          return true;
        case ChatAction::kReset:
          session_.reset();
          return true;
        case ChatAction::kSystem:
          session_.set_system(line.text);
          return true;
        case ChatAction::kHelp:
          hint(chat_help());
          return true;
        case ChatAction::kExit:
          return false;
      }
    } catch (const Error& error) {
      if (error.code() != FTRUN_INVALID_ARGUMENT) throw;
      fail(error.what());
    }
    return true;
  }

  void fail(std::string_view reason) {
    failed_ = true;
    log_error("{}", reason);
  }

  /// One answer per question on stdout, whatever becomes of the question.
  void ask_or_refuse(const std::string& question) {
    std::string reason;
    try {
      return ask(question);
    } catch (const Error& error) {
      if (error.code() != FTRUN_INVALID_ARGUMENT && error.code() != FTRUN_RESOURCE_EXHAUSTED) throw;
      reason = error.what();
    } catch (const RowError& error) {
      reason = error.what();
    }
    fail(reason);
    if (as_json_) {
      turns_.push_back({{"user", question}, {"error", reason}});
    } else if (!is_terminal_) {
      end_answer();
    }
  }

  static void end_answer() {
    fmt::print("\n");
    flush_stdout();
  }

  void ask(const std::string& question) {
    const ChatReply reply = session_.ask(
        question,
        [&](std::string_view piece) {
          if (as_json_) return;
          fmt::print("{}", shows_ ? terminal_output(piece) : std::string(piece));
          flush_stdout();
        },
        [] { return interrupts() > 0; });
    if (as_json_) {
      turns_.push_back({{"user", question},
                        {"assistant", reply.text},
                        {"prompt_tokens", reply.prompt_tokens},
                        {"new_tokens", reply.new_tokens},
                        {"complete", reply.is_complete}});
    } else {
      end_answer();
    }
    if (reply.dropped_turns > 0) {
      log_warning("the conversation no longer fits into the model's positions: its {} oldest turns are forgotten",
                  reply.dropped_turns);
    }
    if (!reply.is_complete && interrupts() == 0) {
      log_info("the answer was cut after {} new tokens (max_new_tokens, or the model's last position)",
               reply.new_tokens);
    }
    log_debug("{} prompt tokens ({} from the cache), {} new ones", reply.prompt_tokens, reply.reused_tokens,
              reply.new_tokens);
  }

  int finish(int code) const {
    if (is_terminal_) hint("\n");
    if (as_json_) fmt::print("{}\n", nlohmann::json{{"turns", turns_}}.dump());
    return code;
  }

  ChatSession session_;
  bool as_json_;
  bool is_terminal_;  // lines are typed
  bool shows_;        // answers are read by somebody, not something
  ChatInput input_;
  bool failed_ = false;
  nlohmann::json turns_ = nlohmann::json::array();
};

}  // namespace

int chat_command(const CommandContext& context) {
  const InferenceSetup setup = prepare_inference(context, "chat");
  refuse_ranks(setup);
  RankLink link(setup.run);
  InferenceModel model(setup, link);
  log_info("{} in {} on {}; prompts by {}; /help lists commands", setup.run.arguments.model_name_or_path.string(),
           setup.run.arguments.pure_bf16 ? "bf16" : "fp32", link.devices().device().name(), setup.prompts->name());
  const InterruptScope interrupt_scope;
  return Chat(setup, model, context.json).run();
}

}  // namespace ftrun
