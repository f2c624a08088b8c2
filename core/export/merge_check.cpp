// One model in memory at a time; the adapter runs as pairs beside its frozen base, as in training.
#include "core/export/merge_check.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"
#include "core/export/merged_model.h"
#include "core/io/model_weights.h"
#include "core/model/abi_struct.h"
#include "core/model/adapter_weights.h"

namespace ftrun {
namespace {

/// Words, numbers, code and another script, so that embeddings of many kinds are read.
constexpr std::array kSamples = {
    "The quick brown fox jumps over the lazy dog, and 3 + 4 = 7.",
    "def add(a, b):\n    return a + b  # sum of two numbers\n",
    "\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c\xe8\xaf\xb7\xe4\xbb\x8b\xe7\xbb\x8d\xe4\xb8\x80\xe4\xb8\x8b\xe4\xbd\xa0\xe8"
    "\x87\xaa\xe5\xb7\xb1\xe3\x80\x82",
    "Q: What is the capital of France?\nA:",
};
constexpr int64_t kMostTokens = 48;  // of one sample

struct SampleBatch {
  std::vector<int32_t> ids;
  std::vector<int32_t> positions;
  std::vector<int32_t> offsets = {0};
};

SampleBatch sample_batch(const Tokenizer& tokenizer, int64_t max_positions) {
  SampleBatch batch;
  const int64_t most = max_positions > 0 ? std::min(kMostTokens, max_positions) : kMostTokens;
  for (const char* text : kSamples) {
    std::vector<int32_t> ids = tokenizer.encode(text, true);
    ids.resize(std::min(ids.size(), static_cast<size_t>(most)));
    if (ids.empty()) continue;
    batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
    for (size_t i = 0; i < ids.size(); ++i) batch.positions.push_back(static_cast<int32_t>(i));
    batch.offsets.push_back(static_cast<int32_t>(batch.ids.size()));
  }
  return batch;
}

SampleLogits logits_of(const ExportSetup& setup, const std::shared_ptr<const NetworkModel>& model,
                       std::unique_ptr<WeightSource> weights) {
  ExportRank owner(setup);
  Rank& rank = owner.rank();
  rank.add_role("model", model, nullptr, std::move(weights));
  rank.attach();
  rank.release_weight_sources();
  const SampleBatch samples = sample_batch(*setup.run.tokenizer, setup.run.model.max_position_embeddings);
  auto batch = make_abi_struct<ftrun_batch>(FTRUN_BATCH_TAG);
  batch.n_tokens = static_cast<int64_t>(samples.ids.size());
  batch.input_ids = samples.ids.data();
  batch.position_ids = samples.positions.data();
  batch.n_segments = static_cast<int32_t>(samples.offsets.size()) - 1;
  batch.segment_offsets = samples.offsets.data();
  const bool scores = model->is_classifier();
  SampleLogits result{batch.n_tokens, scores ? 1 : model->info().vocab_size, {}};
  rank.evaluate([&] {
    const Tensor hidden = rank.forward(0, batch);
    if (scores) {
      result.values = read_floats(rank.context(), rank.head_scalar(0, kScoreHead, hidden));
      return Tensor();
    }
    std::vector<int64_t> rows(samples.ids.size());
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
    result.values = read_floats(rank.context(), rank.head_logits(0, hidden, rows));
    return Tensor();
  });
  return result;
}

}  // namespace

SampleLogits logits_before(const ExportSetup& setup) {
  const std::shared_ptr<NetworkModel> model = network_before(setup);
  AdapterPlan plan;
  plan.merged = setup.adapters.merged;
  std::unique_ptr<WeightSource> base = base_weights(setup, *model);
  if (!plan.merged.empty()) {
    plan.continued = plan.merged.back();
    plan.merged.pop_back();
    add_pairs(*model, *plan.continued);
  }
  return logits_of(setup, model, adapted_weights(plan, *model, std::move(base), 0));
}

SampleLogits logits_after(const ExportSetup& setup, const std::filesystem::path& folder) {
  return logits_of(setup, setup.model,
                   std::make_unique<FileWeights>(std::make_shared<ModelWeights>(folder), *setup.model));
}

LogitsDistance distance_of(const SampleLogits& before, const SampleLogits& after) {
  LogitsDistance distance;
  distance.positions = before.positions;
  for (int64_t row = 0; row < before.positions; ++row) {
    const auto* a = before.values.data() + row * before.vocabulary;
    const auto* b = after.values.data() + row * before.vocabulary;
    for (int64_t i = 0; i < before.vocabulary; ++i) {
      if (!std::isfinite(a[i]) || !std::isfinite(b[i])) {
        ++distance.not_finite;
        continue;
      }
      const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
      distance.largest_difference = std::max(distance.largest_difference, difference);
      distance.mean_square_difference += difference * difference;
      distance.mean_square_logit += static_cast<double>(a[i]) * static_cast<double>(a[i]);
      distance.largest_logit = std::max(distance.largest_logit, std::abs(static_cast<double>(a[i])));
    }
    distance.same_first +=
        std::max_element(a, a + before.vocabulary) - a == std::max_element(b, b + before.vocabulary) - b;
  }
  const auto count = static_cast<double>(std::max<size_t>(before.values.size(), 1));
  distance.mean_square_difference /= count;
  distance.mean_square_logit /= count;
  return distance;
}

}  // namespace ftrun
