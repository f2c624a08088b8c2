// A network plugin's instance and what it declared: parameters, units, dimensions. Validated once, then immutable.
// Leaves out: values, buffers and ranks (parameter_layout.h, rank.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "ftrun/kinds/network.h"

namespace ftrun {

/// A second use of a parameter: by `unit`, under `name` in files.
struct ParameterTie {
  int32_t unit = 0;
  std::string name;
};

struct ModelParameter {
  std::string name;
  ftrun_parameter_role role = FTRUN_PARAMETER_LINEAR;
  int32_t unit = 0;
  std::vector<int64_t> shape;
  int64_t elements = 0;
  ftrun_initializer initializer = FTRUN_INITIALIZER_NORMAL;
  double initializer_std = 0;
  std::vector<ParameterTie> ties;

  /// Norm weights and biases are not decayed.
  bool decays() const noexcept { return role != FTRUN_PARAMETER_NORM && role != FTRUN_PARAMETER_BIAS; }
};

struct ModelUnit {
  std::string name;
  ftrun_unit_kind kind = FTRUN_UNIT_BLOCK;
  /// Ids of the parameters the unit owns, in order of declaration.
  std::vector<int32_t> parameters;
  /// Units whose parameters this one uses through ties, without itself, ascending.
  std::vector<int32_t> borrowed_units;
};

/// One network, shared by the roles and ranks that run it. Immutable after construction; any thread may read.
class NetworkModel {
 public:
  /// Creates the plugin's instance from config.json's text and declares it. `table` and `host` outlive this object.
  /// Throws what the plugin failed with, and INVALID_ARGUMENT naming the plugin's mistake: names that repeat, units out
  /// of order, shapes that are not positive, a head that is not [vocab_size, hidden_size].
  NetworkModel(const ftrun_network* table, const ftrun_host* host, const ftrun_options* options,
               std::string_view config_json, const std::filesystem::path& config_file);
  NetworkModel(const NetworkModel&) = delete;
  NetworkModel& operator=(const NetworkModel&) = delete;
  ~NetworkModel();

  /// In order of declaration: the order of ids and of saved files.
  const std::vector<ModelParameter>& parameters() const noexcept { return parameters_; }
  const ModelParameter& parameter(int32_t id) const;
  /// In the order they are walked; the last one is the head.
  const std::vector<ModelUnit>& units() const noexcept { return units_; }
  int32_t head_unit() const noexcept { return static_cast<int32_t>(units_.size()) - 1; }
  /// Units that unit_forward computes: all but the head.
  int32_t walked_units() const noexcept { return head_unit(); }
  /// Id by name, or -1. Tied names count.
  int32_t find(std::string_view name) const noexcept;
  const ftrun_network_info& info() const noexcept { return info_; }
  /// Elements of all parameters, tied ones once.
  int64_t total_elements() const noexcept;

  /// Computes a unit; `in` is NULL for the embedding. The returned reference is the caller's. [rank-thread]
  ftrun_tensor* unit_forward(ftrun_context* ctx, int32_t unit, ftrun_tensor* in) const;

 private:
  friend class NetworkDeclaration;
  void check_units() const;
  void check_head() const;

  const ftrun_network* table_;
  void* instance_ = nullptr;
  std::vector<ModelParameter> parameters_;
  std::vector<ModelUnit> units_;
  ftrun_network_info info_{};
};

}  // namespace ftrun
