// The C side of resolved options: what ftrun_options is, and the getters plugins call.
#pragma once

#include "core/config/option_value.h"
#include "ftrun/option.h"

/// A plugin's own values and, behind them, the host's. Both outlive the object's users.
struct ftrun_options {
  const ftrun::OptionValues* own;
  const ftrun::OptionValues* host;
};

namespace ftrun {

/// The getters; a static table. [any-thread]
const ftrun_option_api* option_api() noexcept;

}  // namespace ftrun
