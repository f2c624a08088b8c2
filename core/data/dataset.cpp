// Cache first; otherwise resolve, tokenise, check, split, pack, store, map.
#include "core/data/dataset.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <system_error>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/data/encoded_cache.h"
#include "core/data/jinja_encoder.h"
#include "core/data/permutation.h"
#include "core/data/plain_encoder.h"
#include "core/data/preference_encoder.h"
#include "core/data/row_pipeline.h"
#include "core/data/row_reader.h"
#include "core/data/supervised_encoder.h"
#include "core/data/template_encoder.h"

namespace ftrun {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSplitStream = 0x53504C4954ULL;  // "SPLIT": no epoch reaches it
constexpr size_t kListedBadRows = 10;

struct Sources {
  std::vector<DataSource> train, eval;
};

bool packs(const DataSpec& spec) { return spec.packing || spec.neat_packing; }

void check_spec(const DataSpec& spec, const ConversationEncoder& encoder) {
  if (spec.datasets.empty() && spec.eval_datasets.empty())
    throw invalid_argument("{}: expected at least one data set, a name of dataset_info.json or a file",
                           spec.place_of("dataset"));
  if (spec.val_size > 0 && !spec.eval_datasets.empty())
    throw invalid_argument("{}: it and eval_dataset exclude each other: give one of them", spec.place_of("val_size"));
  const bool is_count = spec.val_size >= 1;
  if (!(spec.val_size >= 0) || (is_count && spec.val_size != std::floor(spec.val_size)))
    throw invalid_argument("{}: expected a share of the rows below 1, or a whole number of rows, got {}",
                           spec.place_of("val_size"), spec.val_size);
  if (spec.cutoff_len < 2)
    throw invalid_argument("{}: {} leaves nothing to predict: expected at least 2", spec.place_of("cutoff_len"),
                           spec.cutoff_len);
  if (spec.max_samples && *spec.max_samples < 1)
    throw invalid_argument("{}: {} selects no rows: expected at least 1", spec.place_of("max_samples"),
                           *spec.max_samples);
  if (packs(spec) && (spec.kind == RowKind::kPairwise || spec.kind == RowKind::kLabelled))
    throw invalid_argument("{}: {} are not packed", spec.place_of("packing"), row_kind_text(spec.kind));
  if (spec.train_on_prompt && spec.mask_history)
    throw invalid_argument("train_on_prompt and mask_history exclude each other: give one of them");
  if (spec.train_on_prompt && encoder.ends_once())
    throw invalid_argument("{}: {} writes one end token per conversation and cannot train_on_prompt",
                           spec.place_of("template"), encoder.name());
}

std::vector<DataSource> resolve_all(const DataSpec& spec, const char* key, const std::vector<std::string>& values) {
  std::vector<DataSource> sources;
  for (const std::string& value : values) {
    sources.push_back(resolve_data_source(value, spec.dataset_dir, spec.place_of(key), spec.kind));
  }
  return sources;
}

std::string describe_columns(const ColumnMap& columns) {
  std::string text;
  for (const auto& [key, column] : columns) text += fmt::format("{}={};", key, column);
  return text;
}

/// Everything that decides the rows, their order or the ledger, and nothing else.
CacheKey key_of(const DataSpec& spec, const Sources& sources, const ConversationEncoder& encoder) {
  std::string text =
      fmt::format("version {} encoder {:x} cutoff {} prompt {} history {} packing {} neat {} samples {}", kCacheVersion,
                  encoder.fingerprint(), spec.cutoff_len, spec.train_on_prompt, spec.mask_history,
                  spec.packing || spec.neat_packing, spec.neat_packing, spec.max_samples.value_or(-1));
  text += fmt::format(" split {} {}\n", spec.val_size, spec.val_size > 0 ? spec.seed : 0);
  text += fmt::format("{} bos {}\n", row_kind_name(spec.kind), spec.add_bos ? static_cast<int>(*spec.add_bos) : 2);
  for (const auto* group : {&sources.train, &sources.eval}) {
    for (const DataSource& source : *group) {
      text += fmt::format("{}\n{}\n{}\n{}\n", source.name, source.format, describe_columns(source.columns),
                          describe_columns(source.tags));
      for (const fs::path& file : source.files) {
        const MappedFile content(file);
        text += fmt::format("{} {} {:x} {:x}\n", file.string(), content.bytes().size(),
                            content_hash(content.bytes(), 1), content_hash(content.bytes(), 2));
      }
    }
    text += "--\n";
  }
  return {content_hash(text, 1), content_hash(text, 2)};
}

void check_bad_rows(const DataLedger& ledger, const DataSpec& spec) {
  if (ledger.bad.count <= spec.max_bad_rows) return;
  std::string list;
  const size_t shown = std::min(kListedBadRows, ledger.bad.marks.size());
  for (size_t i = 0; i < shown; ++i) {
    const RowMark& mark = ledger.bad.marks[i];
    list += fmt::format("\n  {}: {}", row_place(ledger.files[static_cast<size_t>(mark.file)], mark.line, mark.element),
                        mark.reason);
  }
  if (ledger.bad.count > static_cast<int64_t>(shown))
    list += fmt::format("\n  and {} more", ledger.bad.count - static_cast<int64_t>(shown));
  throw invalid_argument("{}: {} of {} rows do not fit their data format (max_bad_rows: {}):{}",
                         spec.place_of("dataset"), ledger.bad.count, ledger.rows_read, spec.max_bad_rows, list);
}

Error nothing_to_learn(const char* split, const DataLedger& ledger, const DataSpec& spec) {
  const int64_t too_long = ledger.prompt_exceeds_cutoff.count;
  const RowCategory& marked = ledger.marked_unlearnt;
  const bool is_cut = ledger.truncated.count + too_long > marked.count;
  std::string hint = is_cut ? fmt::format("; cutoff_len {} truncated {} rows", spec.cutoff_len, ledger.truncated.count)
                            : std::string();
  if (too_long > 0) hint += fmt::format(" and is exceeded by the prompt alone in {}", too_long);
  if (marked.count > 0) {
    const RowMark& first = marked.marks.front();
    hint +=
        fmt::format("; in {} every answer is marked as not to be learnt (loss, weight or train), first in {}",
                    marked.count, row_place(ledger.files[static_cast<size_t>(first.file)], first.line, first.element));
  }
  return invalid_argument("{}: the {} data has no token to learn from: {} rows read, {} kept, {} bad{}",
                          spec.place_of(is_cut ? "cutoff_len" : "dataset"), split, ledger.rows_read, ledger.rows_kept,
                          ledger.bad.count, hint);
}

int64_t val_rows(const DataSpec& spec, int64_t rows) {
  const auto wanted = static_cast<int64_t>(spec.val_size >= 1 ? std::min(spec.val_size, 1e18)
                                                              : std::ceil(spec.val_size * static_cast<double>(rows)));
  if (wanted >= rows)
    throw invalid_argument("{}: {} takes {} rows for evaluation and there are {}: none is left to train on",
                           spec.place_of("val_size"), spec.val_size, wanted, rows);
  return wanted;
}

/// Members of the two splits, each in source order.
std::pair<std::vector<int64_t>, std::vector<int64_t>> split_rows(int64_t rows, const DataSpec& spec) {
  std::vector<bool> is_eval(static_cast<size_t>(rows), false);
  if (spec.val_size > 0) {
    const Permutation shuffle(rows, spec.seed, kSplitStream);
    const int64_t wanted = val_rows(spec, rows);
    for (int64_t i = 0; i < wanted; ++i) is_eval[static_cast<size_t>(shuffle(i))] = true;
  }
  std::pair<std::vector<int64_t>, std::vector<int64_t>> result;
  for (int64_t i = 0; i < rows; ++i) (is_eval[static_cast<size_t>(i)] ? result.second : result.first).push_back(i);
  return result;
}

RowLayout layout_of(const DataSpec& spec) {
  if (spec.kind == RowKind::kPlain) return RowLayout::kContinuous;
  return spec.neat_packing || spec.kind == RowKind::kPairwise ? RowLayout::kBlockDiagonal : RowLayout::kRestarting;
}

/// Documents of the source rows `rows` laid out in rows of tokens.
RowPlan plan_rows(const std::vector<int64_t>& rows, const std::vector<SpooledDocument>& documents,
                  const DataSpec& spec) {
  const int64_t per_row = documents_of_kind(spec.kind);
  std::vector<int64_t> members;
  std::vector<int32_t> lengths;
  for (const int64_t row : rows) {
    for (int64_t i = row * per_row; i < (row + 1) * per_row; ++i) {
      members.push_back(i);
      lengths.push_back(documents[static_cast<size_t>(i)].record.length);
    }
  }
  if (!packs(spec)) return plan_whole(members, lengths, per_row);
  return spec.kind == RowKind::kPlain ? plan_stream(members, lengths, spec.cutoff_len)
                                      : plan_packed(members, lengths, spec.cutoff_len);
}

RowEncoder row_encoder(const DataSpec& spec, const ConversationEncoder& encoder) {
  const int32_t cutoff = spec.cutoff_len;
  switch (spec.kind) {
    case RowKind::kPairwise:
      return [&encoder, cutoff](const AlignedRow& row) { return encode_pair(encoder, cutoff, row); };
    case RowKind::kLabelled:
      return [&encoder, cutoff](const AlignedRow& row) { return encode_labelled(encoder, cutoff, row); };
    case RowKind::kPlain: {
      PlainOptions options = plain_options(encoder, spec.add_bos, spec.place_of("add_bos"));
      if (!packs(spec)) options.cutoff_len = cutoff;
      return [&encoder, options](const AlignedRow& row) { return encode_plain(encoder.tokenizer(), options, row); };
    }
    case RowKind::kPrompt:
      throw internal_error("prompts are not encoded as rows to learn from");
    case RowKind::kSupervised:
      break;
  }
  const SupervisedOptions options{cutoff, spec.train_on_prompt, spec.mask_history};
  return [&encoder, options](const AlignedRow& row) {
    EncodedItem item;
    item.documents.push_back(encode_supervised(encoder, options, row));
    return item;
  };
}

/// Tokenises everything and writes the result to `path`; the ledger is complete afterwards.
DataLedger build(const DataSpec& spec, const Sources& sources, const ConversationEncoder& encoder, const CacheKey& key,
                 const ParallelFor& parallel_for, const fs::path& path) {
  DataLedger ledger;
  ledger.kind = spec.kind;
  ledger.cutoff_len = spec.cutoff_len;
  ledger.neat_packing = spec.neat_packing;
  ledger.packing = packs(spec);

  SpoolFile spool(path.parent_path());
  RowPipeline pipeline(spool, ledger, parallel_for, row_encoder(spec, encoder), spec.max_samples);
  for (const DataSource& source : sources.train) pipeline.add(source);
  const int64_t train_rows = ledger.rows_kept;
  for (const DataSource& source : sources.eval) pipeline.add(source);
  check_bad_rows(ledger, spec);
  if (!sources.train.empty() && train_rows == 0) throw nothing_to_learn("training", ledger, spec);
  if (!sources.eval.empty() && ledger.rows_kept == train_rows) throw nothing_to_learn("evaluation", ledger, spec);

  auto [train, eval] = split_rows(train_rows, spec);
  for (int64_t i = train_rows; i < ledger.rows_kept; ++i) eval.push_back(i);
  spool.map();
  const auto plan = [&](const std::vector<int64_t>& rows) { return plan_rows(rows, pipeline.documents(), spec); };
  const CacheInput input{spool, pipeline.documents(), plan(train), plan(eval), layout_of(spec), spec.kind};
  write_cache_file(path, key, input, ledger);
  return ledger;
}

bool is_writable_folder(const fs::path& folder) {
  if (folder.empty()) return false;
  std::error_code error;
  fs::create_directories(folder, error);
  return fs::is_directory(folder, error) && ::access(folder.c_str(), W_OK) == 0;
}

CacheContent open_or_throw(const fs::path& path, const CacheKey& key) {
  std::string reason;
  if (auto content = open_cache_file(path, key, reason)) return std::move(*content);
  throw io_error("'{}' cannot be read back: {}", path.string(), reason);
}

/// A cache in name only: the file loses its name as soon as it is mapped.
CacheContent build_without_cache(const DataSpec& spec, const Sources& sources, const ConversationEncoder& encoder,
                                 const CacheKey& key, const ParallelFor& parallel_for) {
  std::string folder = (fs::temp_directory_path() / "ftrun-data-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) throw io_error("cannot create a temporary folder '{}'", folder);
  struct Removal {
    fs::path folder;
    ~Removal() {
      std::error_code error;
      fs::remove_all(folder, error);
    }
  } removal{folder};
  const fs::path path = fs::path(folder) / cache_file_name(key);
  build(spec, sources, encoder, key, parallel_for, path);
  return open_or_throw(path, key);
}

CacheContent load_or_build(const DataSpec& spec, const Sources& sources, const ConversationEncoder& encoder,
                           const ParallelFor& parallel_for) {
  const CacheKey key = key_of(spec, sources, encoder);
  const fs::path folder = data_cache_dir(spec);
  const fs::path path = folder / cache_file_name(key);
  std::string damage;
  if (!spec.overwrite_cache) {
    if (auto content = open_cache_file(path, key, damage)) {
      content->ledger.notices.push_back(fmt::format("cache: {}", path.string()));
      return std::move(*content);
    }
    if (!damage.empty())
      log_warning("the data cache '{}' cannot be used ({}): the data is tokenised again", path.string(), damage);
  }
  std::string why = "not writable";
  if (is_writable_folder(folder)) {
    try {
      build(spec, sources, encoder, key, parallel_for, path);
      CacheContent content = open_or_throw(path, key);
      content.ledger.notices.push_back(damage.empty() ? fmt::format("cache: written to {}", path.string())
                                                      : fmt::format("cache: {} rebuilt ({})", path.string(), damage));
      return content;
    } catch (const Error& error) {
      const bool storage = error.code() == FTRUN_DATA_LOSS || error.code() == FTRUN_PERMISSION_DENIED ||
                           error.code() == FTRUN_RESOURCE_EXHAUSTED;
      if (!storage) throw;
      why = error.what();
    }
  }
  CacheContent content = build_without_cache(spec, sources, encoder, key, parallel_for);
  content.ledger.notices.push_back(
      fmt::format("cache: none, the next start tokenises again; folder '{}': {}", folder.string(), why));
  return content;
}

}  // namespace

std::string DataSpec::place_of(std::string_view key) const {
  const auto found = origins.find(key);
  return found == origins.end() ? std::string(key) : fmt::format("{}: {}", found->second, key);
}

std::filesystem::path data_cache_dir(const DataSpec& spec) {
  if (!spec.cache_dir.empty()) return spec.cache_dir;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0')
    return fs::path(cache) / "ftrun";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return fs::path(home) / ".cache" / "ftrun";
  return {};
}

std::shared_ptr<const TemplateEncoder> make_template_encoder(const DataSpec& spec,
                                                             std::shared_ptr<const Tokenizer> tokenizer) {
  const std::string place = spec.place_of("template");
  ChatTemplate chat_template = find_chat_template(spec.template_name, spec.template_search_path, place);
  if (spec.is_own_template) chat_template.equal_jinja.push_back(kept_template_hash(tokenizer->config()));
  try {
    return std::make_shared<const TemplateEncoder>(std::move(chat_template), std::move(tokenizer),
                                                   ThinkingOptions{spec.enable_thinking, spec.preserve_thinking},
                                                   spec.default_system);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", place, error.what()));
  }
}

std::shared_ptr<const ConversationEncoder> make_conversation_encoder(const DataSpec& spec,
                                                                     std::shared_ptr<const Tokenizer> tokenizer) {
  if (!spec.template_name.empty()) return make_template_encoder(spec, std::move(tokenizer));
  const TokenizerConfig& config = tokenizer->config();
  if (config.chat_template.empty())
    throw invalid_argument("{}: it is not set, and the tokenizer has no chat_template", spec.place_of("template"));
  const ThinkingOptions thinking{spec.enable_thinking, spec.preserve_thinking};
  return std::make_shared<const JinjaEncoder>(tokenizer, config.chat_template, config.chat_template_file,
                                              JinjaOptions{spec.default_system.value_or(""), thinking, {}});
}

PreparedData prepare_data(const DataSpec& spec, std::shared_ptr<const Tokenizer> tokenizer,
                          const ParallelFor& parallel_for) {
  PreparedData prepared;
  prepared.encoder = make_conversation_encoder(spec, std::move(tokenizer));
  check_spec(spec, *prepared.encoder);
  const Sources sources{resolve_all(spec, "dataset", spec.datasets),
                        resolve_all(spec, "eval_dataset", spec.eval_datasets)};
  CacheContent content = load_or_build(spec, sources, *prepared.encoder, parallel_for);
  check_bad_rows(content.ledger, spec);
  prepared.train = std::move(content.train);
  prepared.eval = std::move(content.eval);
  prepared.ledger = std::move(content.ledger);
  return prepared;
}

}  // namespace ftrun
