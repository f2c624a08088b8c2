// What a strategy announces before it is attached is what a rank then holds and moves, and both are the theory's.
// Sources: Rajbhandari et al. 2020, ZeRO, sections 5 and 7; torch.distributed.fsdp.ShardingStrategy.
#include <cmath>

#include "ftrun/kinds/device.h"
#include "tests/strategies/strategy_fixture.h"

namespace ftrun::test {
namespace {

constexpr uint64_t kPieceBytes = 1 << 16;
/// What the cpu device may add to an allocation: its gap and alignment.
constexpr uint64_t kRoundingBytes = 8192;
/// Embedding, three blocks, norm, head.
constexpr uint64_t kUnits = 6;

/// By how much each of the three is divided, for N ranks.
struct Divided {
  bool weights;
  bool gradients;
  bool optimizer;
};

struct Theory {
  std::string strategy;
  std::map<std::string, std::string> options;
  Divided divided;
  /// Elements moved per update of G micro-batches, in units of P (N - 1) / N.
  int32_t (*moved)(int32_t g);
};

const std::vector<Theory>& theories() {
  static const std::vector<Theory> all = {
      {"ddp", {}, {false, false, false}, [](int32_t) { return 2; }},
      {"ddp", {{"reduce_bucket_size", "20000"}}, {false, false, false}, [](int32_t) { return 2; }},
      {"ddp", {{"reduce_every_micro_batch", "true"}}, {false, false, false}, [](int32_t g) { return 2 * g; }},
      {"zero1", {}, {false, false, true}, [](int32_t) { return 2; }},
      {"zero1", {{"reduce_bucket_size", "20000"}}, {false, false, true}, [](int32_t) { return 2; }},
      {"zero2", {}, {false, true, true}, [](int32_t g) { return g + 1; }},
      {"zero3", {}, {true, true, true}, [](int32_t g) { return 3 * g; }},
      {"zero3", {{"prefetch", "false"}}, {true, true, true}, [](int32_t g) { return 3 * g; }},
      {"fsdp", {}, {true, true, true}, [](int32_t g) { return 3 * g; }},
      {"fsdp", {{"sharding_strategy", "shard_grad_op"}}, {true, true, true}, [](int32_t g) { return 2 * g; }},
  };
  return all;
}

struct Shape {
  int32_t world;
  int32_t accumulation;
  bool bf16;
};

StrategyCase make_case(const Theory& theory, const Shape& shape, bool tied = false) {
  StrategyCase made;
  made.strategy = theory.strategy;
  made.options = theory.options;
  made.world = shape.world;
  made.accumulation = shape.accumulation;
  made.precision = shape.bf16 ? Precision::bf16() : Precision::f32();
  made.config_json = odd_config(tied);
  made.updates = 1;
  made.piece_bytes = kPieceBytes;
  return made;
}

double ratio(uint64_t a, double b) { return std::abs(static_cast<double>(a) / b - 1.0); }

class Announced : public ::testing::TestWithParam<Shape> {};

/// Live bytes of `category` are `announced`, but for what the device adds to each of at most `allocations`.
void expect_held(uint64_t held, uint64_t announced, uint64_t allocations, const std::string& what) {
  EXPECT_GE(held, announced) << what;
  EXPECT_LE(held, announced + allocations * kRoundingBytes) << what;
}

void expect_formula(const RankOutcome& rank, const Theory& theory, const Shape& shape, double elements,
                    const std::string& what) {
  const double ranks = shape.world;
  const double compute = shape.bf16 ? 2 : 4;
  const double gradient = shape.accumulation > 1 ? 4 : compute;
  const auto& bytes = rank.schedule.device_bytes;
  const double optimizer = shape.bf16 ? 12 : 8;
  EXPECT_LE(ratio(bytes[FTRUN_MEMORY_WEIGHTS], elements * compute / (theory.divided.weights ? ranks : 1)), 0.02)
      << what;
  EXPECT_LE(ratio(bytes[FTRUN_MEMORY_GRADIENTS], elements * gradient / (theory.divided.gradients ? ranks : 1)), 0.02)
      << what;
  EXPECT_LE(ratio(bytes[FTRUN_MEMORY_OPTIMIZER], elements * optimizer / (theory.divided.optimizer ? ranks : 1)), 0.02)
      << what;
}

void expect_memory(const RankOutcome& rank, const StrategyCase& given) {
  const auto& live = rank.before_step.category_bytes;
  const auto& peak = rank.before_step.category_peak_bytes;
  const auto& announced = rank.schedule.device_bytes;
  const std::string what = given.name();
  expect_held(live[FTRUN_MEMORY_WEIGHTS], announced[FTRUN_MEMORY_WEIGHTS], kUnits, what + ": weights");
  expect_held(live[FTRUN_MEMORY_GRADIENTS], announced[FTRUN_MEMORY_GRADIENTS], kUnits, what + ": gradients");
  expect_held(live[FTRUN_MEMORY_OPTIMIZER], announced[FTRUN_MEMORY_OPTIMIZER], 3 * kUnits, what + ": optimizer");
  expect_held(peak[FTRUN_MEMORY_GATHER], announced[FTRUN_MEMORY_GATHER], kUnits, what + ": gather buffers");
  EXPECT_EQ(rank.gather_bytes_between_updates, 0u) << what;
  // Beside the strategy's buffers there are the communicator's: at most a slot per rank.
  const uint64_t slots = static_cast<uint64_t>(given.world) * (kPieceBytes + kRoundingBytes);
  EXPECT_GE(peak[FTRUN_MEMORY_COMMUNICATION], announced[FTRUN_MEMORY_COMMUNICATION]) << what;
  EXPECT_LE(peak[FTRUN_MEMORY_COMMUNICATION], announced[FTRUN_MEMORY_COMMUNICATION] + slots + kUnits * kRoundingBytes)
      << what << ": communication";
}

void expect_traffic(const RankOutcome& rank, const Theory& theory, const Shape& shape, uint64_t padded,
                    const std::string& what) {
  uint64_t moved = 0;
  for (size_t kind = 0; kind < rank.traffic.size(); ++kind) {
    const uint64_t announced = rank.schedule.update_elements[kind];
    EXPECT_EQ(announced, static_cast<uint64_t>(rank.traffic[kind].elements)) << what << ": kind " << kind;
    EXPECT_EQ(rank.schedule.update_sent_bytes[kind], rank.traffic[kind].sent_bytes) << what << ": kind " << kind;
    EXPECT_EQ(rank.schedule.tied_elements[kind], 0u) << what;
    // An all_reduce moves what a reduce_scatter and an all_gather do.
    moved += announced * (kind == FTRUN_COLLECTIVE_ALL_REDUCE ? 2 : 1);
  }
  EXPECT_EQ(moved, padded * static_cast<uint64_t>(theory.moved(shape.accumulation))) << what;
}

TEST_P(Announced, MemoryAndTrafficAreMeasuredAndTheTheorys) {
  const Shape shape = GetParam();
  for (const Theory& theory : theories()) {
    const StrategyCase given = make_case(theory, shape);
    const ModelSize size = model_size(given);
    EXPECT_LE(ratio(size.padded, static_cast<double>(size.elements)), 0.01);
    for (const RankOutcome& rank : run_well(given).ranks) {
      expect_formula(rank, theory, shape, static_cast<double>(size.elements), given.name());
      expect_memory(rank, given);
      expect_traffic(rank, theory, shape, static_cast<uint64_t>(size.padded), given.name());
    }
  }
}

TEST(Schedule, TiedTensorsAreGatheredForEachUserAndSaidToBe) {
  const Shape shape = {2, 3, false};
  for (const Theory& theory : theories()) {
    const StrategyCase given = make_case(theory, shape, true);
    const ModelSize size = model_size(given);
    // The head needs the embedding in its forward and in its backward; shard_grad_op keeps it in between, and from the
    // embedding's own forward on.
    const bool gathers_again = theory.divided.weights && theory.options.count("sharding_strategy") == 0;
    const int64_t extra = gathers_again ? 2 * shape.accumulation * size.embedding_padded : 0;
    for (const RankOutcome& rank : run_well(given).ranks) {
      uint64_t moved = 0;
      for (size_t kind = 0; kind < rank.traffic.size(); ++kind) {
        EXPECT_EQ(rank.schedule.update_elements[kind], static_cast<uint64_t>(rank.traffic[kind].elements))
            << given.name() << ": kind " << kind;
        const uint64_t own = rank.schedule.update_elements[kind] - rank.schedule.tied_elements[kind];
        moved += own * (kind == FTRUN_COLLECTIVE_ALL_REDUCE ? 2 : 1);
        const auto expected = kind == FTRUN_COLLECTIVE_ALL_GATHER ? static_cast<uint64_t>(extra) : 0;
        EXPECT_EQ(rank.schedule.tied_elements[kind], expected) << given.name() << ": kind " << kind;
      }
      EXPECT_EQ(moved, static_cast<uint64_t>(size.padded) * static_cast<uint64_t>(theory.moved(shape.accumulation)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Announced,
                         ::testing::Values(Shape{2, 1, true}, Shape{3, 3, true}, Shape{4, 1, false},
                                           Shape{2, 3, false}),
                         [](const auto& test) {
                           return "world" + std::to_string(test.param.world) + "_accumulation" +
                                  std::to_string(test.param.accumulation) + (test.param.bf16 ? "_bf16" : "_fp32");
                         });

TEST(Schedule, SingleHoldsTheFormulaAndMovesNothing) {
  StrategyCase given = make_case({"single", {}, {}, nullptr}, {1, 3, true});
  const RankOutcome rank = run_well(given).ranks.at(0);
  const auto elements = static_cast<uint64_t>(model_size(given).padded);
  EXPECT_EQ(rank.schedule.device_bytes[FTRUN_MEMORY_WEIGHTS], 2 * elements);
  EXPECT_EQ(rank.schedule.device_bytes[FTRUN_MEMORY_GRADIENTS], 4 * elements);
  EXPECT_EQ(rank.schedule.device_bytes[FTRUN_MEMORY_OPTIMIZER], 12 * elements);
  EXPECT_EQ(rank.schedule.device_peak_bytes, 18 * elements);
  EXPECT_EQ(rank.schedule.host_peak_bytes, 0u);
  for (const uint64_t moved : rank.schedule.update_elements) EXPECT_EQ(moved, 0u);
}

TEST(Schedule, AFrozenRoleIsGatheredForItsForwardOnly) {
  StrategyCase given = make_case({"zero3", {}, {}, nullptr}, {2, 3, false});
  given.with_reference = true;
  const auto padded = static_cast<uint64_t>(model_size(given).padded);
  for (const RankOutcome& rank : run_well(given).ranks) {
    // One walk of both roles.
    EXPECT_EQ(rank.schedule.infer_elements[FTRUN_COLLECTIVE_ALL_GATHER], 2 * padded);
    EXPECT_EQ(static_cast<uint64_t>(rank.traffic[FTRUN_COLLECTIVE_ALL_GATHER].elements), 3 * (2 * padded + padded));
    EXPECT_LE(ratio(rank.before_step.category_bytes[FTRUN_MEMORY_WEIGHTS], 2.0 * 4 * static_cast<double>(padded) / 2),
              0.02);
  }
}

TEST(Schedule, WalksOfAReferenceAreAnnouncedWithTheUpdate) {
  for (const Theory& theory : theories()) {
    for (const int32_t adapter_rank : {0, 2}) {
      StrategyCase given = make_case(theory, {2, 3, false}, true);
      given.with_reference = true;
      given.adapter_rank = adapter_rank;
      for (const RankOutcome& rank : run_well(given).ranks) {
        for (size_t kind = 0; kind < rank.traffic.size(); ++kind) {
          EXPECT_EQ(rank.schedule.update_elements[kind], static_cast<uint64_t>(rank.traffic[kind].elements))
              << given.name() << ": kind " << kind << ", pairs of rank " << adapter_rank;
          EXPECT_EQ(rank.schedule.update_sent_bytes[kind], rank.traffic[kind].sent_bytes)
              << given.name() << ": kind " << kind << ", pairs of rank " << adapter_rank;
        }
      }
    }
  }
}

TEST(Schedule, WithoutRecomputeGatheredWeightsGoAllTheSame) {
  for (const char* strategy : {"zero3", "fsdp"}) {
    StrategyCase given = make_case({strategy, {}, {}, nullptr}, {2, 1, true});
    given.gradient_checkpointing = false;
    for (const RankOutcome& rank : run_well(given).ranks) expect_memory(rank, given);
  }
}

}  // namespace
}  // namespace ftrun::test
