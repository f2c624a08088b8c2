// Where the reference model's log-probabilities come from: a second model, the base model under an adapter, the policy
// as it starts, or a table computed with the initial policy before the first update, so that no reference is in memory
// while training.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "batching/micro_batch.h"
#include "batching/row_data.h"
#include "reference_file.h"

namespace ftrun::preference {

/// The two sequences of each row, as segments 2 i and 2 i + 1 of a micro-batch.
using SequencesOf = std::function<batching::MicroBatch(ftrun_split split, std::span<const int64_t> rows)>;

/// Options: ref_model, precompute_ref_log_probs; reads the run's finetuning_type and model. [rank-thread] but
/// construction and declare.
class ReferenceLogps {
 public:
  /// `paradigm` names the file in the data cache. Refuses options that exclude each other.
  ReferenceLogps(const ftrun_host* host, const sdk::Options& options, std::string_view paradigm);

  /// Adds the role that it needs, if any; `walks` of it are taken per micro-batch where there is no table.
  void declare(const ftrun_declaration& declaration, int32_t walks);
  /// Warns, once and of the first rank, that the adapter which is trained on is no part of the reference.
  void announce(ftrun_context* ctx) const;
  /// With a table: reads it from the cache or computes it. `policy` is the trained role, with its initial weights.
  /// Collective.
  void prepare(ftrun_context* ctx, int32_t policy, const batching::RowData& data, const SequencesOf& sequences_of);

  bool has_table() const noexcept { return precomputes_; }
  /// The role to walk where there is no table.
  int32_t role() const noexcept { return role_; }
  /// Sums of a row's two sequences, where there is a table.
  std::array<double, 2> sums(ftrun_split split, int64_t row) const;

 private:
  /// Rows of each split that the run walks.
  std::array<int64_t, 2> row_counts(const batching::RowData& data) const;
  uint64_t key(const batching::RowData& data) const;
  bool load(ftrun_context* ctx, const std::filesystem::path& file, uint64_t key, std::array<int64_t, 2> rows);
  bool still_true(ftrun_context* ctx, int32_t role, const SequencesOf& sequences_of) const;
  std::vector<double> compute(ftrun_context* ctx, int32_t role, ftrun_split split, std::span<const int64_t> rows,
                              const SequencesOf& sequences_of) const;
  void log(std::string_view line, ftrun_log_level level = FTRUN_LOG_INFO) const;

  const ftrun_host* host_;
  const sdk::Options& options_;
  std::string_view paradigm_;
  bool precomputes_;
  bool has_adapter_;
  bool has_model_;
  bool is_start_;  ///< ref_model is kStart
  bool trains_;
  bool evaluates_;
  int32_t role_ = -1;
  int64_t rows_per_walk_;
  ReferenceTable table_;
};

/// The value of ref_model that is no folder: the policy as the run starts. A folder of that name is "./start".
inline constexpr std::string_view kStart = "start";

/// Entries of the option table of a paradigm with a reference model. Without ref_model the reference of an adapter that
/// is trained on is the base model, as in LLaMA-Factory; with `start` it is base and adapter, as in TRL 1.16
/// (DPOTrainer's frozen copy of the adapter).
inline constexpr ftrun_option kRefModelOption = sdk::option(
    "ref_model", FTRUN_OPTION_PATH, "",
    "Folder of the reference model, or 'start': the model as this run starts, an adapter that is trained on included "
    "(what is trained is kept twice). Unset: the initial model, which under an adapter is the base model itself.",
    FTRUN_OPTION_FLAT | FTRUN_OPTION_UNSET);
inline constexpr ftrun_option kPrecomputeOption =
    sdk::option("precompute_ref_log_probs", FTRUN_OPTION_BOOL, "false",
                "Compute the reference log-probabilities before the first update with the initial model and keep them "
                "in cache_dir, "
                "so that no reference model is in memory.",
                FTRUN_OPTION_FLAT);

}  // namespace ftrun::preference
