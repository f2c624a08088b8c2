// State in host memory beside an accelerator: the same bits as without, and the bytes where they are said to be.
#include <cmath>

#include "tests/strategies/strategy_fixture.h"

namespace ftrun::test {
namespace {

struct Offload {
  const char* strategy;
  std::map<std::string, std::string> options;
  bool optimizer = false;
  bool params = false;
  bool keeps_gradient_slices = false;  ///< which go to the host with the optimizer
};

const std::vector<Offload>& offloads() {
  static const std::vector<Offload> all = {
      {"ddp", {{"offload_optimizer", "cpu"}}, true, false, false},
      {"zero1", {{"offload_optimizer", "cpu"}}, true, false, false},
      {"zero2", {{"offload_optimizer", "cpu"}}, true, false, true},
      {"zero3", {{"offload_optimizer", "cpu"}}, true, false, true},
      {"zero3", {{"offload_param", "cpu"}}, false, true, true},
      {"zero3", {{"offload_optimizer", "cpu"}, {"offload_param", "cpu"}}, true, true, true},
      {"fsdp", {{"offload_optimizer", "cpu"}, {"offload_param", "cpu"}}, true, true, true},
      {"fsdp",
       {{"offload_optimizer", "cpu"}, {"offload_param", "cpu"}, {"sharding_strategy", "shard_grad_op"}},
       true,
       true,
       true},
  };
  return all;
}

struct Shape {
  int32_t world;
  int32_t accumulation;
  bool bf16;
};

class Offloaded : public ::testing::TestWithParam<Shape> {};

TEST_P(Offloaded, TheBitsAreThoseOfTheDeviceAlone) {
  const Shape shape = GetParam();
  for (const Offload& offload : offloads()) {
    StrategyCase given = make_case("qwen3", offload.strategy, shape.world, shape.accumulation);
    given.precision = shape.bf16 ? Precision::bf16() : Precision::f32();
    const Outcome on_cpu = run_well(given);
    given.device = "npu_a2";
    const Outcome resident = run_well(given);
    given.options = offload.options;
    given.with_reference = false;
    const Outcome found = run_well(given);
    expect_same_bits(found, resident, given.name());
    expect_same_bits(found, on_cpu, given.name() + " and on the cpu device");
  }
}

TEST_P(Offloaded, BytesAreWhereTheyAreAnnounced) {
  const Shape shape = GetParam();
  for (const Offload& offload : offloads()) {
    StrategyCase given = make_case("llama", offload.strategy, shape.world, shape.accumulation);
    given.precision = shape.bf16 ? Precision::bf16() : Precision::f32();
    given.config_json = odd_config(false);
    given.options = offload.options;
    given.device = "npu_a2";
    given.updates = 1;
    const auto elements = static_cast<double>(model_size(given).elements);
    const double compute = shape.bf16 ? 2 : 4;
    const bool is_ddp = given.strategy == "ddp";
    const auto near = [&](uint64_t bytes, double expected) {
      EXPECT_LE(std::abs(static_cast<double>(bytes) - expected), 0.02 * expected) << given.name();
    };
    for (const RankOutcome& rank : run_well(given).ranks) {
      const auto& device = rank.before_step.category_bytes;
      const auto& host = rank.host_before_step.category_bytes;
      const auto& announced = rank.schedule.device_bytes;
      const auto& announced_host = rank.schedule.host_bytes;
      const double optimizer = elements * (shape.bf16 ? 12 : 8) / (is_ddp ? 1 : shape.world);
      near((offload.optimizer ? host : device)[FTRUN_MEMORY_OPTIMIZER], optimizer);
      EXPECT_EQ((offload.optimizer ? device : host)[FTRUN_MEMORY_OPTIMIZER], 0u) << given.name();
      if (offload.params) {
        near(host[FTRUN_MEMORY_WEIGHTS], elements * compute / shape.world);
        EXPECT_EQ(device[FTRUN_MEMORY_WEIGHTS], 0u) << given.name();
      }
      const bool gradients_there = offload.optimizer && offload.keeps_gradient_slices;
      const double gradient = shape.accumulation > 1 ? 4 : compute;
      near((gradients_there ? host : device)[FTRUN_MEMORY_GRADIENTS],
           elements * gradient / (offload.keeps_gradient_slices ? shape.world : 1));
      for (const auto category : {FTRUN_MEMORY_WEIGHTS, FTRUN_MEMORY_GRADIENTS, FTRUN_MEMORY_OPTIMIZER}) {
        near(device[category], static_cast<double>(announced[category]));
        near(host[category], static_cast<double>(announced_host[category]));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Offloaded, ::testing::Values(Shape{2, 1, true}, Shape{2, 3, true}, Shape{3, 3, false}),
                         [](const auto& test) {
                           return "world" + std::to_string(test.param.world) + "_accumulation" +
                                  std::to_string(test.param.accumulation) + (test.param.bf16 ? "_bf16" : "_fp32");
                         });

class OffloadMatrix : public ::testing::TestWithParam<std::tuple<const char*, int32_t, int32_t>> {};

/// On devices that the host cannot reach, where offloading moves bytes.
TEST_P(OffloadMatrix, EveryStrategyIsSingleWithAndWithoutOffloadAndRecompute) {
  const auto& [model, world, accumulation] = GetParam();
  const Outcome expected = run_well(make_case(model, "single", 1, 1));
  for (const bool recompute : {true, false}) {
    std::map<std::string, Outcome> resident;
    for (const char* strategy : kStrategies) {
      StrategyCase given = make_case(model, strategy, world, accumulation);
      given.device = "npu_a2";
      given.gradient_checkpointing = recompute;
      resident[strategy] = run_well(given);
      expect_equivalent(resident[strategy], expected, given.name());
    }
    for (const Offload& offload : offloads()) {
      StrategyCase given = make_case(model, offload.strategy, world, accumulation);
      given.device = "npu_a2";
      given.gradient_checkpointing = recompute;
      given.options = offload.options;
      expect_same_bits(run_well(given), resident[offload.strategy], given.name());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Matrix, OffloadMatrix,
                         ::testing::Combine(::testing::Values("llama", "qwen3"), ::testing::Values(1, 2, 3, 4),
                                            ::testing::Values(1, 3)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_world" +
                                  std::to_string(std::get<1>(test.param)) + "_accumulation" +
                                  std::to_string(std::get<2>(test.param));
                         });

}  // namespace
}  // namespace ftrun::test
