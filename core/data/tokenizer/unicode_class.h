// Constant-time class lookup of code points, built once from unicode_tables.
// Leaves out: general categories beyond what the pre-tokenizers and added tokens need.
#pragma once

#include <cstdint>

namespace ftrun {

enum CodePointClass : uint8_t {
  kLetterClass = 1,   ///< \p{L}
  kNumberClass = 2,   ///< \p{N}
  kSpaceClass = 4,    ///< White_Space, the \s of Oniguruma and Rust
  kWordClass = 8,     ///< Rust regex's \w
  kNumericClass = 16  ///< Rust's char::is_numeric
};

/// Bits of CodePointClass for each code point below 0x110000. [any-thread]
const uint8_t* code_point_classes();

}  // namespace ftrun
