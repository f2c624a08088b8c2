// A network's declaration: the builder given to the plugin and the checks on what it declared.
#include "core/model/network_model.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/failure_detail.h"
#include "core/model/abi_struct.h"
#include "core/tensor/device.h"

namespace ftrun {

/// Collects what declare adds; a friend that fills the model.
class NetworkDeclaration {
 public:
  explicit NetworkDeclaration(NetworkModel& model) : model_(model) {}

  static ftrun_status add_unit(const ftrun_network_builder* builder, const ftrun_unit_info* unit,
                               int32_t* id) noexcept {
    return run(builder, [&](NetworkDeclaration& self) {
      *id = self.add(read_abi_struct(unit, FTRUN_UNIT_INFO_TAG, "add_unit"));
    });
  }
  static ftrun_status add_parameter(const ftrun_network_builder* builder, const ftrun_parameter_info* parameter,
                                    int32_t* id) noexcept {
    return run(builder, [&](NetworkDeclaration& self) {
      *id = self.add(read_abi_struct(parameter, FTRUN_PARAMETER_INFO_TAG, "add_parameter"));
    });
  }
  static ftrun_status tie_parameter(const ftrun_network_builder* builder, int32_t parameter, int32_t unit,
                                    ftrun_str tied_name) noexcept {
    return run(builder, [&](NetworkDeclaration& self) { self.tie(parameter, unit, text_of(tied_name)); });
  }

 private:
  template <typename Body>
  static ftrun_status run(const ftrun_network_builder* builder, Body&& body) noexcept {
    try {
      body(*static_cast<NetworkDeclaration*>(builder->self));
      return FTRUN_OK;
    } catch (const Error& error) {
      set_failure_detail(error.what());
      return error.code();
    } catch (const std::exception& error) {
      set_failure_detail(error.what());
      return FTRUN_INTERNAL;
    }
  }

  int32_t add(const ftrun_unit_info& info) {
    if (info.kind < FTRUN_UNIT_EMBEDDING || info.kind > FTRUN_UNIT_HEAD) {
      throw invalid_argument("unit '{}' has the unknown kind {}", text_of(info.name), info.kind);
    }
    model_.units_.push_back({std::string(text_of(info.name)), info.kind, {}, {}});
    return static_cast<int32_t>(model_.units_.size()) - 1;
  }

  int32_t add(const ftrun_parameter_info& info) {
    const std::string name(text_of(info.name));
    if (name.empty() || model_.find(name) >= 0)
      throw invalid_argument("parameter '{}' is declared twice or empty", name);
    check_unit(info.unit, name);
    if (info.ndim < 1 || info.ndim > 2 || info.role < FTRUN_PARAMETER_LINEAR || info.role > FTRUN_PARAMETER_HEAD ||
        info.initializer < FTRUN_INITIALIZER_NORMAL || info.initializer > FTRUN_INITIALIZER_UNIFORM) {
      throw invalid_argument("parameter '{}': {} axes, role {}, initializer {} are not known", name, info.ndim,
                             info.role, info.initializer);
    }
    ModelParameter parameter{
        name, info.role, info.unit, {}, 1, info.initializer, info.initializer_std, {}, ParameterOrigin::kNetwork, 1.0};
    for (int32_t axis = 0; axis < info.ndim; ++axis) {
      if (info.shape[axis] < 1 || info.shape[axis] > INT64_MAX / 8 / parameter.elements) {
        throw invalid_argument("parameter '{}': axis {} has size {}", name, axis, info.shape[axis]);
      }
      parameter.shape.push_back(info.shape[axis]);
      parameter.elements *= info.shape[axis];
    }
    const auto id = static_cast<int32_t>(model_.parameters_.size());
    model_.parameters_.push_back(std::move(parameter));
    model_.units_[static_cast<size_t>(info.unit)].parameters.push_back(id);
    return id;
  }

