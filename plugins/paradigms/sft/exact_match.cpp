// Prompts in batches through the host's generator, answers decoded and compared.
#include "exact_match.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ftrun/collectives.h"
#include "ftrun/cpp/plugin.hpp"
#include "ftrun/generate.h"

namespace ftrun::supervised {
namespace {

constexpr int32_t kBatchPrompts = 64;

using Generation = std::unique_ptr<ftrun_generation, void (*)(ftrun_generation*)>;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

std::vector<ftrun_prompt> all_prompts(const ftrun_host* host, ftrun_data* data) {
  std::vector<ftrun_prompt> prompts;
  for (int64_t index = 0;; ++index) {
    auto prompt = sdk::make<ftrun_prompt>(FTRUN_PROMPT_TAG);
    const ftrun_status status = host->data->prompt(data, index, &prompt);
    if (status == FTRUN_OUT_OF_RANGE) return prompts;
    sdk::check(status);
    prompts.push_back(prompt);
  }
}

std::vector<int32_t> stop_ids(const ftrun_host* host, ftrun_context* ctx) {
  std::vector<int32_t> ids(64);
  int32_t count = 0;
  sdk::check(host->generate->stop_ids(ctx, ids.data(), static_cast<int32_t>(ids.size()), &count));
  ids.resize(count);
  return ids;
}

Generation generate(const ftrun_host* host, ftrun_context* ctx, const ftrun_prompt* prompts, int32_t count,
                    int32_t role, int64_t max_new_tokens, const std::vector<int32_t>& stops) {
  std::vector<const int32_t*> ids;
  std::vector<int64_t> lengths;
  for (int32_t i = 0; i < count; ++i) {
    ids.push_back(prompts[i].input_ids);
    lengths.push_back(prompts[i].length);
  }
  auto args = sdk::make<ftrun_generate_args>(FTRUN_GENERATE_ARGS_TAG);
  args.role = role;
  args.n_prompts = count;
  args.prompts = ids.data();
  args.prompt_lengths = lengths.data();
  args.max_new_tokens = max_new_tokens;
  args.temperature = 1;
  args.top_p = 1;
  args.repetition_penalty = 1;
  args.stop_ids = stops.data();
  args.n_stop_ids = static_cast<int32_t>(stops.size());
  ftrun_generation* generation = nullptr;
  sdk::check(host->generate->generate(ctx, &args, &generation));
  return {generation, host->generate->release};
}

bool answer_matches(const ftrun_host* host, ftrun_context* ctx, const ftrun_generation* generation, int32_t index,
                    std::string_view label) {
  auto row = sdk::make<ftrun_generation_row>(FTRUN_GENERATION_TAG);
  sdk::check(host->generate->row(generation, index, &row));
  ftrun_str text = {nullptr, 0};
  sdk::check(host->data->decode(ctx, row.ids, static_cast<uint64_t>(row.length), 1, &text));
  return trimmed(sdk::view(text)) == trimmed(label);
}

/// Throws CANCELLED on all ranks when a stop was asked for on any.
void stop_if_asked(const ftrun_host* host, ftrun_context* ctx) {
  double asked = host->cancelled(host) != 0 ? 1 : 0;
  sdk::check(host->collectives->sum_host(ctx, nullptr, &asked, 1));
  if (asked > 0) throw sdk::Error(FTRUN_CANCELLED, "a stop was asked for while answering prompts");
}

}  // namespace

double exact_match(const ftrun_host* host, ftrun_context* ctx, ftrun_data* data, int32_t role, int64_t max_new_tokens) {
  const std::vector<ftrun_prompt> prompts = all_prompts(host, data);
  if (prompts.empty()) throw sdk::Error(FTRUN_INVALID_ARGUMENT, "eval_exact_match: the evaluation data has no prompts");
  const std::vector<int32_t> stops = stop_ids(host, ctx);
  int32_t rank = 0;
  int32_t world = 1;
  sdk::check(host->context->rank(ctx, &rank, &world));
  const auto total = static_cast<int64_t>(prompts.size());
  const int64_t end = total * (rank + 1) / world;
  // Every rank generates equally often: as often as the rank with most prompts, at last with none.
  const int64_t rounds = ((total + world - 1) / world + kBatchPrompts - 1) / kBatchPrompts;
  int64_t begin = total * rank / world;
  double matches = 0;
  for (int64_t round = 0; round < rounds; ++round) {
    stop_if_asked(host, ctx);
    const auto count = static_cast<int32_t>(std::min<int64_t>(kBatchPrompts, end - begin));
    const Generation generation = generate(host, ctx, prompts.data() + begin, count, role, max_new_tokens, stops);
    for (int32_t i = 0; i < count; ++i) {
      matches += answer_matches(host, ctx, generation.get(), i, sdk::view(prompts[begin + i].label)) ? 1 : 0;
    }
    begin += count;
  }
  sdk::check(host->collectives->sum_host(ctx, nullptr, &matches, 1));
  return matches / static_cast<double>(total);
}

}  // namespace ftrun::supervised
