// Expectations by scalar code that shares nothing with the host's.
#include "tests/collectives/collective_cases.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "ftrun/cpp/half.hpp"

namespace ftrun::test {
namespace {

float rounded(ftrun_dtype dtype, float value) {
  return dtype == FTRUN_BF16 ? bf16_to_float(bf16_from_float(value)) : value;
}

std::vector<std::byte> bytes_of(TeamRank& rank, const Tensor& tensor) {
  std::vector<std::byte> bytes(tensor.bytes());
  read(rank.ctx, tensor, bytes.data(), bytes.size());
  return bytes;
}

Tensor blank(TeamRank& rank, ftrun_dtype dtype, int64_t elements, ftrun_placement placement) {
  const Tensor tensor = empty(rank.ctx, dtype, {elements}, FTRUN_MEMORY_OTHER, placement);
  const std::vector<std::byte> junk(tensor.bytes(), std::byte{0x7f});
  write_from_host(rank.ctx, tensor, junk.data(), junk.size());
  return tensor;
}

/// One case: its tensors, the collectives over them and their expectations.
class Case {
 public:
  Case(TeamRank& rank, CommunicatorGroup& group, const CaseOptions& options)
      : rank_(rank),
        group_(group),
        options_(options),
        whole_(options.placement == Placement::kHost ? FTRUN_PLACEMENT_HOST : FTRUN_PLACEMENT_DEVICE),
        part_(options.placement == Placement::kDevice ? FTRUN_PLACEMENT_DEVICE : FTRUN_PLACEMENT_HOST) {}

  void all_reduce(int64_t n) {
    const Tensor data = made_up_tensor(rank_, options_.dtype, n, whole_);
    wait(comm().all_reduce(rank_.ctx, group_, data, options_.start));
    expect("all_reduce", data, [&](int64_t i) { return folded(options_.dtype, group_.ranks, i); });
  }
  void reduce_scatter(int64_t part) {
    const Tensor data = made_up_tensor(rank_, options_.dtype, part * group_.size(), whole_);
    const Tensor slice = blank(rank_, options_.dtype, part, part_);
    wait(comm().reduce_scatter(rank_.ctx, group_, data, slice, options_.start));
    const int64_t begin = part * group_.index;
    expect("reduce_scatter", slice, [&](int64_t i) { return folded(options_.dtype, group_.ranks, begin + i); });
    if (part_ != whole_) return;
    const Tensor inside = data.slice(0, begin, begin + part);
    wait(comm().reduce_scatter(rank_.ctx, group_, data, inside, options_.start));
    expect("reduce_scatter in place", inside,
           [&](int64_t i) { return folded(options_.dtype, group_.ranks, begin + i); });
  }
  void all_gather(int64_t part) {
    const Tensor slice = made_up_tensor(rank_, options_.dtype, part, part_);
    const Tensor data = blank(rank_, options_.dtype, part * group_.size(), whole_);
    wait(comm().all_gather(rank_.ctx, group_, slice, data, options_.start));
    const auto expected = [&](int64_t i) {
      return made_up(options_.dtype, group_.ranks[static_cast<size_t>(i / part)], i % part);
    };
    expect("all_gather", data, expected);
  }
  void broadcast(int64_t n) {
    for (int32_t root = 0; root < group_.size(); ++root) {
      const Tensor data = made_up_tensor(rank_, options_.dtype, n, whole_);
      wait(comm().broadcast(rank_.ctx, group_, data, root, options_.start));
      expect("broadcast", data,
             [&](int64_t i) { return made_up(options_.dtype, group_.ranks[static_cast<size_t>(root)], i); });
    }
  }
  void all_to_all(int64_t part) {
    const int64_t n = part * group_.size();
    const Tensor in = made_up_tensor(rank_, options_.dtype, n, whole_);
    const Tensor out = blank(rank_, options_.dtype, n, part_);
    wait(comm().all_to_all(rank_.ctx, group_, in, out, options_.start));
    expect("all_to_all", out, [&](int64_t i) {
      return made_up(options_.dtype, group_.ranks[static_cast<size_t>(i / part)], group_.index * part + i % part);
    });
  }
  /// Around the ring, the first rank sending first.
  void send_and_receive(int64_t n) {
    if (group_.size() == 1) return;
    const int32_t next = (group_.index + 1) % group_.size();
    const int32_t previous = (group_.index + group_.size() - 1) % group_.size();
    const Tensor data = made_up_tensor(rank_, options_.dtype, n, whole_);
    const Tensor arrived = blank(rank_, options_.dtype, n, part_);
    const auto send = [&] { wait(comm().send(rank_.ctx, group_, data, next, options_.start)); };
    if (group_.index == 0) send();
    wait(comm().receive(rank_.ctx, group_, arrived, previous, options_.start));
    if (group_.index != 0) send();
    expect("receive", arrived,
           [&](int64_t i) { return made_up(options_.dtype, group_.ranks[static_cast<size_t>(previous)], i); });
  }
  std::vector<std::byte> take_results() { return std::move(results_); }

