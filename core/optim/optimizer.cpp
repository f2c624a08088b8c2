// Optimizers by configured name.
#include "core/optim/optimizer.h"

#include <array>
#include <vector>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/optim/adamw.h"

namespace ftrun {
namespace {

struct NamedOptimizer {
  std::string name;
  std::unique_ptr<Optimizer> (*make)(const OptimizerArguments&);
};

// One row per accepted spelling; a further optimizer adds its rows here.
const std::array<NamedOptimizer, 4>& rows() {
  static const std::array<NamedOptimizer, 4> table = {{
      {"adamw_torch", make_adamw},
      {"adamw_torch_fused", make_adamw},
      {"adamw_hf", make_adamw},
      {"adamw", make_adamw},
  }};
  return table;
}

}  // namespace

std::span<const std::string> optimizer_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const NamedOptimizer& row : rows()) result.push_back(row.name);
    return result;
  }();
  return names;
}

std::unique_ptr<Optimizer> make_optimizer(std::string_view name, const OptimizerArguments& arguments) {
  for (const NamedOptimizer& row : rows()) {
    if (row.name == name) return row.make(arguments);
  }
  std::string known;
  for (const std::string& other : optimizer_names()) known += (known.empty() ? "" : ", ") + other;
  throw invalid_argument("optim: no optimizer '{}'{}; known: {}", name, did_you_mean(name, optimizer_names()), known);
}

}  // namespace ftrun
