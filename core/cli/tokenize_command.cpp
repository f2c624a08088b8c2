// `ftrun tokenize`: opens model folder and text; the work is data/tokenizer's.
#include "core/data/tokenizer/tokenize_command.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

#include "core/base/error.h"
#include "core/base/path_text.h"
#include "core/cli/command.h"

namespace ftrun {

int tokenize_command(const CommandContext& context) {
  if (!context.override_arguments.empty()) {
    throw invalid_argument("unknown flag '{}' of 'tokenize'", context.override_arguments.front());
  }
  if (context.positional.empty() || context.positional.size() > 2) {
    throw invalid_argument("expected: ftrun tokenize MODEL_DIR [FILE] [--decode] [--no_special_tokens]");
  }
  const auto tokenizer = Tokenizer::load(expand_path(context.positional[0], "MODEL_DIR"));
  const TokenizeOptions options = {context.decode, context.special_tokens};
  std::ios::sync_with_stdio(false);
  if (context.positional.size() == 1) {
    tokenize_stream(*tokenizer, std::cin, "stdin", std::cout, options);
  } else {
    const std::string path = expand_path(context.positional[1], "FILE");
    std::ifstream file(path, std::ios::binary);
    if (!file) throw not_found("{}: {}", path, std::strerror(errno));
    tokenize_stream(*tokenizer, file, path, std::cout, options);
  }
  std::cout.flush();
  return 0;
}

}  // namespace ftrun
