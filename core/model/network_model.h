// A network plugin's instance and what it declared: parameters, units, dimensions; and what the host adds to it,
// low-rank adapters and scalar heads. Validated once, then immutable. Leaves out: values, buffers and ranks
// (parameter_layout.h, rank.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ftrun/kinds/network.h"

namespace ftrun {

/// A second use of a parameter: by `unit`, under `name` in files.
struct ParameterTie {
  int32_t unit = 0;
  std::string name;
};

/// Who declared a parameter. Adapters, scalar heads and start copies are the host's: the network does not know of them.
enum class ParameterOrigin { kNetwork, kAdapter, kScalarHead, kStartCopy };

struct ModelParameter {
  std::string name;
  ftrun_parameter_role role = FTRUN_PARAMETER_LINEAR;
  int32_t unit = 0;
  std::vector<int64_t> shape;
  int64_t elements = 0;
  ftrun_initializer initializer = FTRUN_INITIALIZER_NORMAL;
  double initializer_std = 0;
  std::vector<ParameterTie> ties;
  ParameterOrigin origin = ParameterOrigin::kNetwork;
  double learning_rate_ratio = 1.0;  ///< of the step's learning rate

  /// Norm weights and biases are not decayed.
  bool decays() const noexcept { return role != FTRUN_PARAMETER_NORM && role != FTRUN_PARAMETER_BIAS; }
};

/// A low-rank pair on one linear weight W [O, I], by parameter ids: y += scale (dropout(x) A^T) B^T with A [R, I] and
/// B [O, R]. With a magnitude [O] (DoRA) the rows of W + scale B A are normalised and multiplied by it.
/// Source: PEFT tuners/lora/layer.py and dora.py.
struct LinearAdapter {
  int32_t weight = -1;
  int32_t a = -1;
  int32_t b = -1;
  int32_t magnitude = -1;  ///< -1: none
  double scale = 1.0;
  double dropout = 0.0;
};

/// A linear layer from hidden states to one number per token, by parameter ids: weight [1, D], bias [1] or -1.
struct ScalarHead {
  std::string name;
  int32_t weight = -1;
  int32_t bias = -1;
};

/// Weight of a sequence classifier's head: a scalar head without a bias that stands among the model's own weights.
/// Source: transformers' *ForSequenceClassification with num_labels 1.
inline constexpr std::string_view kScoreWeight = "score.weight";

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

  // Before anything is made from the model:

  /// Adds a parameter to a unit. Returns its id. INVALID_ARGUMENT when the name is taken.
  int32_t add_parameter(ModelParameter parameter);
  /// At most one per weight.
  void add_adapter(const LinearAdapter& adapter);
  void add_scalar_head(ScalarHead head) { scalar_heads_.push_back(std::move(head)); }
  /// Adds a second tensor of the parameter's shape to its unit, never trained, which keeps what the parameter started
  /// as. At most one per parameter; it is in no file.
  void add_start_copy(int32_t id);

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
  const std::vector<LinearAdapter>& adapters() const noexcept { return adapters_; }
  /// The adapter on a weight, or NULL.
  const LinearAdapter* adapter_of(int32_t weight) const noexcept;
  /// The parameter's start copy, or itself where there is none.
  int32_t start_copy_of(int32_t id) const noexcept;
  /// What a start copy copies.
  int32_t original_of(int32_t copy) const noexcept;
  const std::vector<ScalarHead>& scalar_heads() const noexcept { return scalar_heads_; }
  /// Has kScoreWeight.
  bool is_classifier() const noexcept;
  /// A classifier's head of words: nothing computes with it, and it is in no file. A tied one is the embedding, which
  /// is used.
  bool is_unused_head(int32_t id) const noexcept;
  /// Elements of all parameters, tied ones once, start copies not.
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
  std::vector<LinearAdapter> adapters_;
  std::vector<int32_t> adapter_of_weight_;  ///< index into adapters_ by parameter id, -1: none; may be shorter
  std::vector<ScalarHead> scalar_heads_;
  std::vector<std::pair<int32_t, int32_t>> start_copies_;  ///< (parameter, its copy), by parameter
  ftrun_network_info info_{};
};

}  // namespace ftrun
