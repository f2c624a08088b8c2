// The walk over units: recompute, threads, packing, empty micro-batches, hook order, several walks in one loss.
#include <cstring>

#include "core/base/error.h"
#include "core/io/convert.h"
#include "core/ops/elementwise.h"
#include "core/parallel/thread_pool.h"
#include "tests/model/model_fixture.h"

namespace ftrun::test {
namespace {

Documents documents_of(const std::string& name, int64_t first = 0, int64_t count = -1) {
  return golden_documents(SafetensorsFile(golden_folder(name) / "golden.safetensors"), "forward.", first, count);
}

/// Loss and gradients after two micro-batches.
struct Outcome {
  std::vector<double> losses;
  std::vector<std::vector<float>> gradients;
  double norm = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome two_micro_batches(const std::string& name, const ModelOptions& options) {
  ModelOptions accumulating = options;
  accumulating.accumulation = 2;
  TestModel model(name, accumulating);
  Outcome outcome;
  for (int32_t micro = 0; micro < 2; ++micro) {
    outcome.losses.push_back(train(model, documents_of(name, micro, 1), 0.01, micro, 2));
  }
  outcome.gradients = gradients(model);
  outcome.norm = model.rank().finish_grads();
  return outcome;
}

TEST(UnitWalk, RecomputeChangesNoBit) {
  for (const char* name : {"llama_rope3", "qwen2", "qwen3"}) {
    for (const Precision precision : {Precision::f32(), Precision::bf16(), Precision::pure_bf16()}) {
      ModelOptions options;
      options.precision = precision;
      const Outcome replayed = two_micro_batches(name, options);
      options.gradient_checkpointing = false;
      EXPECT_TRUE(replayed == two_micro_batches(name, options)) << name;
      EXPECT_GT(replayed.norm, 0);
    }
  }
}

TEST(UnitWalk, ThreadsChangeNoBit) {
  for (const char* name : {"llama", "qwen3"}) {
    for (const Precision precision : {Precision::f32(), Precision::bf16()}) {
      ModelOptions options;
      options.precision = precision;
      configure_threads(1);
      const Outcome one = two_micro_batches(name, options);
      configure_threads(2);
      EXPECT_TRUE(one == two_micro_batches(name, options)) << name;
    }
  }
}

TEST(UnitWalk, PackedDocumentsEqualSeparateOnes) {
  TestModel model("qwen3");
  const Documents all = documents_of("qwen3");
  const std::vector<float> packed = all_logits(model, all);
  std::vector<float> separate;
  for (int64_t d = 0; d + 1 < static_cast<int64_t>(all.offsets.size()); ++d) {
    const std::vector<float> alone = all_logits(model, documents_of("qwen3", d, 1));
    separate.insert(separate.end(), alone.begin(), alone.end());
  }
  EXPECT_EQ(packed, separate);
}

TEST(UnitWalk, EmptyMicroBatchAddsNothing) {
  ModelOptions options;
  options.accumulation = 2;
  const Documents documents = documents_of("qwen2");
  TestModel alone("qwen2", options);
  train(alone, documents, 0.01, 0, 2);
  const auto expected = gradients(alone);

  TestModel before("qwen2", options);
  EXPECT_EQ(train(before, {}, 0.01, 0, 2), 0.0);
  for (const auto& gradient : gradients(before)) {
    for (const float value : gradient) ASSERT_EQ(value, 0.0f);
  }
  train(before, documents, 0.01, 1, 2);
  EXPECT_EQ(gradients(before), expected);

  TestModel after("qwen2", options);
  train(after, documents, 0.01, 0, 2);
  EXPECT_EQ(train(after, {}, 0.01, 1, 2), 0.0);
  EXPECT_EQ(gradients(after), expected);
}

TEST(UnitWalk, NoTargetsGiveZeroGradients) {
  Documents documents = documents_of("llama");
  std::fill(documents.targets.begin(), documents.targets.end(), -100);
  TestModel model("llama");
  EXPECT_EQ(train(model, documents, 1.0), 0.0);
  EXPECT_EQ(model.rank().finish_grads(), 0.0);
}

TEST(UnitWalk, SeveralWalksOfOneLossAddUp) {
  for (const bool checkpointing : {true, false}) {
    ModelOptions options;
    options.gradient_checkpointing = checkpointing;
    const Documents first = documents_of("qwen3", 0, 1);
    const Documents second = documents_of("qwen3", 1, 1);
    TestModel together("qwen3", options);
    train(together, documents_of("qwen3", 0, 2), 0.1);
    TestModel twice("qwen3", options);
    Rank& rank = twice.rank();
    rank.train_micro_batch(0, 1, [&] {
      const Tensor a = rank.forward(0, first.batch());
      const Tensor b = rank.forward(0, second.batch());
      return ops::add(twice.ctx(), rank.head_cross_entropy_sum(0, a, first.targets, {}, 0.1),
                      rank.head_cross_entropy_sum(0, b, second.targets, {}, 0.1));
    });
    const auto expected = gradients(together);
    const auto found = gradients(twice);
    for (size_t id = 0; id < expected.size(); ++id) {
      const std::vector<double> wanted(expected[id].begin(), expected[id].end());
      EXPECT_LE(relative_distance(found[id], wanted), 1e-5) << twice.model().parameters()[id].name;
    }
  }
}

TEST(UnitWalk, MicroBatchGradientIsRoundedOnce) {
  // The f32 accumulator holds a micro-batch's sum unrounded; the bf16 buffer must hold it rounded, tied tensors too.
  for (const char* name : {"qwen2", "llama_rope3"}) {
    ModelOptions options;
    options.precision = Precision::bf16();
    TestModel narrow(name, options);
    train(narrow, documents_of(name), 0.01);
    options.accumulation = 2;
    TestModel wide(name, options);
    train(wide, documents_of(name), 0.01, 0, 2);
    auto expected = gradients(wide);
    int64_t inexact = 0;
    for (auto& gradient : expected) {
      for (float& value : gradient) {
        const float rounded = f32_of_bf16(bf16_of_f32(value));
        inexact += rounded != value ? 1 : 0;
        value = rounded;
      }
    }
    EXPECT_GT(inexact, 100);
    EXPECT_EQ(gradients(narrow), expected) << name;
  }
}

TEST(UnitWalk, AFailingLossLeavesTheRankUsable) {
  TestModel model("llama");
  EXPECT_THROW(model.rank().train_micro_batch(0, 1, [&]() -> Tensor { throw invalid_argument("no"); }), Error);
  EXPECT_GT(train(model, documents_of("llama"), 1.0), 0.0);
}

TEST(UnitWalk, BadBatchesAreNamed) {
  TestModel model("llama");
  Documents documents = documents_of("llama");
  documents.ids[1] = 1000;
  EXPECT_THROW(all_logits(model, documents), Error);
  documents = documents_of("llama");
  documents.offsets.back() -= 1;
  EXPECT_THROW(all_logits(model, documents), Error);
}

/// Strategy `single` with a diary of its hooks.
struct Diary {
  static const ftrun_strategy& single() {
    return *static_cast<const ftrun_strategy*>(open_plugin("strategy", "single")->table);
  }
  static std::vector<std::string>& lines() {
    static std::vector<std::string> entries;
    return entries;
  }
  static void note(const char* what, const ftrun_unit_event& event) {
    const char phase = "FBI"[event.phase];
    lines().push_back(std::string(what) + phase + std::to_string(event.unit));
  }
  static const ftrun_strategy* table() {
    static const ftrun_strategy diary = [] {
      ftrun_strategy copy = single();
      copy.unit_enter = [](void* self, ftrun_context* ctx, const ftrun_unit_event* event) noexcept -> ftrun_status {
        note("+", *event);
        return single().unit_enter(self, ctx, event);
      };
      copy.unit_exit = [](void* self, ftrun_context* ctx, const ftrun_unit_event* event) noexcept -> ftrun_status {
        note("-", *event);
        return single().unit_exit(self, ctx, event);
      };
      copy.grads_ready = [](void* self, ftrun_context* ctx, const ftrun_unit_event* event) noexcept -> ftrun_status {
        note("ready", *event);
        return single().grads_ready(self, ctx, event);
      };
      return copy;
    }();
    return &diary;
  }
};

TEST(UnitWalk, HooksBracketEveryUnitAlsoWithoutTokens) {
  // Units: 0 embedding, 1 and 2 blocks, 3 final norm, 4 head; the head borrows the tied embedding.
  const std::vector<std::string> expected = {
      "+F0", "-F0", "+F1", "-F1", "+F2",     "-F2", "+F3", "-F3",     "+F4", "+F0", "-F0",     "-F4", "+B4", "+B0",
      "-B0", "-B4", "+B3", "-B3", "readyB3", "+B2", "-B2", "readyB2", "+B1", "-B1", "readyB1", "+B0", "-B0", "readyB0"};
  for (const Documents& documents : {documents_of("qwen2"), Documents()}) {
    ModelOptions options;
    options.strategy = Diary::table();
    TestModel model("qwen2", options);
    Diary::lines().clear();
    train(model, documents, 1.0);
    EXPECT_EQ(Diary::lines(), expected);
  }
}

TEST(UnitWalk, FrozenRolesHaveNoBackward) {
  ModelOptions options;
  options.strategy = Diary::table();
  options.trained = false;
  TestModel model("llama", options);
  Diary::lines().clear();
  EXPECT_GT(train(model, documents_of("llama"), 1.0), 0.0);
  for (const std::string& line : Diary::lines()) EXPECT_EQ(line[1], 'I') << line;
}

}  // namespace
}  // namespace ftrun::test