  void tie(int32_t id, int32_t unit, std::string_view name) {
    if (id < 0 || static_cast<size_t>(id) >= model_.parameters_.size())
      throw invalid_argument("no parameter has id {}", id);
    ModelParameter& parameter = model_.parameters_[static_cast<size_t>(id)];
    check_unit(unit, parameter.name);
    if (unit <= parameter.unit) {
      throw invalid_argument("parameter '{}' is tied to unit {}, which is not after its own ({})", parameter.name, unit,
                             parameter.unit);
    }
    if (name.empty() || model_.find(name) >= 0) throw invalid_argument("the tied name '{}' is taken or empty", name);
    parameter.ties.push_back({unit, std::string(name)});
    auto& borrowed = model_.units_[static_cast<size_t>(unit)].borrowed_units;
    if (std::find(borrowed.begin(), borrowed.end(), parameter.unit) == borrowed.end()) {
      borrowed.insert(std::upper_bound(borrowed.begin(), borrowed.end(), parameter.unit), parameter.unit);
    }
  }

  void check_unit(int32_t unit, std::string_view name) const {
    if (unit < 0 || static_cast<size_t>(unit) >= model_.units_.size()) {
      throw invalid_argument("parameter '{}' names unit {}, but {} are declared", name, unit, model_.units_.size());
    }
  }

  NetworkModel& model_;
};

NetworkModel::NetworkModel(const ftrun_network* table, const ftrun_host* host, const ftrun_options* options,
                           std::string_view config_json, const std::filesystem::path& config_file)
    : table_(table) {
  const std::string path = config_file.string();
  auto args = make_abi_struct<ftrun_network_create_args>(FTRUN_NETWORK_CREATE_TAG);
  args.host = host;
  args.options = options;
  args.config_json = abi_text(config_json);
  args.config_path = abi_text(path);
  check_status(table_->create(&args, &instance_), "");
  try {
    NetworkDeclaration declaration(*this);
    auto builder = make_abi_struct<ftrun_network_builder>(FTRUN_NETWORK_BUILDER_TAG);
    builder.self = &declaration;
    builder.add_unit = NetworkDeclaration::add_unit;
    builder.add_parameter = NetworkDeclaration::add_parameter;
    builder.tie_parameter = NetworkDeclaration::tie_parameter;
    check_status(table_->declare(instance_, &builder), "network: declare");
    info_ = make_abi_struct<ftrun_network_info>(FTRUN_NETWORK_INFO_TAG);
    check_status(table_->info(instance_, &info_), "network: info");
    check_units();
    check_head();
  } catch (...) {
    table_->destroy(instance_);
    throw;
  }
}

NetworkModel::~NetworkModel() { table_->destroy(instance_); }

int32_t NetworkModel::add_parameter(ModelParameter parameter) {
  if (find(parameter.name) >= 0) throw invalid_argument("parameter '{}' is there already", parameter.name);
  const auto id = static_cast<int32_t>(parameters_.size());
  parameter.elements = 1;
  for (const int64_t size : parameter.shape) parameter.elements *= size;
  units_.at(static_cast<size_t>(parameter.unit)).parameters.push_back(id);
  parameters_.push_back(std::move(parameter));
  return id;
}

void NetworkModel::add_adapter(const LinearAdapter& adapter) {
  const auto weight = static_cast<size_t>(adapter.weight);
  if (adapter_of_weight_.size() <= weight) adapter_of_weight_.resize(weight + 1, -1);
  if (adapter_of_weight_[weight] >= 0) throw internal_error("'{}' has two adapters", parameter(adapter.weight).name);
  adapter_of_weight_[weight] = static_cast<int32_t>(adapters_.size());
  adapters_.push_back(adapter);
}

const LinearAdapter* NetworkModel::adapter_of(int32_t weight) const noexcept {
  if (weight < 0 || static_cast<size_t>(weight) >= adapter_of_weight_.size()) return nullptr;
  const int32_t index = adapter_of_weight_[static_cast<size_t>(weight)];
  return index < 0 ? nullptr : &adapters_[static_cast<size_t>(index)];
}

void NetworkModel::add_start_copy(int32_t id) {
  ModelParameter copy = parameter(id);
  copy.name = "start." + copy.name;
  copy.ties.clear();  // whoever uses the original enters its unit
  copy.origin = ParameterOrigin::kStartCopy;
  const std::pair added(id, add_parameter(std::move(copy)));
  start_copies_.insert(std::ranges::upper_bound(start_copies_, added), added);
}

int32_t NetworkModel::start_copy_of(int32_t id) const noexcept {
  const auto found = std::ranges::lower_bound(start_copies_, id, {}, &std::pair<int32_t, int32_t>::first);
  return found != start_copies_.end() && found->first == id ? found->second : id;
}

int32_t NetworkModel::original_of(int32_t copy) const noexcept {
  const auto found = std::ranges::find(start_copies_, copy, &std::pair<int32_t, int32_t>::second);
  return found != start_copies_.end() ? found->first : copy;
}

const ModelParameter& NetworkModel::parameter(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= parameters_.size()) {
    throw invalid_argument("no parameter has id {}: the network declared {}", id, parameters_.size());
  }
  return parameters_[static_cast<size_t>(id)];
}

