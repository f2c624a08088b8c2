// Arrays by parameter and first element, so that a reader needs to know nothing of the ranks that wrote them.
#include "core/train/optimizer_shards.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/model/element_owners.h"
#include "core/model/model_values.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

constexpr const char* kKind = "optimizer";
constexpr int64_t kVersion = 2;
constexpr std::string_view kPrefix = "optimizer-";
constexpr std::string_view kSuffix = ".safetensors";

std::vector<fs::path> shard_files(const fs::path& checkpoint) {
  std::vector<fs::path> files;
  std::error_code failure;
  for (const auto& item : fs::directory_iterator(checkpoint, failure)) {
    const std::string name = item.path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(kSuffix)) files.push_back(item.path());
  }
  if (failure) throw io_error("cannot list '{}': {}", checkpoint.string(), failure.message());
  std::ranges::sort(files);
  return files;
}

std::string series_name(std::string_view state, std::string_view parameter) {
  return fmt::format("{}.{}", state, parameter);
}

/// What one array of a file is filled from: a state's values, or the weights (state `master`).
struct Source {
  TensorSpec spec;
  int32_t parameter = 0;
  int64_t begin = 0;
  int64_t end = 0;
  Tensor values;  // empty: the exact weights
};

/// Collects the arrays of this rank's file.
class ShardContent {
 public:
  ShardContent(Rank& rank, int32_t role) : rank_(rank), role_(role), model_(rank.role(role).model()) {}

  void add_states(const ElementOwners& owners) {
    for (const OptimizerPiece& piece : rank_.optimizer_pieces()) {
      if (piece.role != role_) continue;
      const ParameterPlace& place = rank_.role(role_).layout().place(piece.parameter);
      for (const OwnedSegment& segment : owners.all(place.unit, FTRUN_PART_TRAINED)) {
        const int64_t begin = std::max(piece.begin, segment.begin - place.begin);
        const int64_t end = std::min(piece.end, segment.end - place.begin);
        if (segment.rank != rank_.arguments().rank || begin >= end) continue;
        add(piece.parameter, piece.state, begin, end, piece.values.slice(0, begin - piece.begin, end - piece.begin));
      }
    }
  }

  void add_weights(const ElementOwners& owners) {
    for (int32_t id = 0; id < static_cast<int32_t>(model_.parameters().size()); ++id) {
      const ParameterPlace& place = rank_.role(role_).layout().place(id);
      if (place.part != FTRUN_PART_TRAINED) continue;
      const int64_t until = place.begin + model_.parameter(id).elements;
      for (const OwnedSegment& segment : owners.segments(place.unit, place.part, place.begin, until)) {
        if (segment.rank != rank_.arguments().rank) continue;
        add(id, kMasterState, segment.begin - place.begin, segment.end - place.begin, {});
      }
    }
  }

  void write(const fs::path& file) {
    if (sources_.empty()) return;
    std::vector<TensorSpec> specs;
    for (const Source& source : sources_) specs.push_back(source.spec);
    StateWriter writer(file, kKind, kVersion, specs);
    std::vector<float> values;
    for (const Source& source : sources_) {
      values.resize(static_cast<size_t>(source.end - source.begin));
      const auto bytes = std::as_writable_bytes(std::span(values));
      if (source.values) {
        read(rank_.context(), source.values, values.data(), bytes.size());
      } else {
        read_values(rank_, role_, source.parameter, source.begin, source.end, StoredDtype::kF32, bytes);
      }
      writer.write(source.spec.name, bytes);
    }
    writer.finish();
  }

 private:
  void add(int32_t parameter, std::string_view state, int64_t begin, int64_t end, Tensor values) {
    const std::string series = series_name(state, model_.parameter(parameter).name);
    sources_.push_back({{fmt::format("{}@{}", series, begin), StoredDtype::kF32, {end - begin}},
                        parameter,
                        begin,
                        end,
                        std::move(values)});
  }

