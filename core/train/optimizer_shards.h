// The optimizer's state in a checkpoint: every rank writes what it owns, any number of ranks reads it again.
// Leaves out: when (checkpointing.h), the folder (core/io/checkpoint.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/state_file.h"
#include "core/model/rank.h"

namespace ftrun {

/// Does the checkpoint hold any optimizer state?
bool has_optimizer_state(const std::filesystem::path& checkpoint);

/// Bytes of this job's optimizer state on disk, all ranks together, headers left out. `elements` are trained;
/// `with_master`: exact weights too.
uint64_t optimizer_state_bytes(int64_t elements, size_t states, bool with_master);

/// Writes this rank's optimizer-RANK.safetensors into `folder`: arrays STATE.PARAMETER@BEGIN of consecutive elements
/// from BEGIN on, f32. `with_master` adds the exact weights of what is trained as state `master`. A rank that owns
/// nothing writes nothing. Collective: all ranks of the run.
void write_optimizer_shard(Rank& rank, int32_t role, const std::filesystem::path& folder, bool with_master);

/// All ranks' files of one checkpoint. Immutable: any thread.
class OptimizerShards {
 public:
  /// Throws INVALID_ARGUMENT naming file and array unless `states` of every trained parameter of `model` (by id) are
  /// there, each element once, and nothing else is.
  OptimizerShards(const std::filesystem::path& checkpoint, const NetworkModel& model, const std::vector<bool>& trained,
                  std::span<const std::string> states);

  /// Elements [begin, begin + out.size()) of a parameter's state.
  void read(std::string_view state, std::string_view parameter, int64_t begin, std::span<float> out) const;

 private:
  struct Piece {
    int64_t begin = 0;
    std::span<const float> values;
  };
  void add_file(const std::filesystem::path& file);

  std::filesystem::path checkpoint_;
  std::vector<std::unique_ptr<StateReader>> files_;
  std::map<std::string, std::vector<Piece>, std::less<>> arrays_;  // by STATE.PARAMETER, pieces ascending
};

/// The name of the exact weights among the states.
inline constexpr std::string_view kMasterState = "master";

}  // namespace ftrun
