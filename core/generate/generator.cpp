// Prefill all prompts in one walk, then one token per unfinished sequence and walk.
#include "core/generate/generator.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/collectives/communicator.h"
#include "core/generate/kv_cache.h"
#include "core/model/abi_struct.h"
#include "core/model/model_bracket.h"
#include "ftrun/cpp/reference_kernels/random.hpp"

namespace ftrun {
namespace {

uint64_t draw_stream(uint64_t update, uint64_t prompt_key) { return update * 0x9E3779B97F4A7C15ULL ^ prompt_key; }

// The flat batch of one walk.
struct Tokens {
  std::vector<int32_t> ids;
  std::vector<int32_t> positions;
  std::vector<int32_t> offsets = {0};
  std::vector<int64_t> last_rows;

  void add(std::span<const int32_t> sequence, int64_t first_position) {
    for (size_t i = 0; i < sequence.size(); ++i) {
      ids.push_back(sequence[i]);
      positions.push_back(static_cast<int32_t>(first_position + static_cast<int64_t>(i)));
    }
    offsets.push_back(static_cast<int32_t>(ids.size()));
    last_rows.push_back(static_cast<int64_t>(ids.size()) - 1);
  }

  ftrun_batch view() const {
    auto batch = make_abi_struct<ftrun_batch>(FTRUN_BATCH_TAG);
    batch.n_tokens = static_cast<int64_t>(ids.size());
    batch.input_ids = ids.data();
    batch.position_ids = positions.data();
    batch.n_segments = static_cast<int32_t>(offsets.size()) - 1;
    batch.segment_offsets = offsets.data();
    return batch;
  }
};

// The state of one call of generate.
class Decoding {
 public:
  Decoding(Rank& rank, const GenerationRequest& request)
      : rank_(rank),
        request_(request),
        limits_(limits(rank, request)),
        cache_(capacities(request, limits_)),
        sequences_(request.prompts.size()) {
    for (const std::span<const int32_t> prompt : request.prompts) {
      if (limits_[history_.size()] > 0) active_.push_back(static_cast<int32_t>(history_.size()));
      history_.emplace_back(prompt.begin(), prompt.end());
    }
  }

  /// `in_step`: walks are made as often on every rank, because a walk needs all of them.
  std::vector<GeneratedSequence> run(bool in_step) {
    Tokens prompts;
    std::vector<int64_t> counts;
    for (const int32_t sequence : active_) {
      prompts.add(request_.prompts[sequence], 0);
      counts.push_back(static_cast<int64_t>(request_.prompts[sequence].size()));
    }
    if (in_step || !active_.empty()) walk(prompts, counts);
    while (goes_on(in_step)) {
      Tokens next;
      for (const int32_t sequence : active_) {
        next.add(std::span(history_[sequence]).last(1), static_cast<int64_t>(history_[sequence].size()) - 1);
      }
      walk(next, std::vector<int64_t>(active_.size(), 1));
    }
    return std::move(sequences_);
  }

 private:
  static std::vector<int64_t> limits(Rank& rank, const GenerationRequest& request) {
    const int64_t positions = rank.role(request.role).model().info().max_position_embeddings;
    std::vector<int64_t> result;
    for (const std::span<const int32_t> prompt : request.prompts) {
      if (prompt.empty()) throw invalid_argument("generate: prompt {} is empty", result.size());
      result.push_back(new_token_limit(static_cast<int64_t>(prompt.size()), request.max_new_tokens, positions));
    }
    return result;
  }

  static std::vector<int64_t> capacities(const GenerationRequest& request, const std::vector<int64_t>& limits) {
    std::vector<int64_t> result;
    for (size_t i = 0; i < limits.size(); ++i) {
      result.push_back(limits[i] > 0 ? static_cast<int64_t>(request.prompts[i].size()) + limits[i] : 1);
    }
    return result;
  }

  bool goes_on(bool in_step) {
    double active = active_.empty() ? 0 : 1;
    if (in_step) rank_.communicator().sum_host(std::span(&active, 1));
    return active > 0;
  }

  void walk(const Tokens& tokens, const std::vector<int64_t>& counts) {
    cache_.begin_forward(active_, counts);
    const AttentionScope scope(rank_, &cache_);
    const ftrun_batch batch = tokens.view();
    const Tensor hidden_TD = rank_.forward(request_.role, batch);
    const Tensor logits_NV = rank_.head_logits(request_.role, hidden_TD, tokens.last_rows);
    std::vector<float> logits = read_floats(rank_.context(), logits_NV);
    choose(logits, static_cast<size_t>(logits_NV.dim(1)));
  }

  void choose(std::vector<float>& logits, size_t vocabulary) {
    std::vector<int32_t> still_active;
    for (size_t row = 0; row < active_.size(); ++row) {
      const int32_t index = active_[row];
      GeneratedSequence& sequence = sequences_[index];
      const double uniform = reference::uniform_at(
          request_.seed, draw_stream(request_.update, request_.prompt_keys[index]), sequence.ids.size());
      const SampledToken token = choose_token(std::span(logits).subspan(row * vocabulary, vocabulary), history_[index],
                                              request_.sampling, uniform);
      sequence.ids.push_back(token.id);
      sequence.logprobs.push_back(token.logprob);
      history_[index].push_back(token.id);
      sequence.stopped =
          std::find(request_.stop_ids.begin(), request_.stop_ids.end(), token.id) != request_.stop_ids.end();
      const bool is_full = static_cast<int64_t>(sequence.ids.size()) >= limits_[index];
      if (!sequence.stopped && !is_full) still_active.push_back(index);
    }
    active_ = std::move(still_active);
  }

  Rank& rank_;
  const GenerationRequest& request_;
  std::vector<int64_t> limits_;
  KvCache cache_;
  std::vector<GeneratedSequence> sequences_;
  std::vector<std::vector<int32_t>> history_;
  std::vector<int32_t> active_;
};

}  // namespace

int64_t new_token_limit(int64_t prompt_tokens, int64_t max_new_tokens, int64_t model_positions) noexcept {
  if (model_positions == 0) return max_new_tokens;
  return std::min(max_new_tokens, std::max<int64_t>(model_positions - prompt_tokens, 0));
}

std::vector<GeneratedSequence> generate(Rank& rank, const GenerationRequest& request) {
  validate(request.sampling);
  if (rank.arguments().world == 1) {
    if (request.prompts.empty()) return {};
    return Decoding(rank, request).run(false);
  }
  const ModelBracket model(rank, request.role);
  return Decoding(rank, request).run(!model.holds());
}

}  // namespace ftrun
