// Everything a user can get wrong ends with exit code 2, a message that says where and what, and nothing written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "tests/e2e/program.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Refusal {
  std::string name;
  std::map<std::string, std::string> changes;
  std::vector<std::string> fragments;  ///< all of them stand in the message
};

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithExitCodeTwoAndNothingWritten) {
  const TestFolder folder;
  const ProgramResult result = run_small(folder, "run", GetParam().changes);
  EXPECT_EQ(result.exit_code, 2) << result.all();
  for (const std::string& fragment : GetParam().fragments) EXPECT_THAT(result.err, HasSubstr(fragment));
  for (const char* call : {"': create: ", "': declare: ", "': begin: "}) {
    EXPECT_THAT(result.err, testing::Not(HasSubstr(call))) << "the user called no plugin";
  }
  EXPECT_FALSE(fs::exists(folder / "run")) << "something was written";
  EXPECT_EQ(result.out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Keys, Refused,
    testing::Values(
        Refusal{"UnknownKey", {{"learing_rate", "1e-4"}}, {"run.yaml:", "learing_rate", "learning_rate"}},
        Refusal{"WrongType", {{"num_train_epochs", "many"}}, {"run.yaml:", "num_train_epochs", "many"}},
        Refusal{"OutOfRange", {{"adam_beta1", "1.5"}}, {"run.yaml:", "adam_beta1", "1.5"}},
        Refusal{"NotAChoice", {{"lr_scheduler_type", "cosin"}}, {"lr_scheduler_type", "cosine"}},
        Refusal{
            "UnknownTemplate", {{"template", "chatlm"}}, {"run.yaml:", ": template: 'chatlm' is not known", "chatml"}},
        Refusal{"UnknownParadigm", {{"stage", "sfd"}}, {"sfd", "sft"}},
        Refusal{"UnknownStrategy", {{"strategy", "singel"}}, {"singel", "single"}},
        Refusal{"UnknownDevice", {{"device", "npu_a22"}}, {"npu_a22", "npu_a2"}},
        Refusal{"UnusedMapOption", {{"device", "{name: cpu, hbm_bytes: 1GiB}"}}, {"hbm_bytes"}},
        Refusal{"Fp16", {{"fp16", "true"}}, {"fp16"}},
        Refusal{"TorchDtype", {{"torch_dtype", "bfloat16"}}, {"run.yaml:", ": torch_dtype: ", "'bf16: true'"}},
        Refusal{"BothBf16", {{"bf16", "true"}, {"pure_bf16", "true"}}, {"pure_bf16"}},
        Refusal{"Oft", {{"finetuning_type", "oft"}}, {"run.yaml:", ": finetuning_type: 'oft' is not available"}},
        Refusal{"LoraKeyOfAFullRun",
                {{"lora_rank", "8"}},
                {"run.yaml:", "lora_rank: finetuning_type", "'full'", "'finetuning_type: lora'"}},
        Refusal{"FreezeKeyOfAFullRun",
                {{"freeze_trainable_layers", "1"}},
                {"run.yaml:", "freeze_trainable_layers: finetuning_type", "'full'", "'finetuning_type: freeze'"}},
        Refusal{"FreezeTooManyBlocks",
                {{"finetuning_type", "freeze"}, {"freeze_trainable_layers", "99"}},
                {"run.yaml:", "freeze_trainable_layers: is 99: expected 1 to "}},
        Refusal{"FreezeUnknownModule",
                {{"finetuning_type", "freeze"}, {"freeze_trainable_modules", "self_atn"}},
                {"run.yaml:", "no module 'self_atn' in its blocks (did you mean 'self_attn'?)", "mlp"}},
        Refusal{"FreezeUnknownExtraModule",
                {{"finetuning_type", "freeze"}, {"freeze_extra_modules", "embed"}},
                {"run.yaml:", "no module 'embed' outside of its blocks", "embed_tokens"}},
        Refusal{"DeepSpeed",
                {{"deepspeed", "ds.json"}},
                {"run.yaml:", "deepspeed: 'ds.json' is neither a DeepSpeed JSON file", "zero2_offload"}},
        Refusal{"TwoImports",
                {{"deepspeed", "zero2"}, {"fsdp", "full_shard"}},
                {"run.yaml:", "fsdp: deepspeed (", "chooses the strategy too: remove one of them"}},
        Refusal{"MapAgainstImport",
                {{"deepspeed", "zero3_offload"}, {"strategy", "{name: zero3, offload_param: none}"}},
                {"run.yaml:", "strategy.offload_param is 'none', but deepspeed (", "says 'cpu'"}},
        Refusal{"StrategyAgainstImport",
                {{"deepspeed", "zero3"}, {"strategy", "ddp"}},
                {"run.yaml:", "strategy is 'ddp', but deepspeed (", "means 'zero3'"}},
        Refusal{"FsdpWord", {{"fsdp", "full_shart"}}, {"run.yaml:", "fsdp: 'full_shart'", "full_shard"}},
        Refusal{"OffloadedWholeWeights",
                {{"strategy", "{name: zero2, offload_param: cpu}"}},
                {"run.yaml:", "offload_param: strategy 'zero2'", "zero3 or fsdp"}},
        Refusal{"Tracker", {{"report_to", "wandb"}}, {"run.yaml:", "report_to: 'wandb' is not available", "none"}},
        Refusal{"NoStage", {{"stage", ""}}, {"run.yaml: stage is not set", "installed: dpo, kto, pt, rm, sft"}},
        Refusal{"StageWithoutName",
                {{"stage", "{packing: true}"}},
                {"run.yaml:", "stage is not set", "installed: dpo, kto, pt, rm, sft"}},
        Refusal{"UnknownInMapOfDevice",
                {{"device", "{name: npu_a2, hbm_byte: 1GiB}"}},
                {"run.yaml:", "no option 'hbm_byte'", "did you mean 'hbm_bytes'"}},
        Refusal{"UnknownInMapOfNetwork", {{"network", "{name: qwen3, heads: 1}"}}, {"run.yaml:", "no option 'heads'"}},
        Refusal{"FractionalSteps",
                {{"logging_steps", "2.5"}},
                {"run.yaml:", "logging_steps: expected a whole number", "'2.5'"}},
        Refusal{"RatioThatIsNoMultiple",
                {{"val_size", "8"},
                 {"eval_strategy", "steps"},
                 {"eval_steps", "0.2"},
                 {"save_strategy", "steps"},
                 {"save_steps", "0.5"},
                 {"load_best_model_at_end", "true"}},
                {"run.yaml:", "load_best_model_at_end", "save_steps (0.5)", "eval_steps (0.2)"}},
        Refusal{"RatioBesideSteps",
                {{"val_size", "8"},
                 {"eval_strategy", "steps"},
                 {"eval_steps", "2"},
                 {"save_strategy", "steps"},
                 {"save_steps", "0.5"},
                 {"load_best_model_at_end", "true"}},
                {"run.yaml:", "load_best_model_at_end", "one is a ratio"}},
        Refusal{"RatiosThatRoundApart",
                {{"max_steps", "11"},
                 {"val_size", "8"},
                 {"eval_strategy", "steps"},
                 {"eval_steps", "0.2"},
                 {"save_strategy", "steps"},
                 {"save_steps", "0.4"},
                 {"load_best_model_at_end", "true"}},
                {"run.yaml:", "load_best_model_at_end", "of 11 updates", "are 5 and 3"}},
        Refusal{"ValSizeOfAllRows", {{"val_size", "1.0"}}, {"run.yaml:", "val_size: '1.0' leaves no row"}},
        Refusal{"ValSizeTooLarge", {{"val_size", "500"}}, {"error: /", "run.yaml:", ": val_size: 500 takes"}},
        Refusal{"DatasetFolder",
                {{"dataset", "configs/demo"}},
                {"run.yaml:", "dataset: 'configs/demo' is a folder of data sets"}},
        Refusal{"MissingModel",
                {{"model_name_or_path", "configs/demo/modle"}},
                {"run.yaml:", ": model_name_or_path: 'configs/demo/modle' is not a folder",
                 "did you mean 'configs/demo/model'"}},
        Refusal{"HubModel",
                {{"model_name_or_path", "Qwen/Qwen2.5-0.5B"}, {"network", "qwen2"}},
                {"run.yaml:", ": model_name_or_path: 'Qwen/Qwen2.5-0.5B' is not a folder", "are not downloaded",
                 "huggingface-cli download Qwen/Qwen2.5-0.5B"}},
        Refusal{"MissingTokenizer",
                {{"tokenizer_name_or_path", "/no/tokenizer"}},
                {"run.yaml:", ": tokenizer_name_or_path: '/no/tokenizer' is not a folder"}},
        Refusal{"MissingPluginPath",
                {{"plugin_path", "/no/plugins"}},
                {"run.yaml:", ": plugin_path: '/no/plugins' (No such file"}},
        Refusal{"MetricOfTheEnd",
                {{"val_size", "8"},
                 {"eval_strategy", "steps"},
                 {"eval_exact_match", "true"},
                 {"early_stopping_steps", "1"},
                 {"metric_for_best_model", "exact_match"}},
                {"run.yaml:", "metric_for_best_model: 'exact_match' is not measured by evaluations during training"}},
        Refusal{"EvaluationAfterwardsWithoutData", {{"do_eval", "true"}}, {"run.yaml:", ": do_eval: true needs"}},
        Refusal{"RewardWithoutUse",
                {{"reward", "sample"}, {"plugin_path", FTRUN_BINARY_DIR "/tests/plugin/fixtures/good"}},
                {"run.yaml:", ": reward: paradigm 'sft' uses no reward: remove it"}},
        Refusal{"FloorAboveThePeak",
                {{"lr_scheduler_type", "cosine_with_min_lr"}, {"lr_scheduler_kwargs", "{min_lr: 0.5}"}},
                {"run.yaml:", "lr_scheduler_kwargs.min_lr: 0.5 is above learning_rate (1.0e-3"}},
        Refusal{"NoUpdates", {{"max_steps", "0"}}, {"run.yaml:", "max_steps: is 0: expected at least 1"}},
        Refusal{"MissingWeights", {{"train_from_scratch", "false"}}, {"configs/demo/model"}},
        Refusal{"MissingDataset", {{"dataset", "demo_trian"}}, {"run.yaml:", ": dataset: 'demo_trian'", "demo_train"}},
        Refusal{"MissingDatasetFile", {{"dataset", "/no/such.jsonl"}}, {"/no/such.jsonl"}},
        Refusal{
            "BestWithoutEvaluation", {{"load_best_model_at_end", "true"}}, {"load_best_model_at_end", "eval_strategy"}},
        Refusal{"ExactMatchWithoutData", {{"eval_exact_match", "true"}}, {"eval_exact_match", "eval_dataset"}},
        Refusal{"ValSizeAndEvalDataset", {{"val_size", "0.1"}, {"eval_dataset", "demo_eval"}}, {"val_size"}},
        Refusal{"ResumeWithoutCheckpoint", {{"resume_from_checkpoint", "true"}}, {"resume_from_checkpoint"}},
        Refusal{"ResumeFromNowhere", {{"resume_from_checkpoint", "/no/checkpoint"}}, {"/no/checkpoint"}},
        Refusal{"EvaluationWithoutData", {{"eval_strategy", "steps"}}, {"run.yaml:", "eval_strategy", "eval_dataset"}},
        Refusal{"SamplingKey", {{"temperature", "0.5"}}, {"run.yaml:", "temperature", "greedily"}},
        Refusal{"HugeBatch",
                {{"per_device_train_batch_size", "9223372036854775807"}},
                {"per_device_train_batch_size", "at most"}},
        Refusal{"HugeAccumulation",
                {{"gradient_accumulation_steps", "9223372036854775807"}},
                {"gradient_accumulation_steps"}},
        Refusal{"HugeThreads", {{"threads", "100000000"}}, {"threads", "at most"}},
        Refusal{"NetworkOfAnotherArchitecture", {{"network", "llama"}}, {"architectures", "Qwen3ForCausalLM"}},
        Refusal{"OutOfHostMemory", {{"device", "{name: cpu, host_memory_limit: 15MiB}"}}, {"MiB"}},
        Refusal{"OutOfTinyMemory",
                {{"device", "{name: npu_a2, hbm_bytes: 3MiB}"}},
                {"run.yaml:", "has 3.00 MiB: weights 2.", "MiB are needed"}},
        Refusal{"MoreRanks", {{"nproc", "2"}}, {"nproc"}},
        Refusal{"TooShortCutoff",
                {{"cutoff_len", "2"}},
                {"run.yaml:", ": cutoff_len: the training data has no token to learn from"}},
        Refusal{"MaskHistoryAndPrompt", {{"mask_history", "true"}, {"train_on_prompt", "true"}}, {"mask_history"}}),
    [](const testing::TestParamInfo<Refusal>& refusal) { return refusal.param.name; });

TEST(RefusedFiles, MalformedYamlNamesLineAndColumn) {
  const TestFolder folder;
  const ProgramResult result = run_ftrun({"--config", write_text(folder / "bad.yaml", "a: 1\nb: [1,\n").string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("bad.yaml:"));
}

TEST(RefusedFiles, DuplicateKeyNamesBothLines) {
  const TestFolder folder;
  const ProgramResult result =
      run_ftrun({"--config", write_text(folder / "twice.yaml", "seed: 1\nstage: sft\nseed: 2\n").string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("twice.yaml:3"));
}

TEST(RefusedFiles, OutputFolderBelowAFile) {
  const TestFolder folder;
  write_text(folder / "file", "x");
  const ProgramResult result = run_small(folder, "run", {{"output_dir", (folder / "file/x").string()}});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("output_dir"));
}

TEST(RefusedFiles, PipesDoNotBlock) {
  const TestFolder folder;
  ASSERT_EQ(::mkfifo((folder / "f.so").c_str(), 0600), 0);
  EXPECT_EQ(run_ftrun({"--config", (folder / "f.so").string()}).exit_code, 2);
  EXPECT_EQ(run_ftrun({"plugins", "list", "--plugin_path", folder.path().string()}).exit_code, 0);
}

TEST(RefusedFiles, OutputFolderThatIsNotEmpty) {
  const TestFolder folder;
  write_text(folder / "run/precious.txt", "keep me");
  const ProgramResult result = run_small(folder, "run");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("overwrite_output_dir"));
  EXPECT_EQ(bytes_of(folder / "run/precious.txt"), "keep me");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "run"), {}), 1);
}

