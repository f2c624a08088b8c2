// Unicode code point ranges as Hugging Face `tokenizers` has them; data in unicode_tables.cpp (generated).
// Leaves out: lookups (unicode_class.h).
#pragma once

#include <cstdint>
#include <span>

namespace ftrun {

/// Code points first..last, both included.
struct CodePointRange {
  uint32_t first;
  uint32_t last;
};

/// Code points that have general category or script `name` in Unicode 16 (Oniguruma's) but not in 14 (PCRE2's).
struct NewerProperty {
  const char* name;
  CodePointRange range;
};

std::span<const CodePointRange> letter_ranges();           ///< Oniguruma's \p{L}
std::span<const CodePointRange> number_ranges();           ///< Oniguruma's \p{N}
std::span<const CodePointRange> word_ranges();             ///< Rust regex's \w
std::span<const CodePointRange> numeric_ranges();          ///< Rust's char::is_numeric
std::span<const CodePointRange> normalization_barriers();  ///< utf8proc normalises them, `tokenizers` leaves them alone
std::span<const NewerProperty> newer_properties();

}  // namespace ftrun
