// A reward in C++: 1 for completions of up to target_tokens tokens, falling to 0 at twice as many.
#include <algorithm>

#include "ftrun/cpp/plugin.hpp"
#include "ftrun/kinds/reward.h"

namespace {
namespace sdk = ftrun::sdk;

struct Brevity {
  double target_tokens;
};

ftrun_status create(const ftrun_host* host, const ftrun_options* options, void** reward) noexcept {
  return sdk::guarded(
      host, [&] { *reward = new Brevity{static_cast<double>(sdk::Options(host, options).get_int("target_tokens"))}; });
}
void destroy(void* reward) noexcept { delete static_cast<Brevity*>(reward); }

ftrun_status score(void* reward, ftrun_context*, const ftrun_reward_sample* samples, uint64_t stride, int32_t n,
                   double* scores) noexcept {
  const double target = static_cast<Brevity*>(reward)->target_tokens;
  for (int32_t i = 0; i < n; ++i) {
    const auto* bytes = reinterpret_cast<const char*>(samples) + static_cast<uint64_t>(i) * stride;
    const auto* sample = reinterpret_cast<const ftrun_reward_sample*>(bytes);
    scores[i] = std::clamp(2.0 - static_cast<double>(sample->n_completion_ids) / target, 0.0, 1.0);
  }
  return FTRUN_OK;
}

constexpr ftrun_option kOptions[] = {sdk::with_range(
    sdk::option("target_tokens", FTRUN_OPTION_INT, "64", "completions up to this long score 1"), {1, 1e6})};
constexpr ftrun_option_table kOptionTable = sdk::option_table(kOptions);
constexpr ftrun_reward kTable = {{sizeof(ftrun_reward), FTRUN_REWARD_TAG}, create, destroy, nullptr, score};
}  // namespace

FTRUN_PLUGIN(FTRUN_KIND_REWARD, "brevity", "1.0.0", "prefers short completions", &kOptionTable, &kTable);
