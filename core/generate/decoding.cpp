// Admission in queue order by worst-case blocks, so that a sequence that has begun can always end.
#include "core/generate/decoding.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/collectives/communicator.h"
#include "core/model/abi_struct.h"
#include "core/ops/primitives.h"
#include "core/parallel/thread_pool.h"
#include "ftrun/cpp/reference_kernels/random.hpp"

namespace ftrun {
namespace {

uint64_t draw_stream(uint64_t update, uint64_t prompt_key) { return update * 0x9E3779B97F4A7C15ULL ^ prompt_key; }

/// log of the sum of exp over each row, f32[N].
std::vector<float> log_normalisers(ExecutionContext& ctx, const Tensor& logits_NV) {
  const Tensor maximum = ops::primitive::max_last(ctx, logits_NV);
  const Tensor shifted = ops::primitive::sub(ctx, logits_NV, ops::primitive::column(maximum));
  execute(ctx, FTRUN_OP_EXP, {shifted}, {shifted});
  const Tensor sum = ops::primitive::sum_last(ctx, shifted);
  return read_floats(ctx, ops::primitive::add(ctx, maximum, ops::primitive::unary(ctx, FTRUN_OP_LOG, sum)));
}

}  // namespace

Decoding::Decoding(Rank& rank, const GenerationRequest& request, std::vector<int64_t> limits, KvCache& cache)
    : rank_(rank), request_(request), limits_(std::move(limits)), cache_(cache), sequences_(request.prompts.size()) {}

std::vector<GeneratedSequence> Decoding::run(bool in_step) {
  admit();
  while (goes_on(in_step)) {
    forward(next_walk(), in_step);
    admit();
  }
  return std::move(sequences_);
}

void Decoding::admit() {
  for (; next_prompt_ < request_.prompts.size(); ++next_prompt_) {
    if (limits_[next_prompt_] == 0) {
      if (request_.on_end) request_.on_end(next_prompt_, sequences_[next_prompt_]);
      continue;
    }
    const auto tokens = static_cast<int64_t>(request_.prompts[next_prompt_].size()) + limits_[next_prompt_];
    const int64_t reserved = cache_blocks_for(tokens);
    const bool has_place = static_cast<int32_t>(active_.size()) < request_.max_sequences;
    if (!has_place || reserved_blocks_ + reserved > cache_.blocks()) return;
    admit_next(reserved);
  }
}

void Decoding::admit_next(int64_t reserved) {
  Active active;
  active.prompt = next_prompt_;
  active.reserved = reserved;
  const auto prompt = request_.prompts[next_prompt_];
  active.ids.assign(prompt.begin(), prompt.end());
  active.sequence = cached_prefix(active.ids);
  note_seen(active, active.ids);
  reserved_blocks_ += reserved;
  active_.push_back(std::move(active));
}

/// A sequence of the cache for these ids. What is kept of it is at most all but the last id, whose logits are needed.
int32_t Decoding::cached_prefix(const std::vector<int32_t>& ids) {
  if (kept_ == nullptr || !*kept_) return cache_.open();
  const CachedSequence kept = std::move(**kept_);
  kept_->reset();
  const auto end = std::ranges::mismatch(ids, kept.ids).in1;
  reused_tokens_ = std::min<int64_t>(end - ids.begin(), static_cast<int64_t>(ids.size()) - 1);
  cache_.truncate(kept.sequence, reused_tokens_);
  return kept.sequence;
}

void Decoding::note_seen(Active& active, std::span<const int32_t> ids) const {
  if (request_.sampling.repetition_penalty == 1) return;
  active.is_seen.resize(static_cast<size_t>(rank_.role(request_.role).model().info().vocab_size));
  for (const int32_t id : ids) {
    // An id outside of the vocabulary is refused by the forward.
    if (id < 0 || static_cast<size_t>(id) >= active.is_seen.size() || active.is_seen[static_cast<size_t>(id)]) continue;
    active.is_seen[static_cast<size_t>(id)] = true;
    active.seen.push_back(id);
  }
}

bool Decoding::goes_on(bool in_step) {
  if (request_.cancelled && request_.cancelled()) end_all();
  double active = active_.empty() ? 0 : 1;
  if (in_step) rank_.communicator().sum_host(std::span(&active, 1));
  return active > 0;
}

Decoding::Walk Decoding::next_walk() const {
  const auto pending = [&](const Active& active) {
    return static_cast<int64_t>(active.ids.size()) - cache_.length(active.sequence);
  };
  // Answers go on in every forward; prompts share what is left, the first ones first.
  int64_t left = std::max<int64_t>(request_.walk_tokens, 1);
  for (const Active& active : active_) left -= pending(active) == 1 ? 1 : 0;
  Walk walk;
  for (size_t i = 0; i < active_.size(); ++i) {
    const int64_t wanted = pending(active_[i]);
    if (wanted == 1) {
      add_rows(walk, i, 1);
      continue;
    }
    const int64_t count = std::min(wanted, std::max<int64_t>(left, walk.ids.empty() ? 1 : 0));
    if (count == 0) continue;
    left -= count;
    add_rows(walk, i, count);
  }
  return walk;
}

void Decoding::add_rows(Walk& walk, size_t index, int64_t count) const {
  const Active& active = active_[index];
  const int64_t first = cache_.length(active.sequence);
  for (int64_t position = first; position < first + count; ++position) {
    walk.ids.push_back(active.ids[static_cast<size_t>(position)]);
    walk.positions.push_back(static_cast<int32_t>(position));
  }
  walk.offsets.push_back(static_cast<int32_t>(walk.ids.size()));
  walk.sequences.push_back(active.sequence);
  walk.counts.push_back(count);
  if (first + count < static_cast<int64_t>(active.ids.size())) return;
  walk.choosing.push_back(index);
  walk.logit_rows.push_back(static_cast<int64_t>(walk.ids.size()) - 1);
}

void Decoding::forward(const Walk& walk, bool in_step) {
  cache_.begin_forward(walk.sequences, walk.counts);
  const AttentionScope scope(rank_, &cache_);
  auto batch = make_abi_struct<ftrun_batch>(FTRUN_BATCH_TAG);
  batch.n_tokens = static_cast<int64_t>(walk.ids.size());
  batch.input_ids = walk.ids.data();
  batch.position_ids = walk.positions.data();
  batch.n_segments = static_cast<int32_t>(walk.sequences.size());
  batch.segment_offsets = walk.offsets.data();
  const Tensor hidden_TD = rank_.forward(request_.role, batch);
  if (walk.logit_rows.empty() && !in_step) return;
  const Tensor logits_NV = rank_.head_logits(request_.role, hidden_TD, walk.logit_rows);
  if (!walk.logit_rows.empty()) choose(walk, logits_NV);
}

void Decoding::choose(const Walk& walk, const Tensor& logits_NV) {
  std::vector<float> normalisers;
  if (request_.with_logprobs) normalisers = log_normalisers(rank_.context(), logits_NV);
  logits_.resize(static_cast<size_t>(logits_NV.element_count()));
  read(rank_.context(), logits_NV, logits_.data(), logits_NV.bytes());
  const std::vector<SampledToken> tokens = sample(walk, logits_NV.dim(1));
  std::vector<bool> ended(active_.size());
  for (size_t row = 0; row < tokens.size(); ++row) {
    Active& active = active_[walk.choosing[row]];
    ended[walk.choosing[row]] = !accept(active, tokens[row], normalisers.empty() ? 0.0 : normalisers[row]);
  }
  size_t kept = 0;
  for (size_t i = 0; i < active_.size(); ++i) {
    if (ended[i]) {
      end(active_[i]);
    } else {
      if (kept != i) active_[kept] = std::move(active_[i]);
      ++kept;
    }
  }
  active_.resize(kept);
}

std::vector<SampledToken> Decoding::sample(const Walk& walk, int64_t vocabulary) {
  struct Job {
    Decoding* loop;
    const Walk* walk;
    int64_t vocabulary;
    std::vector<SampledToken> tokens;
  } job{this, &walk, vocabulary, std::vector<SampledToken>(walk.choosing.size())};
  parallel_for(
      static_cast<int64_t>(walk.choosing.size()),
      [](void* argument, int64_t row) {
        Job& j = *static_cast<Job*>(argument);
        const Active& active = j.loop->active_[j.walk->choosing[static_cast<size_t>(row)]];
        const GenerationRequest& request = j.loop->request_;
        const double uniform =
            reference::uniform_at(request.seed, draw_stream(request.update, request.prompt_keys[active.prompt]),
                                  j.loop->sequences_[active.prompt].ids.size());
        const auto logits = std::span(j.loop->logits_)
                                .subspan(static_cast<size_t>(row * j.vocabulary), static_cast<size_t>(j.vocabulary));
        j.tokens[static_cast<size_t>(row)] = choose_token(logits, active.seen, request.sampling, uniform);
      },
      &job);
  return std::move(job.tokens);
}

/// False when the sequence ends with this token.
bool Decoding::accept(Active& active, const SampledToken& token, double log_normaliser) {
  GeneratedSequence& sequence = sequences_[active.prompt];
  if (token.id < 0) {
    throw failed_precondition("generate: the logits of prompt {}, new token {} are not finite (largest: {})",
                              active.prompt, sequence.ids.size() + 1, token.logit);
  }
  sequence.ids.push_back(token.id);
  if (request_.with_logprobs) sequence.logprobs.push_back(static_cast<float>(token.logit - log_normaliser));
  active.ids.push_back(token.id);
  note_seen(active, std::span(&token.id, 1));
  sequence.stopped = std::ranges::find(request_.stop_ids, token.id) != request_.stop_ids.end();
  if (!sequence.stopped && request_.on_token) sequence.stopped = !request_.on_token(active.prompt, token.id);
  return !sequence.stopped && static_cast<int64_t>(sequence.ids.size()) < limits_[active.prompt];
}

void Decoding::end(Active& active) {
  reserved_blocks_ -= active.reserved;
  if (kept_ != nullptr && !*kept_) {
    active.ids.resize(static_cast<size_t>(cache_.length(active.sequence)));
    kept_->emplace(CachedSequence{std::move(active.ids), active.sequence});
  } else {
    cache_.close(active.sequence);
  }
  if (request_.on_end) request_.on_end(active.prompt, sequences_[active.prompt]);
}

void Decoding::end_all() {
  for (Active& active : active_) end(active);
  active_.clear();
  next_prompt_ = request_.prompts.size();
}

}  // namespace ftrun
