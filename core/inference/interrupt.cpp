// A signal handler that only touches a lock-free counter.
#include "core/inference/interrupt.h"

#include <csignal>

namespace ftrun {
namespace {

volatile std::sig_atomic_t count = 0;
struct sigaction former_action = {};

void count_interrupt(int signal_number) {
  if (count >= 2) {
    ::signal(signal_number, SIG_DFL);
    ::raise(signal_number);
  }
  count = count + 1;
}

}  // namespace

InterruptScope::InterruptScope() {
  count = 0;
  struct sigaction action = {};
  action.sa_handler = count_interrupt;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, nullptr, &former_action);
  if (former_action.sa_handler != SIG_IGN) ::sigaction(SIGINT, &action, nullptr);
}

InterruptScope::~InterruptScope() { ::sigaction(SIGINT, &former_action, nullptr); }

int interrupts() noexcept { return count; }
void forget_interrupts() noexcept { count = 0; }

}  // namespace ftrun
