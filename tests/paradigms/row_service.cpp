// Rows by index, unshuffled windows.
#include "tests/paradigms/row_service.h"

#include <algorithm>

#include "core/base/files.h"
#include "core/model/abi_struct.h"

namespace ftrun::test {
namespace {

thread_local RowService* current = nullptr;

RowService& service_of(ftrun_data* data) { return *reinterpret_cast<RowService*>(data); }

const std::vector<TestRow>& rows_of(ftrun_data* data, ftrun_split split) {
  return service_of(data).rows[static_cast<size_t>(split)];
}

DataOrder order_of(ftrun_data* data, ftrun_split split) {
  return {static_cast<int64_t>(rows_of(data, split).size()), 0, false, service_of(data).shape};
}

ftrun_status open(ftrun_context*, const ftrun_data_spec* spec, ftrun_data** out) {
  current->opened_format = text_of(spec->format);
  current->opened_flags = spec->flags;
  *out = reinterpret_cast<ftrun_data*>(current);
  return FTRUN_OK;
}

ftrun_status info(ftrun_data* data, ftrun_split split, ftrun_data_info* out) {
  const auto& rows = rows_of(data, split);
  out->n_rows = static_cast<int64_t>(rows.size());
  out->updates_per_epoch = rows.empty() ? 0 : order_of(data, split).updates_per_epoch();
  for (const TestRow& row : rows) {
    out->n_tokens += static_cast<int64_t>(row.ids.size());
    out->longest_row_tokens = std::max(out->longest_row_tokens, static_cast<int64_t>(row.ids.size()));
  }
  return FTRUN_OK;
}

ftrun_status micro_batch(ftrun_data* data, ftrun_split split, int64_t, int64_t update, int32_t index, int64_t* rows,
                         int32_t capacity, int32_t* count) {
  const auto items = order_of(data, split).micro_batch(update, index, service_of(data).rank);
  if (static_cast<int32_t>(items.size()) > capacity) return FTRUN_INVALID_ARGUMENT;
  std::copy(items.begin(), items.end(), rows);
  *count = static_cast<int32_t>(items.size());
  return FTRUN_OK;
}

ftrun_status micro_batches(ftrun_data* data, ftrun_split split, int64_t, int64_t update, int32_t* count) {
  const DataOrder order = order_of(data, split);
  const int64_t items = order.items_before(update + 1) - order.items_before(update);
  const int64_t each = order.shape().ranks * order.shape().per_device_batch;
  *count = static_cast<int32_t>((items + each - 1) / each);
  return FTRUN_OK;
}

ftrun_status row(ftrun_data* data, ftrun_split split, int64_t index, ftrun_row* out) {
  const TestRow& source = rows_of(data, split).at(static_cast<size_t>(index));
  out->length = static_cast<int64_t>(source.ids.size());
  out->input_ids = source.ids.data();
  out->labels = source.labels.data();
  out->document_lengths = source.document_lengths.data();
  out->n_documents = static_cast<int64_t>(source.document_lengths.size());
  out->block_diagonal = source.block_diagonal ? 1 : 0;
  out->continuous = source.continuous ? 1 : 0;
  out->margin = source.margin;
  out->desirable = source.desirable ? 1 : 0;
  return FTRUN_OK;
}

ftrun_status fingerprint(ftrun_data* data, ftrun_split split, uint64_t* out) {
  *out = 0;
  for (const TestRow& row : rows_of(data, split)) *out = content_hash(std::as_bytes(std::span(row.ids)), *out);
  return FTRUN_OK;
}

ftrun_status cache_folder(ftrun_data* data, ftrun_str* folder) {
  *folder = abi_text(service_of(data).cache_folder);
  return FTRUN_OK;
}

}  // namespace

RowServiceScope::RowServiceScope(RowService& service) { current = &service; }
RowServiceScope::~RowServiceScope() { current = nullptr; }

const ftrun_data_api* row_service_api() {
  static const ftrun_data_api api = [] {
    auto table = make_abi_struct<ftrun_data_api>(FTRUN_DATA_API_TAG);
    table.open = open;
    table.info = info;
    table.micro_batch = micro_batch;
    table.micro_batches = micro_batches;
    table.row = row;
    table.fingerprint = fingerprint;
    table.cache_folder = cache_folder;
    return table;
  }();
  return &api;
}

ftrun_status row_service_metric(ftrun_context*, ftrun_str name, double value) {
  current->metrics[std::string(text_of(name))] = value;
  return FTRUN_OK;
}

}  // namespace ftrun::test