TEST(RefusedFiles, TruncatedWeights) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "model", {{"max_steps", "1"}}).exit_code, 0);
  fs::resize_file(folder / "model/model.safetensors", fs::file_size(folder / "model/model.safetensors") - 7);
  const ProgramResult result =
      run_small(folder, "run", {{"model_name_or_path", (folder / "model").string()}, {"train_from_scratch", "false"}});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("model.safetensors"));
  EXPECT_FALSE(fs::exists(folder / "run"));
}

// The same file with one more tensor: that of `name` with its last byte flipped, as `copy`.
void add_changed_copy(const fs::path& file, const std::string& name, const std::string& copy) {
  const std::string bytes = bytes_of(file);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  auto header = nlohmann::json::parse(bytes.substr(8, header_bytes));
  std::string data = bytes.substr(8 + header_bytes);
  const uint64_t begin = header.at(name).at("data_offsets")[0];
  const uint64_t end = header.at(name).at("data_offsets")[1];
  header[copy] = header.at(name);
  header[copy]["data_offsets"] = {data.size(), data.size() + end - begin};
  data += data.substr(begin, end - begin);
  data.back() = static_cast<char>(data.back() ^ 1);
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t size = text.size();
  write_text(file, std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + text + data);
}

TEST(RefusedFiles, ATiedHeadOfItsOwn) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "model", {{"max_steps", "1"}}).exit_code, 0);
  ASSERT_THAT(bytes_of(folder / "model/config.json"), HasSubstr("\"tie_word_embeddings\": true"));
  add_changed_copy(folder / "model/model.safetensors", "model.embed_tokens.weight", "lm_head.weight");
  const ProgramResult result =
      run_small(folder, "run", {{"model_name_or_path", (folder / "model").string()}, {"train_from_scratch", "false"}});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("model.safetensors: tensor 'lm_head.weight' is not the same as"));
  EXPECT_THAT(result.err, HasSubstr("set tie_word_embeddings to false"));
  EXPECT_FALSE(fs::exists(folder / "run"));
}