int32_t NetworkModel::find(std::string_view name) const noexcept {
  for (size_t id = 0; id < parameters_.size(); ++id) {
    const auto& ties = parameters_[id].ties;
    const bool is_tie =
        std::any_of(ties.begin(), ties.end(), [&](const ParameterTie& tie) { return tie.name == name; });
    if (parameters_[id].name == name || is_tie) return static_cast<int32_t>(id);
  }
  return -1;
}

bool NetworkModel::is_classifier() const noexcept {
  return std::ranges::any_of(scalar_heads_, [this](const ScalarHead& head) {
    return parameters_[static_cast<size_t>(head.weight)].name == kScoreWeight;
  });
}

bool NetworkModel::is_unused_head(int32_t id) const noexcept {
  const ModelParameter& parameter = parameters_[static_cast<size_t>(id)];
  return is_classifier() && id == info_.head_parameter && parameter.ties.empty() && parameter.unit == head_unit();
}

int64_t NetworkModel::total_elements() const noexcept {
  int64_t total = 0;
  for (const ModelParameter& parameter : parameters_) {
    if (parameter.origin != ParameterOrigin::kStartCopy) total += parameter.elements;
  }
  return total;
}

void NetworkModel::check_units() const {
  const auto count = units_.size();
  bool fits = count >= 3 && units_.front().kind == FTRUN_UNIT_EMBEDDING &&
              units_[count - 2].kind == FTRUN_UNIT_FINAL_NORM && units_[count - 1].kind == FTRUN_UNIT_HEAD;
  for (size_t unit = 1; fits && unit + 2 < count; ++unit) fits = units_[unit].kind == FTRUN_UNIT_BLOCK;
  if (!fits) {
    throw invalid_argument(
        "the network's units are not one embedding, blocks, one final norm and one head, in this order");
  }
}

void NetworkModel::check_head() const {
  const ModelParameter& head = parameter(info_.head_parameter);
  const std::vector<int64_t> expected = {info_.vocab_size, info_.hidden_size};
  const bool in_head =
      head.unit == head_unit() ||
      std::any_of(head.ties.begin(), head.ties.end(), [&](const ParameterTie& tie) { return tie.unit == head_unit(); });
  if (head.shape != expected || !in_head) {
    throw invalid_argument("the head's parameter '{}' is not a [{}, {}] matrix of the head unit", head.name,
                           info_.vocab_size, info_.hidden_size);
  }
  if (info_.rope_inv_freq == nullptr || info_.head_dim < 2 || info_.head_dim % 2 != 0 || info_.n_heads < 1 ||
      info_.n_kv_heads < 1 || info_.n_heads % info_.n_kv_heads != 0) {
    throw invalid_argument("the network's heads ({} of {} with {} key-value heads) or rope frequencies do not fit",
                           info_.n_heads, info_.head_dim, info_.n_kv_heads);
  }
}

ftrun_tensor* NetworkModel::unit_forward(ftrun_context* ctx, int32_t unit, ftrun_tensor* in) const {
  ftrun_tensor* out = nullptr;
  check_status(table_->unit_forward(instance_, ctx, unit, in, &out), units_[static_cast<size_t>(unit)].name);
  if (out == nullptr)
    throw internal_error("{}: unit_forward returned no tensor", units_[static_cast<size_t>(unit)].name);
  return out;
}

}  // namespace ftrun
