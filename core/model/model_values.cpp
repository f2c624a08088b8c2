// Values of parameters on their way to a file.
#include "core/model/model_values.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/collectives/communicator.h"
#include "core/io/convert.h"
#include "core/model/element_owners.h"
#include "core/tensor/device.h"

namespace ftrun {
namespace {

/// Elements read from the device at a time.
constexpr int64_t kChunkElements = int64_t{1} << 22;

/// The f32 master weights of [begin, end) of a unit's trained part, or an empty Tensor.
Tensor master_of(const Rank& rank, int32_t role, int32_t unit, int64_t begin, int64_t end) {
  for (const auto& slice : rank.optimizer_slices()) {
    if (slice->role == role && slice->unit == unit && slice->master && slice->begin <= begin && end <= slice->end) {
      return slice->master.slice(0, begin - slice->begin, end - slice->begin);
    }
  }
  return {};
}

/// The compute weights of the range, copied out of the strategy's buffers.
Tensor compute_of(Rank& rank, int32_t role, const ParameterPlace& place, int64_t begin, int64_t end) {
  const StrategyHooks& hooks = rank.hooks();
  int64_t owned_begin = 0;
  int64_t owned_end = 0;
  check_status(hooks.table().owned_range(hooks.instance(), &rank.context(), role, place.unit, place.part, &owned_begin,
                                         &owned_end),
               "strategy: owned_range");
  if (begin < owned_begin || end > owned_end) {
    throw failed_precondition("elements [{}, {}) of unit {} are not on this rank, it holds [{}, {})", begin, end,
                              place.unit, owned_begin, owned_end);
  }
  Tensor copy = empty(rank.context(), rank.arguments().precision.compute, {end - begin}, FTRUN_MEMORY_WORKSPACE);
  check_status(
      hooks.table().read_range(hooks.instance(), &rank.context(), role, place.unit, place.part, begin, end, copy.get()),
      "strategy: read_range");
  return copy;
}

}  // namespace

void read_values(Rank& rank, int32_t role, int32_t parameter, int64_t begin, int64_t end, StoredDtype to,
                 std::span<std::byte> out) {
  const ParameterPlace& place = rank.role(role).layout().place(parameter);
  const int64_t from = place.begin + begin;
  const int64_t until = place.begin + end;
  Tensor values;
  if (place.part == FTRUN_PART_TRAINED) values = master_of(rank, role, place.unit, from, until);
  if (!values) values = compute_of(rank, role, place, from, until);
  const StoredDtype held = stored_dtype_of(values.dtype());
  if (held == to) {
    if (out.size() != values.bytes()) throw internal_error("read_values: {} bytes for {}", out.size(), values.text());
    read(rank.context(), values, out.data(), out.size());
    return;
  }
  std::vector<std::byte> bytes(values.bytes());
  read(rank.context(), values, bytes.data(), bytes.size());
  if (convert_elements(held, bytes, to, out) > 0) {
    throw io_error("parameter '{}' holds numbers that {} cannot hold",
                   rank.role(role).model().parameter(parameter).name, dtype_name(to));
  }
}

namespace {

/// Elements [from, to) of a parameter, each segment from the rank that writes it, in `chunk` on the main rank.
void collect_values(Rank& rank, int32_t role, const ElementOwners& owners, int32_t parameter, int64_t from, int64_t to,
                    StoredDtype dtype, std::span<std::byte> chunk) {
  const ParameterPlace& place = rank.role(role).layout().place(parameter);
  const size_t size = dtype_size_bytes(dtype);
  for (const OwnedSegment& segment : owners.segments(place.unit, place.part, place.begin + from, place.begin + to)) {
    const int64_t begin = segment.begin - place.begin;
    const int64_t end = segment.end - place.begin;
    const auto bytes = chunk.subspan(static_cast<size_t>(begin - from) * size, static_cast<size_t>(end - begin) * size);
    if (segment.rank == rank.arguments().rank) read_values(rank, role, parameter, begin, end, dtype, bytes);
    if (segment.rank != 0) rank.communicator().send_host(segment.rank, 0, bytes);
  }
}

}  // namespace

void for_each_value_chunk(Rank& rank, int32_t role, StoredDtype dtype,
                          const std::function<bool(const ModelParameter& parameter)>& is_wanted,
                          const std::function<void(std::string_view name, std::span<const std::byte> bytes)>& write) {
  const ElementOwners owners = ElementOwners::of_weights(rank, role);
  const NetworkModel& model = rank.role(role).model();
  std::vector<std::byte> chunk;
  for (size_t id = 0; id < model.parameters().size(); ++id) {
    const ModelParameter& parameter = model.parameters()[id];
    if (!is_wanted(parameter)) continue;
    for (int64_t from = 0; from < parameter.elements; from += kChunkElements) {
      const int64_t to = std::min(parameter.elements, from + kChunkElements);
      chunk.resize(static_cast<size_t>(to - from) * dtype_size_bytes(dtype));
      collect_values(rank, role, owners, static_cast<int32_t>(id), from, to, dtype, chunk);
      if (rank.communicator().is_main()) write(parameter.name, chunk);
    }
  }
}

}  // namespace ftrun