TEST(RefusedFiles, VocabularySmallerThanTheTokenizer) {
  const TestFolder folder;
  fs::copy(FTRUN_SOURCE_DIR "/configs/demo/model", folder / "model");
  std::string config = bytes_of(folder / "model/config.json");
  const size_t at = config.find("\"vocab_size\": ");
  ASSERT_NE(at, std::string::npos);
  config.replace(at, config.find_first_of(",\n", at) - at, "\"vocab_size\": 16");
  write_text(folder / "model/config.json", config);
  const ProgramResult result = run_small(folder, "run", {{"model_name_or_path", (folder / "model").string()}});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("vocab_size"));
}

TEST(RefusedFiles, BadDataRowsAreListedByLine) {
  const TestFolder folder;
  const fs::path data = write_text(
      folder / "rows.jsonl", "{\"instruction\": \"a\", \"output\": \"b\"}\n{\"instruction\": 3, \"output\": \"b\"}\n");
  const ProgramResult result = run_small(folder, "run", {{"dataset", data.string()}, {"max_samples", ""}});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("rows.jsonl"));
  EXPECT_THAT(result.err, HasSubstr("2"));
  EXPECT_THAT(result.err, HasSubstr("max_bad_rows"));
}

TEST(RefusedFiles, ModelAndOutputInOneAnother) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "model", {{"max_steps", "1"}, {"save_strategy", "epoch"}}).exit_code, 0);
  const std::string before = bytes_of(folder / "model/model.safetensors");
  fs::create_directory_symlink(folder / "model", folder / "link");
  const auto refusal = [&](const std::string& output, bool overwrite) {
    const ProgramResult result = run_small(folder, "run",
                                           {{"model_name_or_path", (folder / "model").string()},
                                            {"train_from_scratch", "false"},
                                            {"output_dir", output},
                                            {"overwrite_output_dir", overwrite ? "true" : "false"}});
    EXPECT_EQ(result.exit_code, 2) << result.err;
    return result.err;
  };
  EXPECT_THAT(refusal((folder / "model").string(), true), HasSubstr("is model_name_or_path"));
  EXPECT_THAT(refusal((folder / "link").string() + "/", true), HasSubstr("is model_name_or_path"));
  EXPECT_THAT(refusal((folder / "link/new").string(), true), HasSubstr("is inside model_name_or_path"));
  EXPECT_THAT(refusal(folder.path().string(), true), HasSubstr("contains model_name_or_path"));
  EXPECT_EQ(bytes_of(folder / "model/model.safetensors"), before);
  EXPECT_FALSE(fs::exists(folder / "model/new"));
}

