// Ctrl-C as a count, for a program that stops an answer at the first one and leaves at the second.
// Leaves out: what is done about it.
#pragma once

namespace ftrun {

/// While alive, SIGINT is counted instead of ending the process, unless the process was started with it ignored; the
/// third in a row ends it. System calls are interrupted.
class InterruptScope {
 public:
  InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
  ~InterruptScope();
};

/// Interrupts since the last forget_interrupts(). [any-thread]
int interrupts() noexcept;
void forget_interrupts() noexcept;

}  // namespace ftrun
