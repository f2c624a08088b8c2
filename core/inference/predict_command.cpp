// `ftrun predict`: rows are dealt to the ranks in turn, each rank keeps its batch full, the main rank writes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/generate/answer_text.h"
#include "core/inference/commands.h"
#include "core/inference/inference_model.h"
#include "core/inference/inference_setup.h"
#include "core/inference/predict_rows.h"
#include "core/inference/predictions.h"
#include "core/train/progress.h"
#include "core/train/results.h"
#include "core/train/stop_request.h"

namespace ftrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kPredictionsFile = "generated_predictions.jsonl";

void check_settings(const InferenceSetup& setup) {
  const ResolvedConfig& config = setup.config();
  for (const char* key : {"do_predict", "predict_with_generate"}) {
    if (!config.is_set(key) || config.get_bool(key)) continue;
    throw invalid_argument("{}: {}: is false: this command predicts", config.origin(key), key);
  }
  if (!config.is_set("output_dir")) {
    throw invalid_argument("output_dir: it is not set: expected the folder for {}", kPredictionsFile);
  }
  std::error_code failure;
  for (const char* name : {kPredictionsFile, "predict_results.json"}) {
    const fs::path file = setup.run.arguments.output_dir / name;
    if (!fs::exists(file, failure) || config.get_bool("overwrite_output_dir")) continue;
    throw Error(
        FTRUN_ALREADY_EXISTS,
        fmt::format("{}: output_dir: '{}' is there already: choose another folder, or set overwrite_output_dir: "
                    "true to replace it",
                    config.origin("output_dir"), file.string()));
  }
  fs::create_directories(setup.run.arguments.output_dir, failure);
  if (!fs::is_directory(setup.run.arguments.output_dir)) {
    throw invalid_argument("{}: output_dir: '{}' cannot be made a folder: {}", config.origin("output_dir"),
                           setup.run.arguments.output_dir.string(), failure.message());
  }
}

/// Answers are texts as soon as they end; a stop string ends them.
class Answers {
 public:
  Answers(const InferenceSetup& setup, size_t count) : setup_(setup), texts_(count), tokens_(count) {}

  bool token(size_t index, int32_t id) {
    AnswerText& text = open_.try_emplace(index, setup_.run.tokenizer, setup_.generation.stop_strings).first->second;
    text.feed(id);
    return !text.stopped();
  }
  void end(size_t index, const GeneratedSequence& sequence) {
    tokens_[index] = static_cast<int64_t>(sequence.ids.size());
    const auto found = open_.find(index);
    if (found == open_.end()) return;
    found->second.finish();
    texts_[index] = found->second.text();
    open_.erase(found);
  }
  json to_json() const { return {{"texts", texts_}, {"tokens", tokens_}}; }

 private:
  const InferenceSetup& setup_;
  std::map<size_t, AnswerText> open_;
  std::vector<std::string> texts_;
  std::vector<int64_t> tokens_;
};

/// Answers of this rank's rows (rank, rank + world, ...).
json answer_rows(const InferenceSetup& setup, const std::vector<PredictRow>& rows, InferenceModel& model,
                 RankLink& link) {
  GenerationRequest request = model.request();
  for (size_t i = static_cast<size_t>(link.rank()); i < rows.size(); i += static_cast<size_t>(link.world())) {
    request.prompts.emplace_back(rows[i].prompt_ids);
    request.prompt_keys.push_back(i);
  }
  request.max_sequences = static_cast<int32_t>(std::min<int64_t>(setup.run.arguments.per_device_eval_batch_size, 4096));
  Answers answers(setup, request.prompts.size());
  std::optional<Progress> progress;
  if (link.is_main()) progress.emplace("predicting", static_cast<int64_t>(request.prompts.size()));
  int64_t done = 0;
  request.on_token = [&](size_t index, int32_t id) { return answers.token(index, id); };
  request.on_end = [&](size_t index, const GeneratedSequence& sequence) {
    answers.end(index, sequence);
    if (progress) progress->advance_to(++done);
  };
  request.cancelled = [] { return stop_requested(); };
  generate(model.rank(), request);
  if (progress) progress->clear();
  return answers.to_json();
}