TEST(RefusedFiles, DataThatOverwritingWouldRemove) {
  const TestFolder folder;
  const fs::path data =
      write_text(folder / "run/checkpoint-3/rows.jsonl", "{\"instruction\": \"a\", \"output\": \"b\"}\n");
  const ProgramResult result = run_small(folder, "run", {{"dataset", data.string()}, {"overwrite_output_dir", "true"}});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("overwrite_output_dir removes"));
  EXPECT_TRUE(fs::exists(data));
}

TEST(RefusedFiles, YarnWithoutFactor) {
  const TestFolder folder;
  fs::copy(FTRUN_SOURCE_DIR "/configs/demo/model", folder / "model");
  std::string config = bytes_of(folder / "model/config.json");
  config.insert(config.find('{') + 1, "\n\n\"rope_scaling\": {\"rope_type\": \"yarn\"},");
  const size_t newer = config.find("\"rope_parameters\"");
  if (newer != std::string::npos) config.replace(newer + 1, 15, "rope_unused____");
  write_text(folder / "model/config.json", config);
  const ProgramResult result = run_small(folder, "run", {{"model_name_or_path", (folder / "model").string()}});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("config.json:3: key 'rope_scaling.factor': expected a number above 0, got nothing"));
}

TEST(RefusedEnvironment, VisibleDevicesThatAreNone) {
  for (const char* value : {"x", "", "9", "3,1"}) {
    const ProgramResult result = run_ftrun({"devices"}, {{"ASCEND_RT_VISIBLE_DEVICES", value}});
    EXPECT_EQ(result.exit_code, 2) << value;
    EXPECT_THAT(result.err, HasSubstr(std::string("ASCEND_RT_VISIBLE_DEVICES='") + value +
                                      "' selects no device: expected ids from 0 to 7"));
    EXPECT_THAT(result.out, HasSubstr("cpu"));
    EXPECT_EQ(run_ftrun({"devices", "--json"}, {{"ASCEND_RT_VISIBLE_DEVICES", value}}).exit_code, 2);
  }
  const ProgramResult cut = run_ftrun({"devices"}, {{"ASCEND_RT_VISIBLE_DEVICES", "0,x"}});
  EXPECT_EQ(cut.exit_code, 0) << cut.err;
  EXPECT_THAT(cut.err, HasSubstr("ASCEND_RT_VISIBLE_DEVICES='0,x' is read as '0'"));
}

