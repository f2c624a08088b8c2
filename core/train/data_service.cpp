// Thunks from ftrun/data.h to core/data; errors become statuses with their detail recorded.
#include "core/train/data_service.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/base/abi_guard.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/model/abi_struct.h"
#include "core/train/rank_services.h"

/// One opened data set: the encoded splits, their order and what the ABI's pointers need to stay alive.
struct ftrun_data {
  ftrun::DataService* service = nullptr;
  ftrun::DataSpec spec;
  ftrun::PreparedData prepared;
  std::optional<ftrun::DataOrder> order[2];
  std::vector<int32_t> document_lengths[2];
  std::optional<std::vector<ftrun::PromptRow>> prompts;
  std::string cache_folder;
};

namespace ftrun {
namespace {

constexpr ftrun_data_flags kKnownFlags = FTRUN_DATA_TRAIN_ON_PROMPT | FTRUN_DATA_MASK_HISTORY | FTRUN_DATA_PACKING |
                                         FTRUN_DATA_NEAT_PACKING | FTRUN_DATA_ADD_BOS | FTRUN_DATA_NO_BOS;

const EncodedDataset* dataset_of(const ftrun_data& data, ftrun_split split) {
  if (split == FTRUN_SPLIT_TRAIN) return data.prepared.train.get();
  if (split == FTRUN_SPLIT_EVAL) return data.prepared.eval.get();
  throw invalid_argument("split {} is neither train (0) nor eval (1)", split);
}

const DataOrder& order_of(const ftrun_data& data, ftrun_split split) {
  if (dataset_of(data, split) == nullptr) throw failed_precondition("the split {} has no data", split);
  return *data.order[split];
}

void index_split(ftrun_data& data, ftrun_split split, bool shuffle, BatchShape shape) {
  const EncodedDataset* dataset = dataset_of(data, split);
  if (dataset == nullptr) return;
  data.order[split].emplace(dataset->size(), data.service->seed, shuffle, shape);
  for (const DocumentRecord& document : dataset->document_records()) {
    data.document_lengths[split].push_back(document.length);
  }
}

std::optional<bool> wants_bos(ftrun_data_flags flags) {
  const bool adds = (flags & FTRUN_DATA_ADD_BOS) != 0;
  if (!adds && (flags & FTRUN_DATA_NO_BOS) == 0) return std::nullopt;
  return adds;
}

ftrun_data* open_data(DataService& service, const ftrun_data_spec& wanted) {
  if ((wanted.flags & ~kKnownFlags) != 0)
    throw invalid_argument("ftrun_data_spec.flags has unknown bits: {:#x}", wanted.flags);
  auto data = std::make_unique<ftrun_data>();
  data->service = &service;
  data->spec = service.spec;
  data->spec.kind = parse_row_kind(text_of(wanted.format));
  data->spec.add_bos = wants_bos(wanted.flags);
  data->spec.train_on_prompt = (wanted.flags & FTRUN_DATA_TRAIN_ON_PROMPT) != 0;
  data->spec.mask_history = (wanted.flags & FTRUN_DATA_MASK_HISTORY) != 0;
  data->spec.neat_packing = (wanted.flags & FTRUN_DATA_NEAT_PACKING) != 0;
  data->spec.packing = data->spec.neat_packing || (wanted.flags & FTRUN_DATA_PACKING) != 0;
  data->prepared = prepare_data(data->spec, service.tokenizer, service.parallel_for);
  data->cache_folder = data_cache_dir(data->spec).string();
  index_split(*data, FTRUN_SPLIT_TRAIN, service.shuffle, service.train_shape);
  index_split(*data, FTRUN_SPLIT_EVAL, false, service.eval_shape);
  if (service.on_ledger) service.on_ledger(data->prepared.ledger);
  return service.opened.emplace_back(std::move(data)).get();
}

int64_t global_update(const DataOrder& order, int64_t epoch, int64_t update) {
  if (epoch < 0 || update < 0 || update >= order.updates_per_epoch()) {
    throw Error(FTRUN_OUT_OF_RANGE, fmt::format("update {} of epoch {}: an epoch has {} updates", update, epoch,
                                                order.updates_per_epoch()));
  }
  return epoch * order.updates_per_epoch() + update;
}

int64_t items_in_update(const DataOrder& order, int64_t update) {
  return order.items_before(update + 1) - order.items_before(update);
}

ftrun_status open_thunk(ftrun_context* ctx, const ftrun_data_spec* spec, ftrun_data** out) {
  return guard_abi([&] {
    *out = nullptr;
    const ftrun_data_spec wanted = read_abi_struct(spec, FTRUN_DATA_SPEC_TAG, "ftrun_data_spec");
    DataService& service = *services_of(ctx).data;
    service.open_failure = nullptr;
    try {
      *out = open_data(service, wanted);
    } catch (...) {
      service.open_failure = std::current_exception();
      throw;
    }
  });
}

ftrun_status info_thunk(ftrun_data* data, ftrun_split split, ftrun_data_info* out) {
  return guard_abi([&] {
    auto info = make_abi_struct<ftrun_data_info>(FTRUN_DATA_INFO_TAG);
    if (const EncodedDataset* dataset = dataset_of(*data, split)) {
      info.n_rows = dataset->size();
      info.n_tokens = dataset->total_tokens();
      info.n_targets = dataset->total_supervised_tokens();
      info.longest_row_tokens = dataset->longest_row();
      info.updates_per_epoch = data->order[split]->updates_per_epoch();
    }
    write_abi_struct(out, info, "ftrun_data_info");
  });
}

ftrun_status micro_batch_thunk(ftrun_data* data, ftrun_split split, int64_t epoch, int64_t update, int32_t micro_batch,
                               int64_t* rows, int32_t capacity, int32_t* count) {
  return guard_abi([&] {
    const DataOrder& order = order_of(*data, split);
    if (micro_batch < 0 || micro_batch >= order.shape().accumulation) {
      throw Error(FTRUN_OUT_OF_RANGE, fmt::format("micro-batch {} of {}", micro_batch, order.shape().accumulation));
    }
    const std::vector<int64_t> items =
        order.micro_batch(global_update(order, epoch, update), micro_batch, data->service->rank);
    if (static_cast<int64_t>(items.size()) > capacity) {
      throw invalid_argument("capacity is {}: a micro-batch has {} rows", capacity, items.size());
    }
    std::copy(items.begin(), items.end(), rows);
    *count = static_cast<int32_t>(items.size());
  });
}

ftrun_status micro_batches_thunk(ftrun_data* data, ftrun_split split, int64_t epoch, int64_t update, int32_t* count) {
  return guard_abi([&] {
    const DataOrder& order = order_of(*data, split);
    const int64_t items = items_in_update(order, global_update(order, epoch, update));
    const int64_t per_micro_batch = order.shape().ranks * order.shape().per_device_batch;
    *count = static_cast<int32_t>((items + per_micro_batch - 1) / per_micro_batch);
  });
}

ftrun_status row_thunk(ftrun_data* data, ftrun_split split, int64_t index, ftrun_row* out) {
  return guard_abi([&] {
    const EncodedDataset* dataset = dataset_of(*data, split);
    if (dataset == nullptr || index < 0 || index >= dataset->size()) {
      throw Error(FTRUN_OUT_OF_RANGE, fmt::format("row {} of {}", index, dataset == nullptr ? 0 : dataset->size()));
    }
    const EncodedRow encoded = dataset->row(index);
    auto row = make_abi_struct<ftrun_row>(FTRUN_ROW_TAG);
    row.length = static_cast<int64_t>(encoded.ids.size());
    row.input_ids = encoded.ids.data();
    row.labels = encoded.labels.data();
    row.document_lengths =
        data->document_lengths[split].data() + (encoded.documents.data() - dataset->document_records().data());
    row.n_documents = static_cast<int64_t>(encoded.documents.size());
    row.block_diagonal = dataset->layout() == RowLayout::kBlockDiagonal ? 1 : 0;
    row.continuous = dataset->layout() == RowLayout::kContinuous ? 1 : 0;
    if (!encoded.documents.empty()) {
      const DocumentRecord& first = encoded.documents.front();
      row.source_line = first.line;
      if (dataset->kind() == RowKind::kPairwise) row.margin = first.annotation;
      if (dataset->kind() == RowKind::kLabelled) row.desirable = first.annotation != 0 ? 1 : 0;
    }
    write_abi_struct(out, row, "ftrun_row");
  });
}

ftrun_status prompt_thunk(ftrun_data* data, int64_t index, ftrun_prompt* out) {
  return guard_abi([&] {
    const EncodedDataset* dataset = dataset_of(*data, FTRUN_SPLIT_EVAL);
    if (!data->prompts) {
      data->prompts.emplace();
      if (dataset != nullptr) data->prompts = load_prompts(data->spec, data->prepared, *dataset, -1);
    }
    if (index < 0 || index >= static_cast<int64_t>(data->prompts->size())) {
      throw Error(FTRUN_OUT_OF_RANGE, fmt::format("prompt {} of {}", index, data->prompts->size()));
    }
    const PromptRow& source = (*data->prompts)[index];
    auto prompt = make_abi_struct<ftrun_prompt>(FTRUN_PROMPT_TAG);
    prompt.length = static_cast<int64_t>(source.prompt_ids.size());
    prompt.input_ids = source.prompt_ids.data();
    prompt.label = abi_text(source.label);
    write_abi_struct(out, prompt, "ftrun_prompt");
  });
}

ftrun_status encode_thunk(ftrun_context* ctx, ftrun_str text, int32_t add_special_tokens, int32_t* ids,
                          uint64_t capacity, uint64_t* count) {
  return guard_abi([&] {
    const std::vector<int32_t> encoded =
        services_of(ctx).data->tokenizer->encode(text_of(text), add_special_tokens != 0);
    std::copy_n(encoded.begin(), std::min<uint64_t>(capacity, encoded.size()), ids);
    *count = encoded.size();
  });
}

ftrun_status decode_thunk(ftrun_context* ctx, const int32_t* ids, uint64_t count, int32_t skip_special_tokens,
                          ftrun_str* text) {
  return guard_abi([&] {
    DataService& service = *services_of(ctx).data;
    service.decoded_text = service.tokenizer->decode({ids, count}, skip_special_tokens != 0);
    *text = abi_text(service.decoded_text);
  });
}

ftrun_status fingerprint_thunk(ftrun_data* data, ftrun_split split, uint64_t* out) {
  return guard_abi([&] {
    const EncodedDataset* dataset = dataset_of(*data, split);
    *out = dataset == nullptr ? 0 : dataset->content_hash();
  });
}

ftrun_status cache_folder_thunk(ftrun_data* data, ftrun_str* folder) {
  return guard_abi([&] { *folder = abi_text(data->cache_folder); });
}

}  // namespace

DataService::DataService() = default;
DataService::~DataService() = default;

const ftrun_data_api* data_api() noexcept {
  static const ftrun_data_api api = {{sizeof(ftrun_data_api), FTRUN_DATA_API_TAG},
                                     open_thunk,
                                     info_thunk,
                                     micro_batch_thunk,
                                     micro_batches_thunk,
                                     row_thunk,
                                     prompt_thunk,
                                     encode_thunk,
                                     decode_thunk,
                                     fingerprint_thunk,
                                     cache_folder_thunk};
  return &api;
}

const PreparedData& prepared_data(const ftrun_data& data) noexcept { return data.prepared; }

uint64_t data_fingerprint(const ftrun_data& data) {
  const EncodedDataset* train = data.prepared.train.get();
  if (train == nullptr) return 0;
  uint64_t hash = content_hash(std::as_bytes(train->document_records()), data.service->seed);
  const int64_t totals[] = {train->size(), train->total_tokens(), train->total_supervised_tokens(),
                            train->longest_row(), data.service->shuffle ? 1 : 0};
  hash = content_hash(std::as_bytes(std::span(totals)), hash);
  const uint64_t tokens = train->content_hash();
  return content_hash(std::as_bytes(std::span(&tokens, 1)), hash);
}

uint64_t evaluation_fingerprint(const ftrun_data& data) {
  const EncodedDataset* eval = data.prepared.eval.get();
  if (eval == nullptr) return 0;
  const uint64_t parts[] = {eval->content_hash(), content_hash(std::as_bytes(eval->document_records()))};
  return content_hash(std::as_bytes(std::span(parts)));
}

}  // namespace ftrun