std::vector<Prediction> merge(const InferenceSetup& setup, const std::vector<PredictRow>& rows,
                              const std::vector<std::string>& parts) {
  std::vector<Prediction> predictions(rows.size());
  for (size_t rank = 0; rank < parts.size(); ++rank) {
    const json part = json::parse(parts[rank]);
    for (size_t i = rank, k = 0; i < rows.size(); i += parts.size(), ++k) {
      predictions[i] = {setup.run.tokenizer->decode(rows[i].prompt_ids, false), part["texts"][k].get<std::string>(),
                        rows[i].label, part["tokens"][k].get<int64_t>()};
    }
  }
  return predictions;
}

json results_of(const std::vector<Prediction>& predictions, double seconds) {
  json results = similarity_results(predictions);
  int64_t tokens = 0;
  for (const Prediction& row : predictions) tokens += row.new_tokens;
  results["predict_samples"] = predictions.size();
  results["predict_new_tokens"] = tokens;
  results["predict_runtime"] = seconds;
  results["predict_samples_per_second"] = static_cast<double>(predictions.size()) / seconds;
  results["predict_new_tokens_per_second"] = static_cast<double>(tokens) / seconds;
  return results;
}

void warn_about_positions(const std::vector<PredictRow>& rows, int64_t positions) {
  std::vector<std::string> places;
  int64_t count = 0;
  for (const PredictRow& row : rows) {
    if (positions == 0 || static_cast<int64_t>(row.prompt_ids.size()) < positions) continue;
    if (++count <= 10) places.push_back(row.place);
  }
  if (count == 0) return;
  log_warning("{} prompts fill the model's {} positions and are answered with nothing: {}{}", count, positions,
              fmt::join(places, ", "), count > 10 ? ", ..." : "");
}

/// ROUGE and BLEU are means over the rows that have something to compare with.
void report_labels(const std::vector<Prediction>& predictions) {
  const auto labelled = std::ranges::count_if(predictions, [](const Prediction& row) { return row.label.has_value(); });
  if (labelled == 0) log_info("no row has an answer of its own: there is no ROUGE and no BLEU");
  if (labelled == 0 || labelled == std::ssize(predictions)) return;
  log_info("{} of {} rows have an answer of their own: ROUGE and BLEU are those of these", labelled,
           predictions.size());
}

void report(const json& results, const fs::path& folder) {
  std::string scores;
  for (const auto& [key, value] : results.items()) {
    if (value.is_number_float())
      scores += fmt::format(", {} {:.4g}", key.substr(sizeof("predict_") - 1), value.get<double>());
  }
  log_info("{} rows{}: {}", results["predict_samples"].get<int64_t>(), scores, (folder / kPredictionsFile).string());
}

int predict(const InferenceSetup& setup, const std::vector<PredictRow>& rows, RankLink& link, bool as_json) {
  InferenceModel model(setup, link);
  const fs::path& folder = setup.run.arguments.output_dir;
  if (link.is_main()) {
    log_info("{} rows to answer with up to {} new tokens each, {} at a time; prompts by {}", rows.size(),
             setup.generation.max_new_tokens, setup.run.arguments.per_device_eval_batch_size * link.world(),
             setup.prompts->name());
    warn_about_positions(rows, model.max_positions());
  }
  const auto begin = std::chrono::steady_clock::now();
  const json own = answer_rows(setup, rows, model, link);
  const std::vector<std::string> parts = link.communicator().all_gather_text(own.dump());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  double stops = stop_requested() ? 1 : 0;
  link.communicator().sum_host(std::span(&stops, 1));
  if (stops > 0) throw Error(FTRUN_CANCELLED, "interrupted: nothing has been written");
  if (!link.is_main()) return 0;
  const std::vector<Prediction> predictions = merge(setup, rows, parts);
  const json results = results_of(predictions, seconds);
  write_predictions(folder / kPredictionsFile, predictions);
  write_results(folder, "predict", results);
  report_labels(predictions);
  report(results, folder);
  if (as_json) fmt::print("{}\n", results.dump());
  return 0;
}

}  // namespace

int predict_command(const CommandContext& context) {
  const InferenceSetup setup = prepare_inference(context, "predict");
  check_settings(setup);
  const DataSpec& data = setup.run.data;
  std::optional<HeldOutRows> held_out;
  if (holds_out_rows(setup.config())) held_out.emplace(setup.run);
  const std::vector<PredictRow> rows = read_predict_rows(data, *setup.prompts, held_out ? &*held_out : nullptr);
  const StopRequestScope stop_scope(setup.run.launched_world > 0 ? StopSignals::kLaunched : StopSignals::kOwn);
  return run_ranks(setup.run, [&](RankLink& link) { return predict(setup, rows, link, context.json); });
}

}  // namespace ftrun
