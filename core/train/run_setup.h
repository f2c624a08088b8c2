// Everything a run is made from, validated, before anything is allocated or written.
// Leaves out: devices and weights (run.h), commands (commands.h).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "core/config/command_context.h"
#include "core/data/dataset.h"
#include "core/data/saved_template.h"
#include "core/data/tokenizer/tokenizer.h"
#include "core/io/generation_config.h"
#include "core/io/hf_config.h"
#include "core/plugin/host_table.h"
#include "core/plugin/open_plugins.h"
#include "core/train/training_arguments.h"

namespace ftrun {

/// Movable; outlives what is built from it. Heavy parts (weights, data) are only checked for existence.
struct RunSetup {
  std::unique_ptr<Registry> registry;
  std::unique_ptr<OpenedPlugins> plugins;
  TrainingArguments arguments;
  ModelConfig model;
  GenerationConfig generation;
  std::shared_ptr<const Tokenizer> tokenizer;
  DataSpec data;
  /// What the saved tokenizer says after training with the template.
  SavedTemplate saved_template;
  /// Ranks that this process starts.
  int32_t nproc = 1;
  /// Size of the world that a launcher (mpirun) made this process a rank of; 0: none.
  int32_t launched_world = 0;

  const ResolvedConfig& config() const { return plugins->config; }
};

/// Resolves the configuration and reads the small files of the model folder. Throws with file, line and key for
/// everything that can be known now without looking at output_dir (output_claim.h); `writes`: output_dir must be set.
/// [control-thread]
RunSetup prepare_setup(const CommandContext& context, bool writes = true);

// Parts of prepare_setup that setups without training share. Each throws with file, line and key.

/// The tokenizer's ids are rows of the embedding.
void check_vocabulary(const RunSetup& setup);
/// A named network is the one that config.json says the folder is.
void check_network(const RunSetup& setup);
/// `nproc`, or the world that a launcher made; then the ranks' threads.
void set_ranks(RunSetup& setup);
DataSpec read_data_spec(const ResolvedConfig& config);
/// For conversations by the tokenizer's own chat_template: where that has a default of its own for enable_thinking and
/// the configuration does not give the key, it is left unset, and a line says so.
void leave_thinking_to_template(DataSpec& spec, const ResolvedConfig& config, const TokenizerConfig& tokenizer);

/// Folders with chat templates: the configured one, then the one beside the executable (the build tree has the
/// install's layout).
std::vector<std::filesystem::path> template_search_path(const ResolvedConfig& config);

/// The host services given to every plugin of a run.
HostServices host_services();

}  // namespace ftrun
