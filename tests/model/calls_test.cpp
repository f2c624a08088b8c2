// Calls around the walk: head calls, attention backends, dropout, host-side optimizer state, tables, failing
// allocations.
#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/model/api_tables.h"
#include "core/model/dropout.h"
#include "core/ops/layout.h"
#include "ftrun/cpp/reference_kernels/reference_device.hpp"
#include "tests/model/model_fixture.h"

namespace ftrun::test {
namespace {

Documents documents_of(const std::string& name) {
  return golden_documents(SafetensorsFile(golden_folder(name) / "golden.safetensors"), "forward.");
}

TEST(HeadCalls, LogProbabilitiesAndEntropyFollowFromTheLogits) {
  constexpr double kTemperature = 0.7;
  TestModel model("qwen3");
  const Documents documents = documents_of("qwen3");
  const std::vector<float> logits = all_logits(model, documents);
  Rank::LogProbabilities found;
  model.rank().evaluate([&] {
    const Tensor hidden = model.rank().forward(0, documents.batch());
    found = model.rank().head_logprobs(0, hidden, documents.targets, kTemperature, true);
    return Tensor();
  });
  const auto logp = read_floats(model.ctx(), found.logp);
  const auto entropy = read_floats(model.ctx(), found.entropy);
  const auto vocab = static_cast<size_t>(model.model().info().vocab_size);
  for (size_t t = 0; t < documents.ids.size(); ++t) {
    if (documents.targets[t] < 0) {
      EXPECT_EQ(logp[t], 0.0f);
      continue;
    }
    double total = 0;
    double weighted = 0;
    for (size_t v = 0; v < vocab; ++v) {
      const double scaled = static_cast<double>(logits[t * vocab + v]) / kTemperature;
      total += std::exp(scaled);
      weighted += std::exp(scaled) * scaled;
    }
    const auto chosen = static_cast<size_t>(documents.targets[t]);
    EXPECT_NEAR(logp[t], static_cast<double>(logits[t * vocab + chosen]) / kTemperature - std::log(total), 1e-4);
    EXPECT_NEAR(entropy[t], std::log(total) - weighted / total, 1e-4);
  }
}

TEST(HeadCalls, WeightsScaleEachToken) {
  TestModel model("llama");
  const Documents documents = documents_of("llama");
  const auto loss_with = [&](std::span<const float> token_weights, double scale) {
    const Tensor loss = model.rank().evaluate([&] {
      const Tensor hidden = model.rank().forward(0, documents.batch());
      return model.rank().head_cross_entropy_sum(0, hidden, documents.targets, token_weights, scale);
    });
    return static_cast<double>(read_floats(model.ctx(), loss).at(0));
  };
  const std::vector<float> half(documents.ids.size(), 0.5f);
  EXPECT_NEAR(loss_with(half, 1.0), loss_with({}, 0.5), 1e-5 * loss_with({}, 0.5));
  EXPECT_THROW(loss_with(std::span(half).first(2), 1.0), Error);
}

/// How often the sums of squares of a gradient are taken.
struct NormPasses : OpObserver {
  int64_t count = 0;
  void op_ran(std::string_view name, std::span<const Tensor>, std::span<const Tensor>, double) override {
    if (name == FTRUN_OP_SUM_SQUARES) ++count;
  }
};

TEST(GradNorm, PartialsAreTakenAsGradientsBecomeFinalAndGiveTheSameNorm) {
  ModelOptions options;
  options.accumulation = 2;
  TestModel model("llama", options);
  const Documents documents = documents_of("llama");
  NormPasses passes;
  model.ctx().observer = &passes;
  train(model, documents, 0.1, 0, 2);
  EXPECT_EQ(passes.count, 0) << "the first of two micro-batches finishes no gradient";
  train(model, documents, 0.1, 1, 2);
  const int64_t units = passes.count;
  EXPECT_EQ(units, model.role().layout().unit_count());
  const double norm = model.rank().finish_grads();
  EXPECT_EQ(passes.count, units) << "every partial was there";
  model.rank().step(0.0, 0.0);
  train(model, documents, 0.1, 0, 2);
  train(model, documents, 0.1, 1, 2);
  // A partial that nobody asked for ends with the update; with none left, the norm takes its own pass.
  EXPECT_EQ(model.rank().finish_grads(), norm);
  EXPECT_EQ(model.rank().finish_grads(), norm);
  EXPECT_EQ(passes.count, 3 * units);
  model.ctx().observer = nullptr;
}

TEST(Attention, ABackendServesEveryLayer) {
  struct Echo : AttentionBackend {
    std::vector<int32_t> layers;
    Tensor attend(ExecutionContext&, int32_t layer, const Tensor& q, const Tensor&, const Tensor&, double) override {
      layers.push_back(layer);
      return q;
    }
  };
  TestModel model("llama");
  const Documents documents = documents_of("llama");
  const auto expected = all_logits(model, documents);
  Echo echo;
  {
    const AttentionScope scope(model.rank(), &echo);
    EXPECT_NE(all_logits(model, documents), expected);
  }
  EXPECT_EQ(echo.layers, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(all_logits(model, documents), expected);
}

TEST(Dropout, DependsOnContentAndPositionOnly) {
  TestModel model("llama");
  ExecutionContext& ctx = model.ctx();
  const std::vector<int32_t> first = {3, 1, 4, 1, 5};
  const std::vector<int32_t> second = {2, 7, 1};
  constexpr int64_t kWidth = 33;
  const auto dropped = [&](std::initializer_list<std::vector<int32_t>> contents, const DropoutKey& key) {
    Documents documents;
    for (const auto& content : contents) documents.add(content, content);
    const auto batch = make_batch_state(ctx, model.model(), documents.batch());
    return read_floats(ctx, dropout(ctx, ops::full(ctx, FTRUN_F32, {batch->tokens, kWidth}, 1.0), 0.25, *batch, key));
  };
  const DropoutKey key = {42, 3, 1, 0};
  const auto forth = dropped({first, second}, key);
  const auto back = dropped({second, first}, key);
  const auto split = static_cast<int64_t>(first.size()) * kWidth;
  EXPECT_TRUE(std::equal(forth.begin(), forth.begin() + split, back.end() - split));
  EXPECT_TRUE(std::equal(forth.begin() + split, forth.end(), back.begin()));
  EXPECT_NE(forth, dropped({first, second}, {42, 4, 1, 0}));
  EXPECT_NE(forth, dropped({first, second}, {42, 3, 2, 0}));
  EXPECT_NE(forth, dropped({first, second}, {42, 3, 1, 1}));
  EXPECT_NE(forth, dropped({first, second}, {43, 3, 1, 0}));
  double kept = 0;
  for (const float value : forth) {
    EXPECT_TRUE(value == 0.0f || std::abs(value - 4.0f / 3.0f) < 1e-6f);
    kept += value != 0.0f ? 1 : 0;
  }
  const auto count = static_cast<double>(forth.size());
  EXPECT_NEAR(kept / count, 0.75, 4 * std::sqrt(0.75 * 0.25 / count));
}

TEST(OptimizerSlice, StateOnTheHostDeviceGivesTheSameBits) {
  TestDevice device(true);
  TestDevice host(true);
  ExecutionContext ctx;
  ctx.device = &device.device();
  ctx.host_device = &host.device();
  const auto optimizer = make_optimizer("adamw_torch", {});
  const Shape shape = {64};
  const auto run = [&](ftrun_placement placement) {
    ftrun_optimizer_slice slice;
    slice.end = 64;
    slice.placement = placement;
    slice.runs = {{0, 40, true}, {40, 64, false}};
    slice.master = empty(ctx, FTRUN_F32, shape, FTRUN_MEMORY_OPTIMIZER, placement);
    ops::fill(ctx, slice.master, 0.3);
    for (int i = 0; i < 2; ++i) {
      slice.states.push_back(empty(ctx, FTRUN_F32, shape, FTRUN_MEMORY_OPTIMIZER, placement));
      ops::fill(ctx, slice.states.back(), 0.0);
    }
    const Tensor gradient = ops::full(ctx, FTRUN_BF16, shape, 0.7);
    const Tensor compute = ops::full(ctx, FTRUN_BF16, shape, 0.3);
    for (int64_t step = 1; step <= 3; ++step) {
      update_slice(ctx, *optimizer, slice, gradient, compute, 0.5, 1e-2, 0.1, step);
    }
    return std::pair(read_floats(ctx, slice.master), read_floats(ctx, compute));
  };
  const auto here = run(FTRUN_PLACEMENT_DEVICE);
  EXPECT_EQ(here, run(FTRUN_PLACEMENT_HOST));
  EXPECT_LT(here.first[0], here.first[63]);  // only the first run decays
}

template <typename Table>
void expect_complete(const Table* table) {
  EXPECT_EQ(table->head.struct_size, sizeof(Table));
  const auto* slots = reinterpret_cast<void* const*>(reinterpret_cast<const char*>(table) + sizeof(ftrun_head));
  for (size_t i = 0; i < (sizeof(Table) - sizeof(ftrun_head)) / sizeof(void*); ++i) EXPECT_NE(slots[i], nullptr) << i;
}

TEST(ApiTables, AreComplete) {
  expect_complete(tensor_api_table());
  expect_complete(context_api_table());
  expect_complete(shard_api_table());
  expect_complete(collectives_api_table());
}

TEST(ApiTables, CollectivesOfOneRankAreTheIdentity) {
  TestModel model("llama");
  const ftrun_collectives_api& api = *collectives_api_table();
  ftrun_context* ctx = &model.ctx();
  const Tensor data = ops::full(model.ctx(), FTRUN_F32, {16}, 3.0);
  const Tensor copy = ops::full(model.ctx(), FTRUN_F32, {16}, 0.0);
  ftrun_work* work = nullptr;
  EXPECT_EQ(api.all_reduce(ctx, nullptr, data.get(), &work), FTRUN_OK);
  EXPECT_NE(work, nullptr);
  EXPECT_EQ(api.wait(ctx, work), FTRUN_OK);
  EXPECT_EQ(api.reduce_scatter(ctx, nullptr, data.get(), copy.get(), nullptr), FTRUN_OK);
  EXPECT_EQ(read_floats(model.ctx(), copy), std::vector<float>(16, 3.0f));
  double sum = 5;
  EXPECT_EQ(api.sum_host(ctx, nullptr, &sum, 1), FTRUN_OK);
  EXPECT_EQ(sum, 5);
  EXPECT_EQ(api.send(ctx, nullptr, data.get(), 1, nullptr), FTRUN_INVALID_ARGUMENT);
}

TEST(ApiTables, CallsOutsideAUnitAreRefusedWithDetail) {
  TestModel model("llama");
  ftrun_tensor* out = nullptr;
  EXPECT_EQ(context_api_table()->embed(&model.ctx(), 0, &out), FTRUN_FAILED_PRECONDITION);
  EXPECT_EQ(out, nullptr);
  EXPECT_EQ(context_api_table()->head_scalar(&model.ctx(), 0, FTRUN_STR("value"), nullptr, &out),
            FTRUN_INVALID_ARGUMENT);
  EXPECT_EQ(shard_api_table()->load_slice(&model.ctx(), 0, 99, 0, 0, 1, nullptr), FTRUN_INVALID_ARGUMENT);
}

TEST(Faults, EveryFailedAllocationIsReportedAndNothingLeaks) {
  TestDevice device(true);
  auto& reference = sdk::ReferenceDevice::of(device.instance());
  const Documents documents = documents_of("qwen2");
  ModelOptions options;
  options.device = &device.device();
  options.precision = Precision::bf16();
  int64_t failures = 0;
  for (int64_t n = 0;; n += n < 120 ? 1 : 53) {
    reference.fail_after = n;
    bool failed = false;
    try {
      TestModel model("qwen2", options);
      train(model, documents, 0.01);
      model.rank().finish_grads();
      model.rank().step(1.0, 1e-3);
    } catch (const Error& error) {
      failed = true;
      ASSERT_EQ(error.code(), FTRUN_RESOURCE_EXHAUSTED) << n << ": " << error.what();
    }
    reference.fail_after = -1;
    ASSERT_EQ(reference.stats.allocation_count, 0u) << n;
    if (!failed) break;
    ++failures;
  }
  EXPECT_GT(failures, 100);
}

}  // namespace
}  // namespace ftrun::test
