// How much work and memory one rendering may take, so that a template that does not end is refused.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/jinja/failure.h"

namespace ftrun::jinja {

inline constexpr uint64_t kMaxSteps = uint64_t{1} << 23;      ///< items iterated, statements run, values made
inline constexpr uint64_t kMaxTextBytes = uint64_t{1} << 30;  ///< of all texts made, summed
inline constexpr size_t kMaxOneTextBytes = size_t{1} << 26;   ///< of one text
inline constexpr int kMaxDepth = 1000;                        ///< expressions and statements inside each other
inline constexpr int kMaxValueDepth = 200;                    ///< lists, dicts, generators and loops inside each other
inline constexpr int kMaxNesting = 100;                       ///< brackets and tags inside each other
inline constexpr int kMaxChain = 400;                         ///< operators in a row, as in a + b + c

inline Failure exhausted(const char* what) {
  return {"", fmt::format("the template {}: its loops or macros do not seem to end", what), FTRUN_RESOURCE_EXHAUSTED};
}

/// Throws RESOURCE_EXHAUSTED for a text that grows beyond what one may be. To be asked while it is made.
inline void check_text_size(size_t bytes) {
  if (bytes > kMaxOneTextBytes) throw exhausted("makes too much text");
}

/// Spent by one rendering; throws RESOURCE_EXHAUSTED when it is used up.
class Budget {
 public:
  void steps(uint64_t count) {
    steps_ += count;
    if (count > kMaxSteps || steps_ > kMaxSteps) throw exhausted("takes too many steps");
  }
  void text(size_t bytes) {
    text_bytes_ += bytes;
    check_text_size(bytes);
    if (text_bytes_ > kMaxTextBytes) throw exhausted("makes too much text");
  }

  /// Held while something is evaluated inside something else.
  class Depth {
   public:
    explicit Depth(Budget& budget) : budget_(budget) {
      if (++budget_.depth_ > kMaxDepth) {
        --budget_.depth_;
        throw exhausted("goes too deep");
      }
    }
    ~Depth() { --budget_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    Budget& budget_;
  };

 private:
  uint64_t steps_ = 0;
  uint64_t text_bytes_ = 0;
  int depth_ = 0;
};

}  // namespace ftrun::jinja
