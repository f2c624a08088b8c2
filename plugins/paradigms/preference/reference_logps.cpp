// Rank 0 reads and writes the file; what it holds reaches the others as a sum in which they add zeros.
#include "reference_logps.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "metric_sums.h"
#include "sequence_logps.h"

namespace ftrun::preference {
namespace {

using sdk::check;

constexpr int64_t kAskedRows = 8;
/// Of which sequences a row has; before 2 a mismatched answer might be one of the same prompt.
constexpr std::string_view kTableVersion = "2";

std::vector<int64_t> all_rows(int64_t count) {
  std::vector<int64_t> rows(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) rows[static_cast<size_t>(i)] = i;
  return rows;
}

struct Place {
  int32_t rank = 0;
  int32_t world = 1;
};

Place place_of(const ftrun_host* host, ftrun_context* ctx) {
  Place place;
  check(host->context->rank(ctx, &place.rank, &place.world));
  return place;
}

bool shapes_only(const ftrun_host* host, ftrun_context* ctx) {
  int32_t result = 0;
  check(host->context->shapes_only(ctx, &result));
  return result != 0;
}

}  // namespace

ReferenceLogps::ReferenceLogps(const ftrun_host* host, const sdk::Options& options, std::string_view paradigm)
    : host_(host),
      options_(options),
      paradigm_(paradigm),
      precomputes_(options.get_bool("precompute_ref_log_probs")),
      has_adapter_(options.get_string("finetuning_type") == "lora"),
      has_model_(options.is_set("ref_model") && options.get_string("ref_model") != kStart),
      is_start_(options.is_set("ref_model") && !has_model_),
      trains_(options.get_bool("do_train")),
      evaluates_(options.get_bool("do_eval") || options.get_string("eval_strategy") != "no"),
      rows_per_walk_(options.get_int("per_device_train_batch_size")) {
  if (precomputes_ && has_model_) {
    throw batching::refused_key(options, "precompute_ref_log_probs",
                                "computes them with the initial model and excludes ref_model: remove one of them");
  }
  if (!trains_ && !has_model_ && (is_start_ || !has_adapter_)) {
    throw batching::refused_key(options, "do_train",
                                "is false, and the model would be its own reference: set ref_model");
  }
}

void ReferenceLogps::declare(const ftrun_declaration& declaration, int32_t walks) {
  if (precomputes_ && (is_start_ || !has_adapter_)) return;  // the initial policy is the reference
  auto role = sdk::make<ftrun_role_request>(FTRUN_ROLE_REQUEST_TAG);
  role.name = sdk::literal("reference");
  // Without an adapter a second model holds the start, and nothing of the policy is kept twice.
  role.flags = has_model_ || !has_adapter_ ? FTRUN_ROLE_FROZEN
               : is_start_                 ? FTRUN_ROLE_AT_START
                                           : FTRUN_ROLE_ADAPTER_OFF;
  role.model_key = has_model_ ? sdk::literal("ref_model") : sdk::literal("model_name_or_path");
  role.infer_walks = precomputes_ ? 0 : walks;
  check(declaration.add_role(&declaration, &role, &role_));
}

void ReferenceLogps::announce(ftrun_context* ctx) const {
  const bool goes_on = options_.is_set("adapter_name_or_path") && !options_.get_bool("create_new_adapter");
  if (!trains_ || !has_adapter_ || !goes_on || has_model_ || is_start_ || place_of(host_, ctx).rank != 0) return;
  log(std::string(options_.origin("adapter_name_or_path")) +
          ": adapter_name_or_path: its training goes on, and the reference is the base model without it; with "
          "'ref_model: start' it is the model as this run starts, with the adapter (as in TRL)",
      FTRUN_LOG_WARNING);
}

std::array<double, 2> ReferenceLogps::sums(ftrun_split split, int64_t row) const {
  const std::vector<double>& values = table_[static_cast<size_t>(split)];
  return {values.at(static_cast<size_t>(2 * row)), values.at(static_cast<size_t>(2 * row + 1))};
}

std::array<int64_t, 2> ReferenceLogps::row_counts(const batching::RowData& data) const {
  return {trains_ ? data.info(FTRUN_SPLIT_TRAIN).n_rows : 0, evaluates_ ? data.info(FTRUN_SPLIT_EVAL).n_rows : 0};
}

void ReferenceLogps::log(std::string_view line, ftrun_log_level level) const {
  host_->log(host_, level, sdk::str(line));
}

uint64_t ReferenceLogps::key(const batching::RowData& data) const {
  std::string text(options_.get_string("model_name_or_path"));
  for (const char* flag : {"bf16", "pure_bf16", "train_from_scratch"}) text += options_.get_bool(flag) ? '1' : '0';
  text += {trains_ ? '1' : '0', evaluates_ ? '1' : '0', is_start_ ? '1' : '0'};
  text += kTableVersion;
  text += std::to_string(options_.get_int("seed"));
  uint64_t hash = hash_bytes(text.data(), text.size());
  for (const ftrun_split split : {FTRUN_SPLIT_TRAIN, FTRUN_SPLIT_EVAL}) {
    uint64_t rows = 0;
    check(host_->data->fingerprint(data.get(), split, &rows));
    hash = hash_bytes(&rows, sizeof(rows), hash);
  }
  return hash;
}

bool ReferenceLogps::load(ftrun_context* ctx, const std::filesystem::path& file, uint64_t key,
                          std::array<int64_t, 2> rows) {
  for (size_t split = 0; split < table_.size(); ++split) table_[split].assign(static_cast<size_t>(2 * rows[split]), 0);
  double found = 0;
  if (place_of(host_, ctx).rank == 0 && !file.empty()) {
    if (auto table = read_reference_file(file, key, rows)) {
      table_ = std::move(*table);
      found = 1;
    }
  }
  sum_over_ranks(host_, ctx, {&found, 1});
  if (found == 0) return false;
  for (std::vector<double>& values : table_) sum_over_ranks(host_, ctx, values);
  return true;
}

// The name of a folder says nothing about the weights in it: rows spread over the set are computed again, and any other
// model, precision or instruction set gives other bits.
bool ReferenceLogps::still_true(ftrun_context* ctx, int32_t role, const SequencesOf& sequences_of) const {
  for (const ftrun_split split : {FTRUN_SPLIT_TRAIN, FTRUN_SPLIT_EVAL}) {
    const std::vector<double>& values = table_[static_cast<size_t>(split)];
    const auto count = static_cast<int64_t>(values.size() / 2);
    std::vector<int64_t> asked;
    for (int64_t i = 0; i < std::min(kAskedRows, count); ++i) asked.push_back(i * count / std::min(kAskedRows, count));
    const std::vector<double> found = compute(ctx, role, split, asked, sequences_of);
    for (size_t i = 0; i < asked.size(); ++i) {
      const auto at = static_cast<size_t>(2 * asked[i]);
      if (found[2 * i] != values[at] || found[2 * i + 1] != values[at + 1]) return false;
    }
  }
  return true;
}

std::vector<double> ReferenceLogps::compute(ftrun_context* ctx, int32_t role, ftrun_split split,
                                            std::span<const int64_t> rows, const SequencesOf& sequences_of) const {
  const Place place = place_of(host_, ctx);
  std::vector<double> result(2 * rows.size(), 0.0);
  const auto per_walk = static_cast<size_t>(rows_per_walk_);
  const auto per_round = per_walk * static_cast<size_t>(place.world);
  for (size_t round = 0; round < rows.size(); round += per_round) {
    const size_t begin = std::min(round + per_walk * static_cast<size_t>(place.rank), rows.size());
    const size_t count = std::min(per_walk, rows.size() - begin);
    const batching::MicroBatch batch = sequences_of(split, rows.subspan(begin, count));
    const SequenceLogps found = sequence_logps(host_, ctx, role, batch);
    std::copy(found.sums.begin(), found.sums.end(), result.begin() + static_cast<std::ptrdiff_t>(2 * begin));
  }
  sum_over_ranks(host_, ctx, result);
  return result;
}

void ReferenceLogps::prepare(ftrun_context* ctx, int32_t policy, const batching::RowData& data,
                             const SequencesOf& sequences_of) {
  if (!precomputes_) return;
  const int32_t role = role_ >= 0 ? role_ : policy;
  const std::array<int64_t, 2> rows = row_counts(data);
  const uint64_t wanted = key(data);
  const bool is_main = place_of(host_, ctx).rank == 0;
  ftrun_str folder = {nullptr, 0};
  check(host_->data->cache_folder(data.get(), &folder));
  std::filesystem::path file;
  if (folder.size > 0 && !shapes_only(host_, ctx)) {
    char name[64];
    std::snprintf(name, sizeof(name), "-reference-%016llx.bin", static_cast<unsigned long long>(wanted));
    file = std::filesystem::path(sdk::view(folder)) / (std::string(paradigm_) + name);
  }
  if (load(ctx, file, wanted, rows) && still_true(ctx, role, sequences_of)) {
    if (is_main) log("reference log-probabilities: read from '" + file.string() + "'");
    return;
  }
  if (is_main) log("reference log-probabilities: computing those of " + std::to_string(rows[0] + rows[1]) + " rows");
  for (const ftrun_split split : {FTRUN_SPLIT_TRAIN, FTRUN_SPLIT_EVAL}) {
    const auto at = static_cast<size_t>(split);
    table_[at] = compute(ctx, role, split, all_rows(rows[at]), sequences_of);
  }
  if (!is_main || file.empty()) return;
  const std::string fault = write_reference_file(file, wanted, table_);
  if (fault.empty()) return log("reference log-probabilities: written to '" + file.string() + "'");
  log("reference log-probabilities: not kept, to be computed again by the next run: '" + file.string() + "': " + fault,
      FTRUN_LOG_WARNING);
}

}  // namespace ftrun::preference
