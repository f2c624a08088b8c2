// `ftrun predict`: files, scores, the same answers for any batch and number of ranks, refusals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/data/dataset.h"
#include "core/data/tokenizer/tokenizer.h"
#include "tests/e2e/program.h"
#include "tests/e2e/trained_model.h"

namespace ftrun::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

std::vector<std::string> predict_arguments(const fs::path& output, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"predict",   "--model",       trained_model().string(), "--eval_dataset",
                                        "demo_eval", "--dataset_dir", "configs/demo",           "--max_samples",
                                        "24",        "--output_dir",  output.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::vector<json> lines_of(const fs::path& file) {
  std::vector<json> lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

TEST(Predict, WritesPredictionsAndScores) {
  const TestFolder folder;
  const ProgramResult result = run_ftrun(predict_arguments(folder / "out", {"--json"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::vector<json> lines = lines_of(folder / "out/generated_predictions.jsonl");
  const std::vector<json> rows = lines_of(FTRUN_SOURCE_DIR "/configs/demo/eval.jsonl");
  ASSERT_EQ(lines.size(), 24U);
  int alike = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].size(), 3U);
    EXPECT_EQ(lines[i].at("label"), rows[i].at("output"));
    EXPECT_THAT(lines[i].at("prompt").get<std::string>(), HasSubstr(rows[i].at("instruction").get<std::string>()));
    EXPECT_THAT(lines[i].at("prompt").get<std::string>(), testing::EndsWith("<|im_start|>assistant\n"));
    EXPECT_THAT(lines[i].at("predict").get<std::string>(), testing::Not(HasSubstr("<|im_end|>")));
    alike += lines[i].at("predict") == lines[i].at("label") ? 1 : 0;
  }
  const json results = json::parse(bytes_of(folder / "out/predict_results.json"));
  EXPECT_EQ(json::parse(result.out), results);
  for (const char* key : {"predict_rouge-1", "predict_rouge-2", "predict_rouge-l", "predict_bleu-4"}) {
    EXPECT_GE(results.at(key).get<double>(), 100.0 * alike / 24 * (std::string(key) == "predict_rouge-1" ? 0.99 : 0))
        << key;
    EXPECT_LE(results.at(key).get<double>(), 100.0) << key;
  }
  EXPECT_GT(results.at("predict_rouge-1").get<double>(), 0) << "some answer has a word of its label";
  EXPECT_EQ(results.at("predict_samples"), 24);
  EXPECT_NEAR(results.at("predict_samples_per_second").get<double>() * results.at("predict_runtime").get<double>(), 24,
              1e-6);
  EXPECT_EQ(json::parse(bytes_of(folder / "out/all_results.json")), results);
}

TEST(Predict, AnswersDependNeitherOnTheBatchNorOnTheRanks) {
  const TestFolder folder;
  const std::vector<std::string> sampled = {"--do_sample", "true", "--temperature", "2", "--repetition_penalty", "1.2"};
  const std::vector<std::vector<std::string>> variants = {{"--per_device_eval_batch_size", "1"},
                                                          {"--per_device_eval_batch_size", "24"},
                                                          {"--nproc", "2", "--strategy", "ddp"},
                                                          {"--nproc", "3", "--strategy", "zero3"}};
  std::string first;
  for (size_t i = 0; i < variants.size(); ++i) {
    const fs::path output = folder / std::to_string(i);
    std::vector<std::string> more = sampled;
    more.insert(more.end(), variants[i].begin(), variants[i].end());
    const ProgramResult result = run_ftrun(predict_arguments(output, more));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const std::string bytes = bytes_of(output / "generated_predictions.jsonl");
    if (first.empty()) first = bytes;
    EXPECT_EQ(bytes, first) << variants[i][0] << " " << variants[i][1];
  }
}

TEST(Predict, SettingsWinOverTheModelsGenerationConfig) {
  const TestFolder folder;
  const auto tokens = [&](const std::string& name, const std::vector<std::string>& more) {
    const ProgramResult result = run_ftrun(predict_arguments(folder / name, more));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr(more.empty() ? "up to 16 new tokens" : "up to 2 new tokens"));
    return json::parse(bytes_of(folder / name / "predict_results.json")).at("predict_new_tokens").get<int>();
  };
  EXPECT_LE(tokens("own", {"--max_new_tokens", "2"}), 48);
  EXPECT_GT(tokens("file", {}), 48) << "generation_config.json says 16";
}

TEST(Predict, RowsWithoutAnswersAreAnsweredAndNotScored) {
  const TestFolder folder;
  const fs::path data =
      write_text(folder / "questions.jsonl",
                 "{\"instruction\": \"Add 12 and 30.\"}\n{\"instruction\": \"Add 1 and 3.\", \"output\": \"\"}\n");
  const fs::path chats = write_text(
      folder / "chats.jsonl",
      "{\"messages\": [{\"role\": \"user\", \"content\": \"Add 12 and 30.\"}]}\n"
      "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Hi.\"}, "
      "{\"role\": \"user\", \"content\": \"Add 1 and 3.\"}]}\n");
  for (const fs::path& file : {data, chats}) {
    const fs::path output = folder / file.stem().string();
    const ProgramResult result = run_ftrun(
        {"predict", "--model", trained_model().string(), "--dataset", file.string(), "--output_dir", output.string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const std::vector<json> lines = lines_of(output / "generated_predictions.jsonl");
    ASSERT_EQ(lines.size(), 2U);
    for (const json& line : lines) EXPECT_EQ(line.at("label"), "");
    EXPECT_NE(lines[0].at("predict"), "");
    EXPECT_FALSE(json::parse(bytes_of(output / "predict_results.json")).contains("predict_rouge-1"));
    EXPECT_THAT(result.err, HasSubstr("no row has an answer of its own: there is no ROUGE and no BLEU"));
  }
}

TEST(Predict, DataSetsOfEveryKindAreAnswered) {
  const TestFolder folder;
  write_text(folder / "rows.jsonl",
             "{\"instruction\": \"Add 12 and 30.\", \"chosen\": \"42\", \"rejected\": \"41\", \"output\": \"42\", "
             "\"good\": true}\n{\"instruction\": \"Add 1 and 3.\", \"chosen\": \"4\", \"rejected\": \"5\", "
             "\"output\": \"5\", \"good\": false}\n");
  write_text(folder / "lines.txt", "Add 12 and 30.\nAdd 1 and 3.\n");
  write_text(folder / "dataset_info.json", R"({
    "prompts": {"file_name": "rows.jsonl", "columns": {"prompt": "instruction"}},
    "pairs": {"file_name": "rows.jsonl", "ranking": true,
              "columns": {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"}},
    "judged": {"file_name": "rows.jsonl",
               "columns": {"prompt": "instruction", "response": "output", "kto_tag": "good"}},
    "text": {"file_name": "lines.txt", "columns": {"prompt": "text"}}
  })");
  const struct {
    const char* name;
    std::vector<std::string> labels;
    const char* said;
  } cases[] = {{"prompts", {"", ""}, "no row has an answer of its own"},
               {"pairs", {"42", "4"}, "rouge-1"},
               {"judged", {"42", ""}, "1 of 2 rows have an answer of their own"},
               {"text", {"", ""}, "no row has an answer of its own"}};
  std::string answers;
  for (const auto& one : cases) {
    const ProgramResult result =
        run_ftrun({"predict", "--model", trained_model().string(), "--eval_dataset", one.name, "--dataset_dir",
                   (folder / "").string(), "--output_dir", (folder / one.name).string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr(one.said));
    std::string its_answers;
    const std::vector<json> lines = lines_of(folder / one.name / "generated_predictions.jsonl");
    ASSERT_EQ(lines.size(), 2U);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(lines[i].at("label"), one.labels[i]) << one.name;
      its_answers += lines[i].at("prompt").get<std::string>() + lines[i].at("predict").get<std::string>();
    }
    if (answers.empty()) answers = its_answers;
    EXPECT_EQ(its_answers, answers) << one.name;
    EXPECT_EQ(json::parse(bytes_of(folder / one.name / "predict_results.json")).contains("predict_rouge-1"),
              one.labels[0] != "");
  }
}

TEST(Predict, ATrainingFileServesAsItIs) {
  const TestFolder folder;
  const fs::path config = write_text(
      folder / "train.yaml",
      small_config(folder / "out", {{"eval_dataset", "demo_eval"}, {"max_samples", "5"}, {"do_predict", "true"}}));
  const ProgramResult result = run_ftrun({"predict", "--config", config.string(), "--model", trained_model().string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("prompts by template 'chatml'"));
  EXPECT_EQ(lines_of(folder / "out/generated_predictions.jsonl").size(), 5U);
}

/// Places of the rows that training with small_config's data keys and this split holds out.
std::vector<int64_t> held_out_lines(const std::string& val_size, int64_t max_samples) {
  DataSpec spec;
  spec.datasets = {"demo_train"};
  spec.dataset_dir = FTRUN_SOURCE_DIR "/configs/demo";
  spec.template_name = "chatml";
  spec.template_search_path = {FTRUN_SOURCE_DIR "/configs/templates"};
  spec.cutoff_len = 128;
  spec.max_samples = max_samples;
  spec.val_size = std::stod(val_size);
  spec.seed = 7;
  const TestFolder cache;
  spec.cache_dir = cache.path();
  const auto serially = [](int64_t count, const std::function<void(int64_t)>& body) {
    for (int64_t i = 0; i < count; ++i) body(i);
  };
  const auto tokenizer = Tokenizer::load(FTRUN_SOURCE_DIR "/configs/demo/model");
  const PreparedData prepared = prepare_data(spec, tokenizer, serially);
  std::vector<int64_t> lines;
  for (const DocumentRecord& record : prepared.eval->document_records()) lines.push_back(record.line);
  return lines;
}

TEST(Predict, TheRowsThatTrainingHeldOutAreAnswered) {
  const TestFolder folder;
  const fs::path config =
      write_text(folder / "run.yaml", small_config(folder / "out", {{"val_size", "0.25"}, {"max_samples", "40"}}));
  const ProgramResult result = run_ftrun({"predict", "--config", config.string(), "--model", trained_model().string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::vector<json> lines = lines_of(folder / "out/generated_predictions.jsonl");
  const std::vector<json> rows = lines_of(FTRUN_SOURCE_DIR "/configs/demo/train.jsonl");
  const std::vector<int64_t> expected = held_out_lines("0.25", 40);
  ASSERT_EQ(lines.size(), 10U);
  ASSERT_EQ(expected.size(), 10U);
  for (size_t i = 0; i < lines.size(); ++i) {
    const json& row = rows.at(static_cast<size_t>(expected[i] - 1));
    EXPECT_EQ(lines[i].at("label"), row.at("output"));
    EXPECT_THAT(lines[i].at("prompt").get<std::string>(), HasSubstr(row.at("instruction").get<std::string>()));
  }
}

TEST(Predict, AnAdapterAnswersAsTheModelItIsMergedInto) {
  const TestFolder folder;
  const std::string base = trained_model().string();
  const ProgramResult trained = run_small(folder, "adapter",
                                          {{"model_name_or_path", base},
                                           {"train_from_scratch", ""},
                                           {"finetuning_type", "lora"},
                                           {"learning_rate", "2.0e-2"}});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const std::string adapter = (folder / "adapter").string();
  const ProgramResult exported = run_ftrun(
      {"export", "--model", base, "--adapter_name_or_path", adapter, "--export_dir", (folder / "merged").string()});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  const auto answers = [&](const std::string& name, const std::vector<std::string>& model) {
    std::vector<std::string> arguments = {
        "predict",      "--eval_dataset",        "demo_eval", "--dataset_dir", "configs/demo", "--max_samples", "12",
        "--output_dir", (folder / name).string()};
    arguments.insert(arguments.end(), model.begin(), model.end());
    const ProgramResult result = run_ftrun(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const ProgramResult again = run_ftrun(arguments);
    EXPECT_EQ(again.exit_code, 2);
    EXPECT_THAT(again.err, HasSubstr("generated_predictions.jsonl' is there already"));
    return bytes_of(folder / name / "generated_predictions.jsonl");
  };
  const std::string with_adapter = answers("a", {"--model", base, "--adapter_name_or_path", adapter});
  EXPECT_EQ(answers("m", {"--model", (folder / "merged").string()}), with_adapter);
  EXPECT_EQ(answers("f", {"--model", adapter}), with_adapter) << "its base is named in adapter_config.json";
  const ProgramResult both = run_ftrun(
      {"export", "--model", adapter, "--adapter_name_or_path", adapter, "--export_dir", (folder / "both").string()});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("is the folder of an adapter, and adapter_name_or_path (--adapter_name_or_path) is"));
  const ProgramResult chatted = pipe_into_ftrun("Add 12 and 30.\n", {"chat", "--model", adapter});
  EXPECT_EQ(chatted.exit_code, 0) << chatted.err;
  EXPECT_THAT(chatted.err, HasSubstr("is an adapter: the model is its base, '" + base));
  const ProgramResult exported_by_folder =
      run_ftrun({"export", "--model", adapter, "--export_dir", (folder / "merged2").string()});
  EXPECT_EQ(exported_by_folder.exit_code, 0) << exported_by_folder.err;
  EXPECT_EQ(bytes_of(folder / "merged2/model.safetensors"), bytes_of(folder / "merged/model.safetensors"));
  const ProgramResult retrained = run_small(folder, "again", {{"model_name_or_path", adapter}});
  EXPECT_EQ(retrained.exit_code, 2);
  EXPECT_THAT(retrained.err, HasSubstr("is the folder of an adapter, which finetuning_type 'full' ("));
  fs::copy(adapter, folder / "orphan");
  std::string text = bytes_of(folder / "orphan/adapter_config.json");
  text.replace(text.find(base), base.size(), "/no/such");
  write_text(folder / "orphan/adapter_config.json", text);
  const ProgramResult orphan = run_ftrun({"chat", "--model", (folder / "orphan").string()});
  EXPECT_EQ(orphan.exit_code, 2);
  EXPECT_THAT(orphan.err, HasSubstr("whose base '/no/such' is no model folder here: give model_name_or_path: BASE"));
  EXPECT_NE(answers("b", {"--model", base}), with_adapter);
}

TEST(Predict, AsksAsTheSavedTemplateDoesUnlessToldOtherwise) {
  const TestFolder folder;
  fs::copy(FTRUN_SOURCE_DIR "/configs/demo/model", folder / "model", fs::copy_options::recursive);
  json tokenizer = json::parse(bytes_of(folder / "model/tokenizer_config.json"));
  tokenizer.erase("chat_template");
  write_text(folder / "model/tokenizer_config.json", tokenizer.dump());
  for (const char* thinking : {"false", "null"}) {
    const ProgramResult trained = run_small(folder, "out",
                                            {{"model_name_or_path", (folder / "model").string()},
                                             {"template", "qwen3"},
                                             {"enable_thinking", thinking},
                                             {"max_steps", "1"},
                                             {"overwrite_output_dir", "true"}});
    ASSERT_EQ(trained.exit_code, 0) << trained.all();
    const auto prompt = [&](const std::vector<std::string>& more) {
      std::vector<std::string> arguments = predict_arguments(folder / "answers", {"--overwrite_output_dir", "true"});
      arguments[2] = (folder / "out").string();
      arguments.insert(arguments.end(), {"--max_new_tokens", "1"});
      arguments.insert(arguments.end(), more.begin(), more.end());
      const ProgramResult asked = run_ftrun(arguments);
      EXPECT_EQ(asked.exit_code, 0) << asked.err;
      return lines_of(folder / "answers/generated_predictions.jsonl").front().at("prompt").get<std::string>();
    };
    EXPECT_THAT(prompt({}), testing::EndsWith("<|im_start|>assistant\n<think>\n\n</think>\n\n")) << thinking;
    EXPECT_THAT(prompt({"--enable_thinking", "true"}), testing::EndsWith("<|im_start|>assistant\n")) << thinking;
  }
}

TEST(Predict, PromptsThatFillTheModelAreAnsweredWithNothing) {
  const TestFolder folder;
  std::string longest;
  for (int i = 0; i < 400; ++i) longest += "12 ";
  const fs::path data =
      write_text(folder / "long.jsonl", "{\"instruction\": \"" + longest + "\", \"output\": \"1\"}\n" +
                                            "{\"instruction\": \"Add 1 and 3.\", \"output\": \"4\"}\n");
  const ProgramResult result = run_ftrun({"predict", "--model", trained_model().string(), "--dataset", data.string(),
                                          "--output_dir", (folder / "out").string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("1 prompts fill the model's 256 positions"));
  EXPECT_THAT(result.err, HasSubstr("long.jsonl:1"));
  const std::vector<json> lines = lines_of(folder / "out/generated_predictions.jsonl");
  EXPECT_EQ(lines[0].at("predict"), "");
  EXPECT_NE(lines[1].at("predict"), "");
}

TEST(Predict, RefusesWhatCannotWork) {
  const TestFolder folder;
  const fs::path bad = write_text(folder / "bad.jsonl",
                                  "{\"instruction\": \"Add 1 and 3.\", \"output\": \"4\"}\n{\"instruction\": 5}\n");
  const std::string model = trained_model().string();
  const std::string out = (folder / "out").string();
  const struct {
    std::vector<std::string> arguments;
    std::string message;
  } cases[] = {{{"predict", "--model", model, "--output_dir", out}, "eval_dataset: it is not set, nor is dataset"},
               {{"predict", "--model", model, "--dataset", bad.string()}, "output_dir: it is not set"},
               {{"predict", "--model", model, "--dataset", bad.string(), "--output_dir", out}, "bad.jsonl:2: "},
               {{"predict", "--model", model, "--dataset", "demo_pairs_train", "--dataset_dir", "configs/demo",
                 "--stage", "dpo", "--output_dir", out, "--val_size", "0.1"},
                "--val_size: stage 'dpo' holds out pairwise rows"},
               {{"predict", "--model", model, "--dataset", bad.string(), "--output_dir", out, "--do_predict", "false"},
                "--do_predict: is false: this command predicts"},
               {predict_arguments(out, {"--temperature", "0"}), "--temperature: expected"},
               {predict_arguments(out, {"--learning_rate", "3"}), "--learning_rate: 'predict' has no use for it"},
               {predict_arguments(out, {"--per_device_train_batch_size", "3"}),
                "no use for it (did you mean 'per_device_eval_batch_size'?)"},
               {predict_arguments(out, {"--stage", "dpo", "--pref_beta", "3"}), "--pref_beta: 'predict' has no use"},
               {predict_arguments(out, {"--cutoff_len", "64"}), "--cutoff_len: 'predict' has no use for it"},
               {predict_arguments(out, {"--nproc", "2"}), "single"}};
  for (const auto& one : cases) {
    const ProgramResult result = run_ftrun(one.arguments);
    EXPECT_EQ(result.exit_code, 2) << one.message << "\n" << result.all();
    EXPECT_THAT(result.err, HasSubstr(one.message));
    EXPECT_FALSE(fs::exists(folder / "out/generated_predictions.jsonl"));
  }
}

TEST(Predict, TrainingRefusesItsKeys) {
  const TestFolder folder;
  const ProgramResult result =
      run_small(folder, "run", {{"do_predict", "true"}, {"temperature", "0.5"}, {"stop", "[x]"}});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("do_predict: is true: batch generation is a command of its own: ftrun predict"));
  EXPECT_THAT(result.err, HasSubstr("temperature: is not used by training"));
  EXPECT_THAT(result.err, HasSubstr("stop: is not used by training"));
}

}  // namespace
}  // namespace ftrun::test
