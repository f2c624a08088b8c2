// Names of modules are taken from what the network declared: children of block units, and modules outside of blocks.
#include "core/train/trained_parameters.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "core/base/error.h"
#include "core/base/nearest_name.h"

namespace ftrun {
namespace {

bool in_block(const NetworkModel& model, const ModelParameter& parameter) {
  return model.units()[static_cast<size_t>(parameter.unit)].kind == FTRUN_UNIT_BLOCK;
}

/// model.layers.3.self_attn.q_proj.weight of unit model.layers.3 -> self_attn
std::string child_of_block(const NetworkModel& model, const ModelParameter& parameter) {
  const std::string& unit = model.units()[static_cast<size_t>(parameter.unit)].name;
  const size_t begin = parameter.name.starts_with(unit + ".") ? unit.size() + 1 : 0;
  return parameter.name.substr(begin, parameter.name.find('.', begin) - begin);
}

/// model.embed_tokens.weight -> embed_tokens
std::string module_of(const std::string& name) {
  const size_t end = name.rfind('.');
  if (end == std::string::npos) return name;
  const size_t begin = name.rfind('.', end - 1);
  return name.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? 0 : begin + 1));
}

/// The names a parameter outside of the blocks answers to: its own and those it is tied to.
std::vector<std::string> outer_modules(const ModelParameter& parameter) {
  std::vector<std::string> modules = {module_of(parameter.name)};
  for (const ParameterTie& tie : parameter.ties) modules.push_back(module_of(tie.name));
  return modules;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

void require_known(const ResolvedConfig& config, const char* key, const std::set<std::string>& known,
                   const std::string& where) {
  const std::vector<std::string> choices(known.begin(), known.end());
  for (const std::string& name : config.get_list(key)) {
    if (known.contains(name)) continue;
    throw invalid_argument("{}: {}: this model has no module '{}' {}{}: expected {}", config.origin(key), key, name,
                           where, did_you_mean(name, choices), fmt::join(choices, ", "));
  }
}

/// Of freeze_trainable_layers: is block `index` of `count` among them?
bool is_free_layer(int64_t layers, int64_t index, int64_t count) {
  return layers > 0 ? index >= count - layers : index < -layers;
}

class FreezeSelection {
 public:
  FreezeSelection(const ResolvedConfig& config, const NetworkModel& model) : config_(config), model_(model) {
    std::set<std::string> inner = {"all"};
    std::set<std::string> outer;
    for (const ModelParameter& parameter : model.parameters()) {
      if (in_block(model, parameter)) {
        inner.insert(child_of_block(model, parameter));
      } else {
        for (const std::string& module : outer_modules(parameter)) outer.insert(module);
      }
    }
    require_known(config, "freeze_trainable_modules", inner, "in its blocks");
    require_known(config, "freeze_extra_modules", outer, "outside of its blocks");
    block_of_unit_.assign(model.units().size(), -1);
    for (size_t unit = 0; unit < model.units().size(); ++unit) {
      if (model.units()[unit].kind == FTRUN_UNIT_BLOCK) block_of_unit_[unit] = blocks_++;
    }
    layers_ = config.get_int("freeze_trainable_layers");
    if (layers_ != 0 && std::abs(layers_) <= blocks_) return;
    throw invalid_argument(
        "{}: freeze_trainable_layers: is {}: expected 1 to {} for the last blocks or -1 to -{} for the first",
        config.origin("freeze_trainable_layers"), layers_, blocks_, blocks_);
  }

  bool is_trained(const ModelParameter& parameter) const {
    if (!in_block(model_, parameter)) {
      const auto& extra = config_.get_list("freeze_extra_modules");
      return std::ranges::any_of(outer_modules(parameter), [&](const auto& name) { return contains(extra, name); });
    }
    if (!is_free_layer(layers_, block_of_unit_[static_cast<size_t>(parameter.unit)], blocks_)) return false;
    const auto& modules = config_.get_list("freeze_trainable_modules");
    return contains(modules, "all") || contains(modules, child_of_block(model_, parameter));
  }

 private:
  const ResolvedConfig& config_;
  const NetworkModel& model_;
  std::vector<int64_t> block_of_unit_;
  int64_t blocks_ = 0;
  int64_t layers_ = 0;
};

}  // namespace

std::vector<bool> trained_parameters(const ResolvedConfig& config, const NetworkModel& model, const AdapterPlan& plan) {
  const std::vector<ModelParameter>& parameters = model.parameters();
  std::vector<bool> trained(parameters.size(), !plan.is_trained);
  if (config.get_string("finetuning_type") == "freeze") {
    const FreezeSelection selection(config, model);
    for (size_t id = 0; id < trained.size(); ++id) trained[id] = selection.is_trained(parameters[id]);
  }
  for (size_t id = 0; id < trained.size(); ++id) {
    if (parameters[id].origin != ParameterOrigin::kNetwork) trained[id] = true;
  }
  for (size_t id = 0; id < trained.size(); ++id) {
    if (model.is_unused_head(static_cast<int32_t>(id))) trained[id] = false;
  }
  for (const int32_t id : plan.whole_parameters) trained[static_cast<size_t>(id)] = true;
  return trained;
}

int64_t trained_elements(const NetworkModel& model, const std::vector<bool>& trained) {
  int64_t elements = 0;
  for (size_t id = 0; id < trained.size(); ++id) elements += trained[id] ? model.parameters()[id].elements : 0;
  return elements;
}

}  // namespace ftrun
