// Thunks from ftrun/generate.h to core/generate.
#include "core/train/generate_service.h"

#include <algorithm>
#include <memory>

#include "core/base/abi_guard.h"
#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/generate/generator.h"
#include "core/model/abi_struct.h"
#include "core/model/context.h"
#include "core/train/rank_services.h"

struct ftrun_generation {
  std::vector<ftrun::GeneratedSequence> sequences;
};

namespace ftrun {
namespace {

GenerationRequest request_of(const ftrun_generate_args& args) {
  GenerationRequest request;
  request.role = args.role;
  for (int32_t i = 0; i < args.n_prompts; ++i) {
    request.prompts.emplace_back(args.prompts[i], static_cast<size_t>(args.prompt_lengths[i]));
    request.prompt_keys.push_back(args.prompt_keys != nullptr ? args.prompt_keys[i] : static_cast<uint64_t>(i));
  }
  request.max_new_tokens = args.max_new_tokens;
  request.sampling = {args.do_sample != 0, args.temperature, args.top_k, args.top_p, args.repetition_penalty};
  request.seed = args.seed;
  request.update = args.update;
  request.stop_ids.assign(args.stop_ids, args.stop_ids + args.n_stop_ids);
  return request;
}

// Once a run: the answers of a whole evaluation come in many calls.
void warn_about_positions(ftrun_context* ctx, const GenerationRequest& request) {
  GenerateService& service = *services_of(ctx).generate;
  const int64_t positions = ctx->rank->role(request.role).model().info().max_position_embeddings;
  size_t longest = 0;
  for (const auto& prompt : request.prompts) longest = std::max(longest, prompt.size());
  const auto length = static_cast<int64_t>(longest);
  const int64_t left = new_token_limit(length, request.max_new_tokens, positions);
  if (service.warned_of_positions || left == request.max_new_tokens) return;
  service.warned_of_positions = true;
  log_warning(
      "max_new_tokens {}: a prompt of {} tokens leaves {} of the model's {} positions (max_position_embeddings): "
      "answers end there",
      request.max_new_tokens, length, left, positions);
}

ftrun_status generate_thunk(ftrun_context* ctx, const ftrun_generate_args* args, ftrun_generation** out) {
  return guard_abi([&] {
    *out = nullptr;
    const auto request = request_of(read_abi_struct(args, FTRUN_GENERATE_ARGS_TAG, "ftrun_generate_args"));
    warn_about_positions(ctx, request);
    auto generation = std::make_unique<ftrun_generation>();
    generation->sequences = generate(*ctx->rank, request);
    *out = generation.release();
  });
}

ftrun_status row_thunk(const ftrun_generation* generation, int32_t index, ftrun_generation_row* out) {
  return guard_abi([&] {
    if (index < 0 || index >= static_cast<int32_t>(generation->sequences.size())) {
      throw Error(FTRUN_OUT_OF_RANGE, fmt::format("generation row {} of {}", index, generation->sequences.size()));
    }
    const GeneratedSequence& sequence = generation->sequences[index];
    auto row = make_abi_struct<ftrun_generation_row>(FTRUN_GENERATION_TAG);
    row.length = static_cast<int64_t>(sequence.ids.size());
    row.ids = sequence.ids.data();
    row.logprobs = sequence.logprobs.data();
    row.stopped = sequence.stopped ? 1 : 0;
    write_abi_struct(out, row, "ftrun_generation_row");
  });
}

void release_thunk(ftrun_generation* generation) { delete generation; }

ftrun_status stop_ids_thunk(ftrun_context* ctx, int32_t* ids, int32_t capacity, int32_t* count) {
  return guard_abi([&] {
    const std::vector<int32_t>& stops = services_of(ctx).generate->stop_ids;
    std::copy_n(stops.begin(), std::min<size_t>(static_cast<size_t>(capacity), stops.size()), ids);
    *count = static_cast<int32_t>(std::min<size_t>(static_cast<size_t>(capacity), stops.size()));
  });
}

}  // namespace

const ftrun_generate_api* generate_api() noexcept {
  static const ftrun_generate_api api = {
      {sizeof(ftrun_generate_api), FTRUN_GENERATE_API_TAG}, generate_thunk, row_thunk, release_thunk, stop_ids_thunk};
  return &api;
}

}  // namespace ftrun