 private:
  Communicator& comm() { return rank_.communicator; }
  void wait(std::unique_ptr<CollectiveWork> work) { comm().wait(rank_.ctx, std::move(work)); }

  template <typename Expected>
  void expect(const char* what, const Tensor& tensor, Expected&& expected) {
    const std::vector<float> values = values_of(rank_, tensor);
    int64_t wrong = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const float right = expected(static_cast<int64_t>(i));
      if (std::memcmp(&values[i], &right, sizeof(right)) == 0) continue;
      if (++wrong == 1)
        ADD_FAILURE() << what << " " << tensor.text() << " [" << i << "]: " << values[i] << ", not " << right;
    }
    EXPECT_EQ(wrong, 0) << what << " " << tensor.text() << " on rank " << comm().rank() << " of " << comm().world();
    const std::vector<std::byte> bytes = bytes_of(rank_, tensor);
    results_.insert(results_.end(), bytes.begin(), bytes.end());
  }

  TeamRank& rank_;
  CommunicatorGroup& group_;
  const CaseOptions& options_;
  ftrun_placement whole_;
  ftrun_placement part_;
  std::vector<std::byte> results_;
};

}  // namespace

float made_up(ftrun_dtype dtype, int32_t rank, int64_t i) {
  const double x = static_cast<double>((i * 2654435761LL + rank * 40503LL) % 100003) / 100003.0 - 0.5;
  const int exponent = static_cast<int>((i * 7 + rank * 5) % 13) - 6;
  return rounded(dtype, static_cast<float>(std::ldexp(x, exponent)));
}

float folded(ftrun_dtype dtype, const std::vector<int32_t>& ranks, int64_t i) {
  float sum = made_up(dtype, ranks.front(), i);
  for (size_t member = 1; member < ranks.size(); ++member) sum += made_up(dtype, ranks[member], i);
  return rounded(dtype, sum);
}

Tensor made_up_tensor(TeamRank& rank, ftrun_dtype dtype, int64_t elements, ftrun_placement placement) {
  const Tensor tensor = empty(rank.ctx, dtype, {elements}, FTRUN_MEMORY_OTHER, placement);
  std::vector<float> floats(static_cast<size_t>(elements));
  std::vector<uint16_t> halves(static_cast<size_t>(elements));
  for (size_t i = 0; i < floats.size(); ++i) {
    floats[i] = made_up(dtype, rank.communicator.rank(), static_cast<int64_t>(i));
    halves[i] = bf16_from_float(floats[i]);
  }
  const void* data = dtype == FTRUN_BF16 ? static_cast<const void*>(halves.data()) : floats.data();
  write_from_host(rank.ctx, tensor, data, tensor.bytes());
  return tensor;
}

std::vector<float> values_of(TeamRank& rank, const Tensor& tensor) {
  const std::vector<std::byte> bytes = bytes_of(rank, tensor);
  std::vector<float> values(static_cast<size_t>(tensor.element_count()));
  for (size_t i = 0; i < values.size(); ++i) {
    if (tensor.dtype() == FTRUN_BF16) {
      uint16_t half = 0;
      std::memcpy(&half, bytes.data() + i * sizeof(half), sizeof(half));
      values[i] = bf16_to_float(half);
    } else {
      std::memcpy(&values[i], bytes.data() + i * sizeof(float), sizeof(float));
    }
  }
  return values;
}

std::vector<std::byte> run_collectives(TeamRank& rank, CommunicatorGroup& group, const CaseOptions& options) {
  Case checked(rank, group, options);
  const int64_t part = options.part;
  checked.all_reduce(part);
  checked.all_reduce(part * group.size() + 1);
  checked.reduce_scatter(part);
  checked.all_gather(part);
  checked.broadcast(2 * part + 1);
  checked.all_to_all(part);
  checked.send_and_receive(part);
  return checked.take_results();
}

std::vector<std::vector<std::byte>> all_bits(TeamRank& rank) {
  std::vector<std::vector<std::byte>> all;
  for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) {
    for (const int64_t part : {1, 1'025, 40'003}) {
      for (const Placement placement : {Placement::kDevice, Placement::kMixed}) {
        all.push_back(run_collectives(rank, rank.communicator.world_group(), {dtype, part, placement}));
      }
    }
  }
  return all;
}

}  // namespace ftrun::test
