// What an imported file states about keys that are not the strategy's: a run that differs from it is refused.
// Leaves out: reading such files (deepspeed_config.h, fsdp_config.h).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ftrun/cpp/plugin.hpp"

namespace ftrun::sharding {

/// KEY=VALUE pairs about the run's keys, as the option `expects` holds them ("bf16=true,max_grad_norm=1"). The key
/// train_batch_size stands for per_device_train_batch_size x gradient_accumulation_steps x ranks.
class Expectations {
 public:
  Expectations() = default;
  /// INVALID_ARGUMENT when `text` is not such a list.
  explicit Expectations(std::string_view text);

  void add(std::string key, std::string value) { pairs_.emplace_back(std::move(key), std::move(value)); }
  bool empty() const noexcept { return pairs_.empty(); }
  /// The list as an option's value.
  std::string text() const;
  /// INVALID_ARGUMENT naming the first key whose value differs. `before` stands before the message.
  void check(const sdk::Options& options, int32_t world, const std::string& before) const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

}  // namespace ftrun::sharding