TEST(RefusedResume, AnotherPrecision) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "whole", {{"save_strategy", "steps"}, {"save_steps", "5"}}).exit_code, 0);
  const std::string checkpoint = (folder / "whole/checkpoint-5").string();
  const ProgramResult result = run_small(folder, "run", {{"resume_from_checkpoint", checkpoint}, {"bf16", "true"}});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("bf16: is true, and"));
  EXPECT_FALSE(fs::exists(folder / "run"));
}

TEST(RefusedResume, AnotherGlobalBatchNamesTheAccumulationThatRestoresIt) {
  const TestFolder folder;
  ASSERT_EQ(run_small(folder, "whole", {{"save_strategy", "steps"}, {"save_steps", "5"}}).exit_code, 0);
  const ProgramResult result = run_small(folder, "run",
                                         {{"resume_from_checkpoint", (folder / "whole/checkpoint-5").string()},
                                          {"per_device_train_batch_size", "2"},
                                          {"gradient_accumulation_steps", "2"}});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, HasSubstr("gradient_accumulation_steps: 4"));
  EXPECT_FALSE(fs::exists(folder / "run"));
}

TEST(CommandLine, UnknownSubcommandAndFlag) {
  const ProgramResult subcommand = run_ftrun({"trian"});
  EXPECT_EQ(subcommand.exit_code, 2);
  EXPECT_THAT(subcommand.err, HasSubstr("train"));
  EXPECT_EQ(run_ftrun({"--config", "/no/such/file.yaml"}).exit_code, 2);
}

}  // namespace
}  // namespace ftrun::test
