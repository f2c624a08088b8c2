// A compiled regular expression (PCRE2 with JIT) in Oniguruma's dialect.
// Leaves out: captures and replacement.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

/// Half-open byte range of a text.
struct TextRange {
  size_t begin;
  size_t end;
  bool operator==(const TextRange&) const = default;
};

/// Working memory for matching; one per thread of use.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

/// Immutable; [any-thread] with one RegexScratch per thread.
class Regex {
 public:
  /// Throws INVALID_ARGUMENT when the pattern is malformed or uses an unsupported construct (oniguruma_pattern.h).
  explicit Regex(std::string_view oniguruma_pattern);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  /// Appends all successive matches in well-formed `text`; an empty match right after a match is skipped, as the onig
  /// crate's find_iter does. A match that exceeds PCRE2's limits counts as none, as it does there.
  void find_all(std::string_view text, RegexScratch& scratch, std::vector<TextRange>& matches) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace ftrun
