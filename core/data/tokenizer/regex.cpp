// A compiled regular expression (PCRE2 with JIT) in Oniguruma's dialect.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/data/tokenizer/regex.h"

#include <pcre2.h>

#include <new>

#include "core/base/error.h"
#include "core/base/utf8_text.h"
#include "core/data/tokenizer/oniguruma_pattern.h"

namespace ftrun {

struct RegexScratch::Memory {
  pcre2_match_data* match = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, 16 * 1024 * 1024, nullptr);

  Memory() {
    if (match == nullptr || context == nullptr || stack == nullptr) throw std::bad_alloc();
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Memory() {
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

RegexScratch::RegexScratch() : memory_(std::make_unique<Memory>()) {}
RegexScratch::~RegexScratch() = default;

struct Regex::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

Regex::Regex(std::string_view oniguruma_pattern) : code_(std::make_unique<Code>()) {
  const std::string pattern = translate_oniguruma(oniguruma_pattern);
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  if (context == nullptr) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset, context.get());
  if (code_->code == nullptr) {
    PCRE2_UCHAR message[256] = {};
    pcre2_get_error_message(error, message, sizeof(message));
    throw invalid_argument("regular expression: {}", reinterpret_cast<const char*>(message));
  }
  // Without JIT (not every machine has it) pcre2_match interprets; the matches are the same.
  pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE);
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

void Regex::find_all(std::string_view text, RegexScratch& scratch, std::vector<TextRange>& matches) const {
  RegexScratch::Memory& memory = *scratch.memory_;
  const auto subject = reinterpret_cast<PCRE2_SPTR>(text.data() == nullptr ? "" : text.data());
  size_t start = 0;
  bool any = false;
  size_t last_end = 0;
  while (start <= text.size()) {
    int found = pcre2_match(code_->code, subject, text.size(), start, PCRE2_NO_UTF_CHECK, memory.match, memory.context);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
      found = pcre2_match(code_->code, subject, text.size(), start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, memory.match,
                          memory.context);
    }
    if (found == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
    if (found < 0) return;
    const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(memory.match);
    const TextRange range{offsets[0], offsets[1]};
    if (range.begin == range.end && any && last_end == range.end) {
      start = range.end + (range.end < text.size() ? code_point_at(text, range.end).size_bytes : 1);
      continue;
    }
    any = true;
    start = last_end = range.end;
    matches.push_back(range);
  }
}

}  // namespace ftrun
