// Checks of the output folder, its lock, and the checkpoint to continue from.
#include "core/train/output_claim.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/data/data_source.h"
#include "core/train/input_folders.h"
#include "core/train/optimizer_shards.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

bool is_empty_or_missing(const fs::path& folder) {
  std::error_code ignored;
  return !fs::exists(folder, ignored) || fs::is_empty(folder, ignored);
}

// The newest checkpoint of output_dir that is whole. Reads every byte of it.
fs::path find_newest_checkpoint(const TrainingArguments& arguments, const std::string& origin,
                                std::vector<Checkpoint>& damaged) {
  std::vector<Checkpoint> checkpoints = list_checkpoints(arguments.output_dir);
  std::string reasons;
  for (auto each = checkpoints.rbegin(); each != checkpoints.rend(); ++each) {
    const std::string reason = incomplete_reason(each->path);
    const bool is_whole = reason.empty();
    if (is_whole && has_optimizer_state(each->path)) return each->path;
    const std::string why = is_whole ? "it has no optimizer state (was save_only_model on?)" : reason;
    log_warning("'{}' is {} resumed from: {}", each->path.string(), is_whole ? "not" : "damaged and not", why);
    reasons += fmt::format("; '{}': {}", each->path.filename().string(), why);
    if (!is_whole) damaged.push_back(*each);
  }
  throw not_found("{}: resume_from_checkpoint: '{}' has no complete checkpoint-N folder to continue from{}", origin,
                  arguments.output_dir.string(), reasons);
}

std::optional<fs::path> find_resume_checkpoint(const TrainingArguments& arguments, const ResolvedConfig& config,
                                               std::vector<Checkpoint>& damaged) {
  if (!arguments.resume_from_checkpoint) return {};
  const std::string& wanted = *arguments.resume_from_checkpoint;
  const std::string& origin = config.origin("resume_from_checkpoint");
  if (wanted == "true" || wanted == "True") {
    return find_newest_checkpoint(arguments, origin, damaged);
  }
  if (!fs::is_directory(wanted)) {
    throw not_found("{}: resume_from_checkpoint: '{}' is not a folder: expected true or the path of a checkpoint",
                    origin, wanted);
  }
  if (const std::string reason = incomplete_reason(wanted); !reason.empty()) {
    throw invalid_argument("{}: resume_from_checkpoint: '{}' is not a complete checkpoint: {}", origin, wanted, reason);
  }
  if (!has_optimizer_state(wanted)) {
    throw invalid_argument(
        "{}: resume_from_checkpoint: '{}' has no optimizer state (was save_only_model on?): it cannot be "
        "resumed; use it as model_name_or_path instead",
        origin, wanted);
  }
  return fs::path(wanted);
}

// Does a run that overwrites its folder remove or replace this file of it?
bool is_replaced(const fs::path& way) {
  static constexpr std::array kOwnFiles = {"all_results.json",      "train_results.json", "eval_results.json",
                                           "trainer_state.json",    "trainer_log.jsonl",  "config.json",
                                           "generation_config.json"};
  const std::string first = way.begin()->string();
  return first == "." || first.starts_with("checkpoint-") ||
         std::find(kOwnFiles.begin(), kOwnFiles.end(), way.string()) != kOwnFiles.end();
}

// What is read must not be what is written: neither a folder of a model or adapter nor data that an overwriting run
// removes.
void check_sources_outside(const RunSetup& setup) {
  const TrainingArguments& a = setup.arguments;
  const ResolvedConfig& config = setup.config();
  require_inputs_apart(config, "output_dir", a.output_dir, a.overwrite_output_dir);
  if (!a.overwrite_output_dir) return;
  for (const auto* values : {&setup.data.datasets, &setup.data.eval_datasets}) {
    for (const std::string& value : *values) {
      for (const fs::path& file : data_source_files(value, setup.data.dataset_dir)) {
        const auto way = path_inside(file, a.output_dir);
        if (!way || !is_replaced(*way)) continue;
        throw invalid_argument(
            "{}: output_dir: '{}' holds '{}' of data set '{}' where overwrite_output_dir removes or replaces files: "
            "move it",
            config.origin("output_dir"), a.output_dir.string(), way->string(), value);
      }
    }
  }
}

void check_output_dir(const TrainingArguments& arguments, const ResolvedConfig& config) {
  const fs::path& folder = arguments.output_dir;
  if (fs::exists(folder) && !fs::is_directory(folder)) {
    throw invalid_argument("{}: output_dir: '{}' is a file", config.origin("output_dir"), folder.string());
  }
  fs::path existing = fs::absolute(folder);
  std::error_code ignored;
  while (!fs::exists(existing, ignored) && existing.has_relative_path()) existing = existing.parent_path();
  if (!fs::is_directory(existing, ignored) || ::access(existing.c_str(), W_OK) != 0) {
    throw invalid_argument("{}: output_dir: '{}' cannot be made: '{}' is not a folder one may write to",
                           config.origin("output_dir"), folder.string(), existing.string());
  }
  require_usable_output_dir(arguments, config);
}

OutputClaim claim_here(const RunSetup& setup) {
  const ResolvedConfig& config = setup.config();
  OutputClaim claim;
  check_output_dir(setup.arguments, config);
  if (fs::exists(setup.arguments.output_dir)) claim.lock = lock_output_dir(setup.arguments, config);
  check_sources_outside(setup);
  claim.resume_from = find_resume_checkpoint(setup.arguments, config, claim.damaged);
  return claim;
}

}  // namespace

void require_usable_output_dir(const TrainingArguments& arguments, const ResolvedConfig& config) {
  const fs::path& folder = arguments.output_dir;
  if (arguments.resume_from_checkpoint || arguments.overwrite_output_dir || is_empty_or_missing(folder)) return;
  throw Error(
      FTRUN_ALREADY_EXISTS,
      fmt::format("{}: output_dir: '{}' is not empty: set overwrite_output_dir: true, resume_from_checkpoint: true, or "
                  "another output_dir",
                  config.origin("output_dir"), folder.string()));
}

FolderLock lock_output_dir(const TrainingArguments& arguments, const ResolvedConfig& config) {
  if (auto lock = FolderLock::try_lock(arguments.output_dir)) return std::move(*lock);
  throw Error(FTRUN_ALREADY_EXISTS,
              fmt::format("{}: output_dir: '{}' is in use by another run that is still alive: wait for it, or choose "
                          "another folder",
                          config.origin("output_dir"), arguments.output_dir.string()));
}

OutputClaim claim_output(const RunSetup& setup, Communicator& communicator) {
  OutputClaim claim;
  if (communicator.is_main()) claim = claim_here(setup);
  if (communicator.world() == 1) return claim;
  const std::string mine = claim.resume_from ? claim.resume_from->string() : std::string();
  const std::string of_main = communicator.all_gather_text(mine).front();
  if (of_main.empty()) return claim;
  claim.resume_from = of_main;
  if (!fs::is_directory(of_main)) {
    throw not_found(
        "the checkpoint '{}' is not visible here: output_dir must be on a file system that all machines share",
        of_main);
  }
  return claim;
}

}  // namespace ftrun
