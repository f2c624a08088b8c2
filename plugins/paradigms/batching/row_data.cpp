// Calls of ftrun_data_api as values.
#include "row_data.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>

namespace ftrun::batching {

using sdk::check;

RowData::RowData(const ftrun_host* host, const sdk::Options& options)
    : host_(host),
      train_batch_(options.get_int("per_device_train_batch_size")),
      eval_batch_(options.get_int("per_device_eval_batch_size")) {}

void RowData::open(ftrun_context* ctx, std::string_view format, ftrun_data_flags flags) {
  auto spec = sdk::make<ftrun_data_spec>(FTRUN_DATA_SPEC_TAG);
  spec.format = sdk::str(format);
  spec.flags = flags;
  check(host_->data->open(ctx, &spec, &data_));
}

ftrun_data_info RowData::info(ftrun_split split) const {
  auto result = sdk::make<ftrun_data_info>(FTRUN_DATA_INFO_TAG);
  check(host_->data->info(data_, split, &result));
  return result;
}

ftrun_row RowData::row(ftrun_split split, int64_t index) const {
  auto result = sdk::make<ftrun_row>(FTRUN_ROW_TAG);
  check(host_->data->row(data_, split, index, &result));
  return result;
}

int32_t RowData::micro_batches(const ftrun_update_request& request) const {
  int32_t count = 0;
  check(host_->data->micro_batches(data_, request.split, request.epoch, request.update, &count));
  return count;
}

std::vector<int64_t> RowData::micro_batch(const ftrun_update_request& request, int32_t index) const {
  std::vector<int64_t> rows(static_cast<size_t>(std::max(train_batch_, eval_batch_)));
  int32_t count = 0;
  check(host_->data->micro_batch(data_, request.split, request.epoch, request.update, index, rows.data(),
                                 static_cast<int32_t>(rows.size()), &count));
  rows.resize(static_cast<size_t>(count));
  std::erase_if(rows, [](int64_t row) { return row < 0; });
  return rows;
}

void RowData::fill_plan(ftrun_paradigm_plan& out) const {
  const ftrun_data_info train = info(FTRUN_SPLIT_TRAIN);
  const ftrun_data_info eval = info(FTRUN_SPLIT_EVAL);
  out.num_examples = train.n_rows;
  out.updates_per_epoch = train.updates_per_epoch;
  out.eval_examples = eval.n_rows;
  out.eval_updates = eval.updates_per_epoch;
  out.max_micro_batch_tokens = longest_rows_tokens(train.n_rows, train_batch_);
}

int64_t RowData::longest_rows_tokens(int64_t n_rows, int64_t count) const {
  std::vector<int64_t> lengths(static_cast<size_t>(n_rows));
  for (int64_t index = 0; index < n_rows; ++index)
    lengths[static_cast<size_t>(index)] = row(FTRUN_SPLIT_TRAIN, index).length;
  const auto longest = lengths.begin() + std::min(count, n_rows);
  std::partial_sort(lengths.begin(), longest, lengths.end(), std::greater<>());
  return std::accumulate(lengths.begin(), longest, int64_t{0});
}

void warn_of_idle_key(const ftrun_host* host, const sdk::Options& options, std::string_view key,
                      std::string_view reason) {
  const std::string origin(options.origin(key));
  if (origin == "default") return;
  const std::string line = origin + ": " + std::string(key) + ": has no effect: " + std::string(reason);
  host->log(host, FTRUN_LOG_WARNING, sdk::str(line));
}

void refuse_dropout(const sdk::Options& options) {
  if (options.get_float("lora_dropout") > 0) {
    throw refused_key(options, "lora_dropout", "this stage compares answers without noise: remove it");
  }
}

void refuse_generation(const sdk::Options& options) {
  if (options.origin("max_new_tokens") == "default") return;
  throw refused_key(options, "max_new_tokens",
                    "is not used by this stage, which generates nothing: remove it ('predict' and 'chat' use it)");
}

sdk::Error refused_key(const sdk::Options& options, std::string_view key, std::string_view reason) {
  return {FTRUN_INVALID_ARGUMENT,
          std::string(options.origin(key)) + ": " + std::string(key) + ": " + std::string(reason)};
}

}  // namespace ftrun::batching
