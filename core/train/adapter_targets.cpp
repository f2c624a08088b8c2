// Whole names and their ends after a dot, as PEFT matches them.
#include "core/train/adapter_targets.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/model/adapter_weights.h"

namespace ftrun {
namespace {

/// As PEFT: the whole name, or its end after a dot.
bool matches(const std::string& module, const std::string& target) {
  return module == target || module.ends_with("." + target);
}

bool is_in_block(const NetworkModel& model, const ModelParameter& parameter) {
  return model.units()[static_cast<size_t>(parameter.unit)].kind == FTRUN_UNIT_BLOCK;
}

/// A linear weight that can carry a pair. The head's cannot: logits are never held, so nothing could be added to them.
bool is_adaptable(const NetworkModel& model, const ModelParameter& parameter) {
  return parameter.origin == ParameterOrigin::kNetwork && parameter.role == FTRUN_PARAMETER_LINEAR &&
         is_in_block(model, parameter);
}

/// The module names a parameter outside of pairs answers to: its own and those it is tied to. A classifier has no head
/// of words to be tied.
std::vector<std::string> modules_of(const NetworkModel& model, const ModelParameter& parameter) {
  std::vector<std::string> modules;
  const auto add = [&](const std::string& name) { modules.push_back(name.substr(0, name.rfind('.'))); };
  add(parameter.name);
  if (model.is_classifier()) return modules;
  for (const ParameterTie& tie : parameter.ties) add(tie.name);
  return modules;
}

/// How many of a parameter's names are targets; `used` collects the targets.
size_t named(const std::vector<std::string>& modules, const std::vector<std::string>& targets,
             std::set<std::string>& used) {
  size_t count = 0;
  for (const std::string& module : modules) {
    bool is_named = false;
    for (const std::string& target : targets) {
      if (!matches(module, target)) continue;
      used.insert(target);
      is_named = true;
    }
    count += is_named ? 1 : 0;
  }
  return count;
}

}  // namespace

std::string last_part(const std::string& module) { return module.substr(module.rfind('.') + 1); }

std::vector<int32_t> weights_of_targets(const ResolvedConfig& config, const NetworkModel& model) {
  const std::vector<std::string>& targets = config.get_list("lora_target");
  if (targets.empty()) {
    throw invalid_argument("{}: lora_target: expected 'all' or names of linear layers, got an empty list",
                           config.origin("lora_target"));
  }
  const bool all = std::ranges::find(targets, "all") != targets.end();
  std::vector<int32_t> weights;
  std::set<std::string> names = {"all"};
  std::set<std::string> used;
  for (size_t id = 0; id < model.parameters().size(); ++id) {
    const ModelParameter& parameter = model.parameters()[id];
    if (!is_adaptable(model, parameter)) continue;
    const std::string module = module_of_weight(parameter.name);
    names.insert(last_part(module));
    bool wanted = all;
    for (const std::string& target : targets) {
      if (!matches(module, target)) continue;
      wanted = true;
      used.insert(target);
    }
    if (wanted) weights.push_back(static_cast<int32_t>(id));
  }
  const std::vector<std::string> known(names.begin(), names.end());
  for (const std::string& target : targets) {
    if (target == "all" || used.contains(target)) continue;
    throw invalid_argument(
        "{}: lora_target: no linear layer of the blocks is '{}'{}: expected {}{}", config.origin("lora_target"), target,
        did_you_mean(target, known), fmt::join(known, ", "),
        target == "lm_head" || target == "embed_tokens" ? "; to train it whole, name it in additional_target" : "");
  }
  return weights;
}

std::vector<int32_t> whole_parameters(const std::string& place, const NetworkModel& model,
                                      const std::vector<std::string>& targets) {
  std::vector<int32_t> parameters;
  std::set<std::string> used;
  std::set<std::string> names;
  for (size_t id = 0; id < model.parameters().size(); ++id) {
    const ModelParameter& parameter = model.parameters()[id];
    const bool is_module = parameter.origin == ParameterOrigin::kNetwork || parameter.name == kScoreWeight;
    if (!is_module || model.is_unused_head(static_cast<int32_t>(id))) continue;
    const std::vector<std::string> modules = modules_of(model, parameter);
    for (const std::string& module : modules) names.insert(last_part(module));
    const size_t count = named(modules, targets, used);
    if (count == 0) continue;
    if (count != modules.size()) {
      throw invalid_argument(
          "{}: the model ties {} (one tensor under several names): trained under one name they would answer "
          "differently once loaded elsewhere: name all of them",
          place, fmt::join(modules, " and "));
    }
    parameters.push_back(static_cast<int32_t>(id));
  }
  const std::vector<std::string> known(names.begin(), names.end());
  for (const std::string& target : targets) {
    if (used.contains(target)) continue;
    throw invalid_argument("{}: this model has no module '{}'{}: expected {}", place, target,
                           did_you_mean(target, known), fmt::join(known, ", "));
  }
  return parameters;
}

std::vector<std::string> unambiguous(const NetworkModel& model, const std::vector<std::string>& targets,
                                     const std::vector<int32_t>& whole) {
  std::map<std::string, bool> is_whole;  // by module, down from the root
  for (size_t id = 0; id < model.parameters().size(); ++id) {
    const ModelParameter& parameter = model.parameters()[id];
    if (parameter.origin != ParameterOrigin::kNetwork && parameter.name != kScoreWeight) continue;
    const bool trained = std::ranges::find(whole, static_cast<int32_t>(id)) != whole.end();
    for (const std::string& module : modules_of(model, parameter)) {
      for (size_t end = module.size(); end != std::string::npos; end = module.rfind('.', end - 1)) {
        const auto [found, is_new] = is_whole.try_emplace(module.substr(0, end), trained);
        found->second = found->second && trained;
      }
    }
  }
  std::set<std::string> names;
  for (const std::string& target : targets) {
    const bool hits_others = std::ranges::any_of(
        is_whole, [&](const auto& module) { return !module.second && module.first.ends_with(target); });
    if (!hits_others) names.insert(target);
    for (const auto& [module, trained] : is_whole) {
      if (hits_others && trained && matches(module, target)) names.insert(module);
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace ftrun
