// Opening plugins by path, building a rank, reading goldens.
#include "tests/model/model_fixture.h"

#include <dlfcn.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <set>

#include "core/base/error.h"
#include "core/base/failure_detail.h"
#include "core/io/convert.h"
#include "core/model/abi_struct.h"
#include "core/model/api_tables.h"
#include "core/model/model_values.h"
#include "core/parallel/thread_pool.h"
#include "ftrun/cpp/reference_kernels/reference_device.hpp"

namespace ftrun::test {
namespace {

ftrun_status fail(const ftrun_host*, ftrun_status code, ftrun_str message) noexcept {
  set_failure_detail(text_of(message));
  return code;
}

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

ftrun_status no_value(const ftrun_options*, ftrun_str, int32_t*) noexcept { return FTRUN_NOT_FOUND; }

}  // namespace

const ftrun_host* test_host() {
  static const ftrun_host host = [] {
    static auto options = make_abi_struct<ftrun_option_api>(FTRUN_OPTION_API_TAG);
    options.is_set = no_value;
    options.get_bool = no_value;
    options.get_int = [](const ftrun_options*, ftrun_str, int64_t*) noexcept -> ftrun_status {
      return FTRUN_NOT_FOUND;
    };
    options.get_float = [](const ftrun_options*, ftrun_str, double*) noexcept -> ftrun_status {
      return FTRUN_NOT_FOUND;
    };
    options.get_string = [](const ftrun_options*, ftrun_str, ftrun_str*) noexcept -> ftrun_status {
      return FTRUN_NOT_FOUND;
    };
    options.get_origin = options.get_string;
    auto table = make_abi_struct<ftrun_host>(FTRUN_HOST_TAG);
    table.log = [](const ftrun_host*, ftrun_log_level, ftrun_str) noexcept {};
    table.fail = fail;
    table.parallel_for = [](const ftrun_host*, int64_t count, ftrun_task task, void* argument) noexcept {
      parallel_for(count, task, argument);
    };
    table.thread_count = [](const ftrun_host*) noexcept { return thread_count(); };
    table.thread_index = [](const ftrun_host*) noexcept { return thread_index(); };
    table.cancelled = [](const ftrun_host*) noexcept -> int32_t { return 0; };
    table.get_extension = [](const ftrun_host*, ftrun_str) noexcept -> const void* { return nullptr; };
    table.option = &options;
    table.tensor = tensor_api_table();
    table.context = context_api_table();
    table.shard = shard_api_table();
    table.collectives = collectives_api_table();
    return table;
  }();
  return &host;
}

const ftrun_plugin* open_plugin(const std::string& kind, const std::string& id) {
  const std::string path = std::string(FTRUN_BINARY_DIR) + "/lib/ftrun/plugins/" + kind + "_" + id + ".so";
  if (!std::filesystem::exists(path)) return nullptr;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw internal_error("{}", dlerror());
  const auto query = reinterpret_cast<ftrun_plugin_query_v1_function>(dlsym(library, "ftrun_plugin_query_v1"));
  const ftrun_plugin* plugin = nullptr;
  if (query == nullptr || query(0, &plugin) != FTRUN_OK) throw internal_error("{}: no plugin inside", path);
  return plugin;
}

std::filesystem::path golden_folder(const std::string& name) {
  return std::filesystem::path(FTRUN_SOURCE_DIR) / "tests/golden/models" / name;
}

TestDevice::TestDevice(bool always_reference) {
  const ftrun_plugin* plugin = always_reference ? nullptr : open_plugin("device", "cpu");
  table_ = plugin != nullptr ? static_cast<const ftrun_device*>(plugin->table) : sdk::reference_device_table();
  auto args = make_abi_struct<ftrun_device_open_args>(FTRUN_DEVICE_OPEN_TAG);
  args.host = test_host();
  check_status(table_->open(&args, &instance_), "device: open");
  device_ = std::make_unique<Device>(*table_, instance_);
}

TestDevice::~TestDevice() {
  device_.reset();
  table_->close(instance_);
}

TestModel::TestModel(const std::string& golden_case, const ModelOptions& options) {
  const std::filesystem::path folder = golden_folder(golden_case);
  const std::string network = options.network.empty() ? golden_case.substr(0, golden_case.find('_')) : options.network;
  const auto* table = static_cast<const ftrun_network*>(open_plugin("network", network)->table);
  const std::filesystem::path config = folder / options.config;
  const auto network_model = std::make_shared<NetworkModel>(table, test_host(), nullptr, read_text(config), config);
  if (options.adapt) options.adapt(*network_model);
  model_ = network_model;
  optimizer_ = make_optimizer("adamw_torch", options.optimizer);
  strategy_.table = options.strategy != nullptr
                        ? options.strategy
                        : static_cast<const ftrun_strategy*>(open_plugin("strategy", "single")->table);
  check_status(strategy_.table->create(test_host(), nullptr, &strategy_.instance), "strategy: create");
  if (options.device == nullptr) own_device_ = std::make_unique<TestDevice>();
  RankArguments arguments;
  arguments.device = options.device != nullptr ? options.device : &own_device_->device();
  arguments.strategy = strategy_.table;
  arguments.strategy_instance = strategy_.instance;
  arguments.precision = options.precision;
  arguments.gradient_checkpointing = options.gradient_checkpointing;
  arguments.accumulation = options.accumulation;
  arguments.optimizer = optimizer_.get();
  arguments.weight_decay = options.weight_decay;
  rank_ = std::make_unique<Rank>(arguments);
  std::unique_ptr<WeightSource> source =
      options.weights ? options.weights(*model_)
                      : std::make_unique<FileWeights>(std::make_shared<ModelWeights>(folder), *model_);
  const auto is_trained = [&](int32_t id) {
    return options.is_trained ? options.is_trained(model_->parameter(id).name) : options.trained;
  };
  rank_->add_role("policy", model_, is_trained, std::move(source));
  rank_->attach();
  rank_->release_weight_sources();
}

void Documents::add(std::span<const int32_t> document_ids, std::span<const int32_t> document_targets) {
  ids.insert(ids.end(), document_ids.begin(), document_ids.end());
  targets.insert(targets.end(), document_targets.begin(), document_targets.end());
  for (size_t i = 0; i < document_ids.size(); ++i) positions.push_back(static_cast<int32_t>(i));
  offsets.push_back(static_cast<int32_t>(ids.size()));
}

ftrun_batch Documents::batch() const {
  auto result = make_abi_struct<ftrun_batch>(FTRUN_BATCH_TAG);
  result.n_tokens = static_cast<int64_t>(ids.size());
  result.input_ids = ids.data();
  result.position_ids = positions.data();
  result.n_segments = static_cast<int32_t>(offsets.size()) - 1;
  result.segment_offsets = offsets.data();
  return result;
}

namespace {

template <typename T>
void append_as_double(std::span<const std::byte> bytes, std::vector<double>& out) {
  for (size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    out.push_back(static_cast<double>(value));
  }
}

}  // namespace

std::vector<double> golden_values(const SafetensorsFile& golden, const std::string& name) {
  const TensorEntry& entry = golden.require(name);
  std::vector<double> values;
  if (entry.dtype == StoredDtype::kI32) {
    append_as_double<int32_t>(entry.bytes, values);
  } else if (entry.dtype == StoredDtype::kF64) {
    append_as_double<double>(entry.bytes, values);
  } else {
    std::vector<std::byte> floats(entry.num_elements() * sizeof(float));
    convert_elements(entry.dtype, entry.bytes, StoredDtype::kF32, floats);
    append_as_double<float>(floats, values);
  }
  return values;
}

Documents golden_documents(const SafetensorsFile& golden, const std::string& prefix, int64_t first, int64_t count) {
  const auto integers = [&](const char* name) {
    const std::vector<double> values = golden_values(golden, prefix + name);
    return std::vector<int32_t>(values.begin(), values.end());
  };
  const auto ids = integers("input_ids");
  const auto targets = integers("targets");
  const auto lengths = integers("segment_lengths");
  const auto last = count < 0 ? static_cast<int64_t>(lengths.size()) : first + count;
  Documents documents;
  size_t at = 0;
  for (int64_t d = 0; d < static_cast<int64_t>(lengths.size()); ++d) {
    const auto length = static_cast<size_t>(lengths[static_cast<size_t>(d)]);
    if (d >= first && d < last)
      documents.add(std::span(ids).subspan(at, length), std::span(targets).subspan(at, length));
    at += length;
  }
  return documents;
}

std::vector<float> all_logits(TestModel& model, const Documents& documents, int32_t role) {
  const ftrun_batch batch = documents.batch();
  Tensor logits;
  model.rank().evaluate([&] {
    const Tensor hidden = model.rank().forward(role, batch);
    std::vector<int64_t> rows(documents.ids.size());
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
    logits = model.rank().head_logits(role, hidden, rows);
    return Tensor();
  });
  return read_floats(model.ctx(), logits);
}

double train(TestModel& model, const Documents& documents, double scale, int32_t index, int32_t count) {
  const ftrun_batch batch = documents.batch();
  const Tensor loss = model.rank().train_micro_batch(index, count, [&] {
    const Tensor hidden = model.rank().forward(0, batch);
    return model.rank().head_cross_entropy_sum(0, hidden, documents.targets, {}, scale);
  });
  return static_cast<double>(read_floats(model.ctx(), loss).at(0));
}

std::vector<std::vector<float>> gradients(TestModel& model) {
  std::vector<std::vector<float>> all;
  for (size_t id = 0; id < model.model().parameters().size(); ++id) {
    const Tensor gradient = model.role().gradient(static_cast<int32_t>(id));
    all.push_back(gradient ? read_floats(model.ctx(), gradient) : std::vector<float>());
  }
  return all;
}

std::vector<std::vector<float>> weights(TestModel& model) {
  std::vector<std::vector<float>> all;
  for (size_t id = 0; id < model.model().parameters().size(); ++id) {
    const int64_t elements = model.model().parameters()[id].elements;
    std::vector<float> values(static_cast<size_t>(elements));
    read_values(model.rank(), 0, static_cast<int32_t>(id), 0, elements, StoredDtype::kF32,
                std::as_writable_bytes(std::span(values)));
    all.push_back(std::move(values));
  }
  return all;
}

double relative_distance(std::span<const float> a, std::span<const double> b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += b[i] * b[i];
  }
  return norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm);
}

}  // namespace ftrun::test
