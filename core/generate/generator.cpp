// Limits, cache and brackets around the decoding loop.
#include "core/generate/generator.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/generate/cache_size.h"
#include "core/generate/decoding.h"
#include "core/model/model_bracket.h"

namespace ftrun {
namespace {

std::vector<int64_t> limits_of(Rank& rank, const GenerationRequest& request) {
  validate(request.sampling);
  if (request.prompt_keys.size() != request.prompts.size() || request.max_sequences < 1 || request.walk_tokens < 1) {
    throw invalid_argument("generate: {} keys for {} prompts, max_sequences {}, walk_tokens {}",
                           request.prompt_keys.size(), request.prompts.size(), request.max_sequences,
                           request.walk_tokens);
  }
  const int64_t positions = rank.role(request.role).model().info().max_position_embeddings;
  std::vector<int64_t> limits;
  for (const std::span<const int32_t> prompt : request.prompts) {
    if (prompt.empty()) throw invalid_argument("generate: prompt {} is empty", limits.size());
    limits.push_back(new_token_limit(static_cast<int64_t>(prompt.size()), request.max_new_tokens, positions));
  }
  return limits;
}

/// Prompt and answer of those that are decoded at all.
std::vector<int64_t> lengths_of(const GenerationRequest& request, const std::vector<int64_t>& limits) {
  std::vector<int64_t> lengths;
  for (size_t i = 0; i < limits.size(); ++i) {
    if (limits[i] > 0) lengths.push_back(static_cast<int64_t>(request.prompts[i].size()) + limits[i]);
  }
  return lengths;
}

}  // namespace

int64_t new_token_limit(int64_t prompt_tokens, int64_t max_new_tokens, int64_t model_positions) noexcept {
  if (model_positions == 0) return max_new_tokens;
  return std::min(max_new_tokens, std::max<int64_t>(model_positions - prompt_tokens, 0));
}

std::vector<GeneratedSequence> generate(Rank& rank, const GenerationRequest& request) {
  const std::vector<int64_t> limits = limits_of(rank, request);
  const auto decode = [&](bool in_step) {
    KvCache cache(cache_blocks(rank, request.role, lengths_of(request, limits), request.max_sequences));
    return Decoding(rank, request, limits, cache).run(in_step);
  };
  if (rank.arguments().world == 1) return decode(false);
  const ModelBracket model(rank, request.role);
  return decode(!model.holds());
}

struct ConversationGenerator::State {
  explicit State(Rank& given) : rank(given) {}

  /// A cache that holds `tokens`, grown by at least half, so that a conversation seldom outgrows it.
  void make_room(int32_t role, int64_t tokens) {
    if (cache && cache->blocks() >= cache_blocks_for(tokens)) return;
    const int64_t positions = rank.role(role).model().info().max_position_embeddings;
    int64_t roomy = std::max(tokens, cache ? int64_t{cache->blocks()} * kCacheBlockRows * 3 / 2 : tokens);
    if (positions > 0) roomy = std::max(tokens, std::min(roomy, positions));
    kept.reset();
    cache.reset();
    try {
      cache = std::make_unique<KvCache>(cache_blocks(rank, role, {roomy}, 1));
    } catch (const Error&) {
      if (roomy == tokens) throw;
      cache = std::make_unique<KvCache>(cache_blocks(rank, role, {tokens}, 1));
    }
  }

  Rank& rank;
  std::unique_ptr<KvCache> cache;
  std::optional<CachedSequence> kept;
  int64_t reused_tokens = 0;
};

ConversationGenerator::ConversationGenerator(Rank& rank) : state_(std::make_unique<State>(rank)) {}
ConversationGenerator::~ConversationGenerator() = default;

GeneratedSequence ConversationGenerator::generate(const GenerationRequest& request) {
  if (request.prompts.size() != 1 || state_->rank.arguments().world != 1) {
    throw invalid_argument("a conversation has one prompt at a time and one rank");
  }
  const std::vector<int64_t> limits = limits_of(state_->rank, request);
  if (limits.front() == 0) return {};
  state_->make_room(request.role, static_cast<int64_t>(request.prompts.front().size()) + limits.front());
  Decoding decoding(state_->rank, request, limits, *state_->cache);
  decoding.continue_from(state_->kept);
  try {
    GeneratedSequence sequence = std::move(decoding.run(false).front());
    state_->reused_tokens = decoding.reused_tokens();
    return sequence;
  } catch (...) {
    // Sequences that did not end still hold their blocks.
    state_->kept.reset();
    state_->cache.reset();
    throw;
  }
}

int64_t ConversationGenerator::reused_tokens() const noexcept { return state_->reused_tokens; }

}  // namespace ftrun
