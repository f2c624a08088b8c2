// The program: arguments in, exit code out. The one place that reports errors.
#pragma once

namespace ftrun {

/// Exit codes: 0 done, 1 failed while running, 2 the user's input is wrong, 130 interrupted. Throws nothing.
int run_cli(int argc, char** argv) noexcept;

}  // namespace ftrun
