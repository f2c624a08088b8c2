// From data files to tokenised, masked, packed and split rows: the entry point of the data layer.
// Leaves out: the order of training (data_order.h) and collation into batches (the paradigm's).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/conversation_encoder.h"
#include "core/data/data_ledger.h"
#include "core/data/encoded_dataset.h"

namespace ftrun {

class TemplateEncoder;

/// Runs body(0) .. body(count - 1), in any order and on any threads, and returns when all are done. The first exception
/// of a body leaves the call.
using ParallelFor = std::function<void(int64_t count, const std::function<void(int64_t)>& body)>;

/// Names and defaults are LLaMA-Factory's where it has them.
struct DataSpec {
  RowKind kind = RowKind::kSupervised;
  /// Each a name in dataset_dir/dataset_info.json, or a path to a .json or .jsonl file (plain text: also .txt).
  /// Concatenated in this order.
  std::vector<std::string> datasets;
  std::vector<std::string> eval_datasets;  ///< excludes val_size
  std::filesystem::path dataset_dir = "data";
  std::string template_name;     ///< "": the tokenizer's own chat_template
  bool is_own_template = false;  ///< template_name is what template_detection.h found for the tokenizer
  std::vector<std::filesystem::path> template_search_path;
  int32_t cutoff_len = 2048;
  bool train_on_prompt = false;
  bool mask_history = false;
  /// Rows are packed into at most cutoff_len tokens (LLaMA-Factory packs into cutoff_len - 1 and pads). Position ids
  /// restart per document; attention does not, unless neat_packing. Plain texts are laid end to end instead and cut
  /// into rows of cutoff_len tokens, through which positions and attention run. Not for pairs and labelled rows.
  bool packing = false;
  bool neat_packing = false;           ///< implies packing; block-diagonal attention
  std::optional<bool> add_bos;         ///< plain texts: begin with BOS; unset: as the tokenizer's add_bos_token says
  std::optional<int64_t> max_samples;  ///< of each dataset, the first ones
  double val_size = 0;                 ///< whole, >= 1: source rows; in (0, 1): share of them, rounded up
  uint64_t seed = 42;                  ///< of the val_size split
  std::optional<bool> enable_thinking = true;
  bool preserve_thinking = false;
  std::optional<std::string> default_system;
  int64_t max_bad_rows = 0;
  std::filesystem::path cache_dir;  ///< empty: $XDG_CACHE_HOME/ftrun or ~/.cache/ftrun
  bool overwrite_cache = false;
  /// Where keys of the configuration stand ("FILE:LINE" or "--key"), for messages; keys that are not in it have no
  /// place.
  std::map<std::string, std::string, std::less<>> origins;

  /// "FILE:LINE: KEY", or the key alone: how a message about a setting begins.
  std::string place_of(std::string_view key) const;
};

struct PreparedData {
  std::shared_ptr<const EncodedDataset> train;  ///< null when spec.datasets is empty
  std::shared_ptr<const EncodedDataset> eval;   ///< null without val_size and eval_datasets
  std::shared_ptr<const ConversationEncoder> encoder;
  DataLedger ledger;
};

/// Reads, checks, tokenises, masks, splits and packs; or maps the result of an earlier identical call from the cache.
/// The result does not depend on parallel_for. [control-thread]
/// Throws INVALID_ARGUMENT / NOT_FOUND naming file, line and what was expected: missing file, malformed JSON, unknown
/// dataset or template, more than max_bad_rows bad rows, an empty dataset, no supervised token at all.
PreparedData prepare_data(const DataSpec& spec, std::shared_ptr<const Tokenizer> tokenizer,
                          const ParallelFor& parallel_for);

/// The template of the spec, or the tokenizer's own, bound to the tokenizer. Throws INVALID_ARGUMENT naming the
/// setting.
std::shared_ptr<const ConversationEncoder> make_conversation_encoder(const DataSpec& spec,
                                                                     std::shared_ptr<const Tokenizer> tokenizer);

/// The same of a spec that names a template.
std::shared_ptr<const TemplateEncoder> make_template_encoder(const DataSpec& spec,
                                                             std::shared_ptr<const Tokenizer> tokenizer);

/// The cache folder that `spec` selects.
std::filesystem::path data_cache_dir(const DataSpec& spec);

}  // namespace ftrun