  Rank& rank_;
  int32_t role_;
  const NetworkModel& model_;
  std::vector<Source> sources_;
};

}  // namespace

bool has_optimizer_state(const fs::path& checkpoint) { return !shard_files(checkpoint).empty(); }

uint64_t optimizer_state_bytes(int64_t elements, size_t states, bool with_master) {
  return static_cast<uint64_t>(elements) * sizeof(float) * (states + (with_master ? 1 : 0));
}

void write_optimizer_shard(Rank& rank, int32_t role, const fs::path& folder, bool with_master) {
  ShardContent content(rank, role);
  content.add_states(ElementOwners::of_optimizer(rank, role));
  if (with_master) content.add_weights(ElementOwners::of_weights(rank, role));
  content.write(folder / fmt::format("{}{:05}{}", kPrefix, rank.arguments().rank, kSuffix));
}

OptimizerShards::OptimizerShards(const fs::path& checkpoint, const NetworkModel& model,
                                 const std::vector<bool>& trained, std::span<const std::string> states)
    : checkpoint_(checkpoint) {
  for (const fs::path& file : shard_files(checkpoint)) add_file(file);
  size_t expected = 0;
  for (const std::string& state : states) {
    for (size_t id = 0; id < trained.size(); ++id) {
      if (!trained[id]) continue;
      const ModelParameter& parameter = model.parameters()[id];
      const std::string name = series_name(state, parameter.name);
      const auto found = arrays_.find(name);
      int64_t covered = 0;
      ++expected;
      if (found != arrays_.end()) {
        std::ranges::sort(found->second, {}, &Piece::begin);
        for (const Piece& piece : found->second) {
          if (piece.begin != covered) break;
          covered += static_cast<int64_t>(piece.values.size());
        }
      }
      if (covered == parameter.elements) continue;
      throw invalid_argument("'{}': '{}' should have {} elements; element {} is missing or there twice",
                             checkpoint.string(), name, parameter.elements, covered);
    }
  }
  if (expected != arrays_.size()) {
    throw invalid_argument("'{}' has optimizer state of {} arrays, this model and optimizer have {}",
                           checkpoint.string(), arrays_.size(), expected);
  }
}

void OptimizerShards::add_file(const fs::path& file) {
  files_.push_back(std::make_unique<StateReader>(file, kKind, kVersion));
  for (const TensorEntry& entry : files_.back()->arrays()) {
    const size_t mark = entry.name.rfind('@');
    int64_t begin = 0;
    const char* end = entry.name.data() + entry.name.size();
    const bool numbered =
        mark != std::string::npos && std::from_chars(entry.name.data() + mark + 1, end, begin).ptr == end;
    if (!numbered || entry.dtype != StoredDtype::kF32) {
      throw invalid_argument("'{}': array '{}': expected f32 named STATE.PARAMETER@BEGIN", file.string(), entry.name);
    }
    arrays_[entry.name.substr(0, mark)].push_back(
        {begin, {reinterpret_cast<const float*>(entry.bytes.data()), entry.bytes.size() / sizeof(float)}});
  }
}

void OptimizerShards::read(std::string_view state, std::string_view parameter, int64_t begin,
                           std::span<float> out) const {
  const auto found = arrays_.find(series_name(state, parameter));
  if (found == arrays_.end())
    throw invalid_argument("'{}' has no '{}' of '{}'", checkpoint_.string(), state, parameter);
  const auto end = begin + static_cast<int64_t>(out.size());
  for (const Piece& piece : found->second) {
    const int64_t from = std::max(begin, piece.begin);
    const int64_t to = std::min(end, piece.begin + static_cast<int64_t>(piece.values.size()));
    if (from >= to) continue;
    std::copy_n(piece.values.begin() + (from - piece.begin), to - from, out.begin() + (from - begin));
  }
}

}  // namespace ftrun
