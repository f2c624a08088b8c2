// The options that strategies share: entries for their tables, and reading them.
// Leaves out: reading other frameworks' files (deepspeed_config.h, fsdp_config.h), which end in these options.
#pragma once

#include <string>
#include <string_view>

#include "ftrun/cpp/plugin.hpp"
#include "sharding/expectations.h"
#include "sharding/gradients.h"

namespace ftrun::sharding {

// Entries for a plugin's table.

inline constexpr ftrun_option kReduceDtype = sdk::with_choices(
    sdk::option("reduce_dtype", FTRUN_OPTION_STRING, "auto",
                "dtype in which gradients travel between ranks; auto is that of a micro-batch's gradient."),
    "auto,bf16,fp32");
inline constexpr ftrun_option kOffloadOptimizer = sdk::with_choices(
    sdk::option("offload_optimizer", FTRUN_OPTION_STRING, "none",
                "Where optimizer state lives and is updated; cpu: in host memory, by the host device."),
    "none,cpu");
inline constexpr ftrun_option kOffloadParam =
    sdk::with_choices(sdk::option("offload_param", FTRUN_OPTION_STRING, "none",
                                  "Where slices of weights live; cpu: in host memory, streamed unit by unit."),
                      "none,cpu");
inline constexpr ftrun_option kReduceEveryMicroBatch =
    sdk::option("reduce_every_micro_batch", FTRUN_OPTION_BOOL, "false",
                "Reduce gradients every micro-batch instead of once per update: the same bits as zero2, more traffic.");
inline constexpr ftrun_option kReduceBucketSize = sdk::with_range(
    sdk::option("reduce_bucket_size", FTRUN_OPTION_INT, "12500000", "Elements that are reduced in one call."),
    {1024, 1e12});
inline constexpr ftrun_option kPersistenceThreshold = sdk::with_range(
    sdk::with_aliases(sdk::option("param_persistence_threshold", FTRUN_OPTION_INT, "0",
                                  "Units without a tensor of this many elements stay whole on every rank."),
                      "stage3_param_persistence_threshold"),
    {0, 1e15});
inline constexpr ftrun_option kPrefetch =
    sdk::option("prefetch", FTRUN_OPTION_BOOL, "true",
                "Gather the next unit while one is computed; false keeps one unit less in memory.");
inline constexpr ftrun_option kExpects =
    sdk::option("expects", FTRUN_OPTION_STRING, "",
                "KEY=VALUE pairs that an imported file states about other keys; a run that differs is refused.");
inline constexpr ftrun_option kDeepspeed =
    sdk::option("deepspeed", FTRUN_OPTION_STRING, "",
                "A DeepSpeed JSON file, or zero0 to zero3, zero2_offload, zero3_offload: selects the strategy.",
                FTRUN_OPTION_FLAT | FTRUN_OPTION_UNSET | FTRUN_OPTION_MAY_BE_PATH);
inline constexpr ftrun_option kFsdp =
    sdk::option("fsdp", FTRUN_OPTION_STRING_LIST, "",
                "An accelerate FSDP YAML file, or full_shard, shard_grad_op, hybrid_shard, no_shard, with offload.",
                FTRUN_OPTION_FLAT | FTRUN_OPTION_UNSET | FTRUN_OPTION_MAY_BE_PATH);

/// Reads the options of the calling plugin and, behind them, the run's. Each call names a key of the plugin's own
/// table.
class OptionReader {
 public:
  OptionReader(const ftrun_host* host, const ftrun_options* options) : options_(host, options) {}

  bool flag(std::string_view key) const { return options_.get_bool(key); }
  int64_t integer(std::string_view key) const { return options_.get_int(key); }
  std::string_view text(std::string_view key) const { return options_.get_string(key); }
  /// Of offload_optimizer or offload_param.
  ftrun_placement placement(std::string_view key) const;
  /// 0: the dtype of a micro-batch's gradient. INVALID_ARGUMENT when it contradicts the run's precision.
  ftrun_dtype reduce_dtype() const;
  /// For strategies whose weights are whole on every device.
  void refuse_offload_param(std::string_view strategy) const;
  Expectations expectations() const;
  const sdk::Options& values() const noexcept { return options_; }

  /// "FILE:LINE: " to stand before a message about `key`; "" where nobody gave it.
  std::string before(std::string_view key) const;
  /// INVALID_ARGUMENT about `key`.
  [[noreturn]] void refuse(std::string_view key, const std::string& message) const;

 private:
  sdk::Options options_;
};

/// The way of a role's gradients for a reduce_dtype (0: auto).
GradientDtypes gradient_dtypes(const ftrun_role_layout& layout, ftrun_dtype reduce_dtype);

}  // namespace ftrun::sharding
