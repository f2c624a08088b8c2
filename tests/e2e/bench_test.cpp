// `ftrun bench`: what it prints adds up, and it refuses flags it has no use for.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

using nlohmann::json;

TEST(Bench, JsonNamesAddUp) {
  const ProgramResult result = run_ftrun({"bench", "--model", "configs/models/qwen2-tiny", "--seq", "64", "--batch",
                                          "3", "--steps", "2", "--torch_dtype", "bf16", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json bench = json::parse(result.out);
  const double step_ms = bench.at("step_ms"), tokens_per_second = bench.at("tokens_per_second");
  EXPECT_NEAR(tokens_per_second, 3 * 64 / step_ms * 1e3, 1e-6 * tokens_per_second);
  double phases = 0;
  for (const char* phase : {"forward", "backward", "optimizer", "data", "other"}) {
    phases += bench.at("phase_ms").at(phase).get<double>();
  }
  // Medians of the parts are not the parts of the median.
  EXPECT_NEAR(phases, step_ms, 0.5 * step_ms);
  const double peak = bench.at("gemm_peak_tflops"), mfu = bench.at("mfu");
  double best = 0;
  for (const json& one : bench.at("gemm")) best = std::max(best, one.at("tflops").get<double>());
  EXPECT_EQ(peak, best);
  EXPECT_NEAR(mfu, bench.at("model").at("flops_per_token").get<double>() * tokens_per_second * 1e-12 / peak, 1e-9);
  const json& bytes = bench.at("device_bytes");
  const int64_t parameters = bench.at("model").at("parameters");
  EXPECT_GE(bytes.at("weights").get<int64_t>(), 2 * parameters);
  EXPECT_GE(bytes.at("gradients").get<int64_t>(), 2 * parameters);
  EXPECT_GE(bytes.at("optimizer").get<int64_t>(), 12 * parameters);
  EXPECT_GT(bytes.at("activations").get<int64_t>(), 0);
  EXPECT_GT(bytes.at("workspace").get<int64_t>(), 0);
  EXPECT_GT(bench.at("peak_rss_mib").get<int64_t>(), 0);
}

TEST(Bench, PairsLeaveTheBaseWithoutGradientsAndStates) {
  const ProgramResult result =
      run_ftrun({"bench", "--model", "configs/models/qwen2-tiny", "--seq", "64", "--batch", "3", "--steps", "1",
                 "--finetuning_type", "lora", "--lora_rank", "2", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json bench = json::parse(result.out);
  const json& bytes = bench.at("device_bytes");
  const int64_t parameters = bench.at("model").at("parameters");
  EXPECT_GE(bytes.at("weights").get<int64_t>(), 2 * parameters);
  EXPECT_LT(bytes.at("gradients").get<int64_t>(), parameters / 2);
  EXPECT_LT(bytes.at("optimizer").get<int64_t>(), 3 * parameters);
}

TEST(Bench, GenerationIsHeldAgainstMemoryAndMatrixProducts) {
  const ProgramResult result = run_ftrun({"bench", "--generate", "--model", "configs/models/qwen2-tiny", "--seq", "64",
                                          "--batch", "3", "--steps", "4", "--context", "5", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json bench = json::parse(result.out);
  const double peak = bench.at("limits").at("gemm_tflops").get<double>() * 1e12;
  const double bandwidth = bench.at("limits").at("read_gb_per_second").get<double>() * 1e9;
  const double weights = bench.at("model").at("multiplied_weights");
  const double one = bench.at("decode_1").at("tokens_per_second");
  const double many = bench.at("decode_batch").at("tokens_per_second");
  EXPECT_GT(peak, 0);
  EXPECT_NEAR(bench.at("decode_1").at("of_bandwidth").get<double>(), weights * 2 * one / bandwidth, 1e-9);
  EXPECT_NEAR(bench.at("decode_batch").at("times_decode_1").get<double>(), many / one, 1e-9);
  EXPECT_NEAR(bench.at("decode_batch").at("of_gemm_peak").get<double>(), 2 * weights * many / peak, 1e-9);
  EXPECT_GT(bench.at("prefill").at("tokens_per_second").get<double>(), 0);
  EXPECT_GT(bench.at("prefill").at("of_gemm_peak").get<double>(), 0);
}

TEST(Bench, FlagsWithoutUseAreRefused) {
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } cases[] = {{{"bench", "--sequence", "8"}, "--sequence: 'bench' has no use for it"},
               {{"bench", "--stepz", "8"}, "did you mean 'steps'"},
               {{"bench", "--seq", "0"}, "--seq: expected an integer >= 1"},
               {{"bench", "--torch_dtype", "fp16"}, "expected one of bf16, fp32"},
               {{"bench", "--lora_rank", "4"}, "--lora_rank: only finetuning_type lora has a use for it"},
               {{"bench", "--finetuning_type", "lora", "--lora_target", "q_prj"}, "did you mean 'q_proj'"},
               {{"bench", "--model", "/nonexistent"}, "/nonexistent"},
               {{"bench", "--generate", "--finetuning_type", "lora"}, "'bench --generate' has no use for it"},
               {{"bench", "--generate", "--contxt", "8"}, "did you mean 'context'"},
               {{"bench", "--config", "configs/sft.yaml"}, "'bench' takes no configuration file"},
               {{"bench", "extra"}, "unexpected argument 'extra'"}};
  for (const auto& one : cases) {
    const ProgramResult result = run_ftrun(one.arguments);
    EXPECT_EQ(result.exit_code, 2) << one.message << "\n" << result.all();
    EXPECT_NE(result.err.find(one.message), std::string::npos) << one.message << "\n" << result.err;
  }
}

}  // namespace
}  // namespace ftrun::test
