// An execution context on the SDK's reference device, for tests of core. Host calls that a device needs are here too.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "core/autograd/tape.h"
#include "core/base/failure_detail.h"
#include "core/tensor/tensor.h"
#include "ftrun/cpp/half.hpp"
#include "ftrun/cpp/reference_kernels/reference_device.hpp"
#include "ftrun/host.h"

namespace ftrun::test {

inline ftrun_host make_test_host() {
  ftrun_host host = {};
  host.head = {sizeof(host), FTRUN_HOST_TAG};
  host.fail = [](const ftrun_host*, ftrun_status code, ftrun_str message) -> ftrun_status {
    set_failure_detail({message.data, message.size});
    return code;
  };
  host.log = [](const ftrun_host*, ftrun_log_level, ftrun_str) {};
  host.parallel_for = [](const ftrun_host*, int64_t count, ftrun_task task, void* argument) {
    for (int64_t i = 0; i < count; ++i) task(argument, i);
  };
  host.thread_count = [](const ftrun_host*) -> int32_t { return 1; };
  host.thread_index = [](const ftrun_host*) -> int32_t { return 0; };
  return host;
}

/// Opens one device and a context on it; closes it after the last tensor is gone.
class ReferenceEngine {
 public:
  explicit ReferenceEngine(const ftrun_device* table = sdk::reference_device_table(),
                           const ftrun_host& host = make_test_host())
      : host_(host), table_(*table) {
    ftrun_device_open_args args = {};
    args.head = {sizeof(args), FTRUN_DEVICE_OPEN_TAG};
    args.host = &host_;
    check_status(table_.open(&args, &instance_), "open");
    device_ = std::make_unique<Device>(table_, instance_);
    ctx_.device = device_.get();
    ctx_.host_device = device_.get();
    ctx_.tape = &tape_;
  }
  ReferenceEngine(const ReferenceEngine&) = delete;
  ReferenceEngine& operator=(const ReferenceEngine&) = delete;
  ~ReferenceEngine() {
    tape_.clear();
    table_.close(instance_);
  }

  ExecutionContext& ctx() { return ctx_; }
  Tape& tape() { return tape_; }
  Device& device() { return *device_; }
  /// The reference device's own state (only on the reference device).
  sdk::ReferenceDevice& state() { return sdk::ReferenceDevice::of(instance_); }
  /// Without scratch that a device keeps for its kernels.
  uint64_t live_tensor_bytes() {
    const ftrun_memory_stats stats = device_->memory_stats();
    return stats.allocated_bytes - stats.category_bytes[FTRUN_MEMORY_WORKSPACE];
  }
  uint64_t live_bytes() { return device_->memory_stats().allocated_bytes; }
  uint64_t peak_bytes() { return device_->memory_stats().peak_allocated_bytes; }

  /// A tensor of `dtype` (f32 or bf16) with these values.
  Tensor tensor(const Shape& shape, const std::vector<double>& values, ftrun_dtype dtype = FTRUN_F32) {
    if (dtype == FTRUN_BF16) {
      std::vector<uint16_t> narrow;
      for (const double value : values) narrow.push_back(bf16_from_float(static_cast<float>(value)));
      return from_host(ctx_, dtype, shape, narrow.data());
    }
    const std::vector<float> narrow(values.begin(), values.end());
    return from_host(ctx_, dtype, shape, narrow.data());
  }
  Tensor ids(const std::vector<int32_t>& values) {
    return from_host(ctx_, FTRUN_I32, {static_cast<int64_t>(values.size())}, values.data());
  }
  std::vector<double> values(const Tensor& x) {
    const std::vector<float> narrow = read_floats(ctx_, x);
    return {narrow.begin(), narrow.end()};
  }

 private:
  ftrun_host host_;
  const ftrun_device& table_;
  void* instance_ = nullptr;
  std::unique_ptr<Device> device_;
  ExecutionContext ctx_;
  Tape tape_;
};

/// Uniform numbers in [low, high), rounded to `dtype` so that a device tensor holds exactly them.
inline std::vector<double> random_values(std::mt19937_64& generator, int64_t count, double low, double high,
                                         ftrun_dtype dtype = FTRUN_F32) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) {
    const double unit = static_cast<double>(generator() >> 11) * 0x1p-53;
    const auto value = static_cast<float>(low + (high - low) * unit);
    values.push_back(dtype == FTRUN_BF16 ? bf16_to_float(bf16_from_float(value)) : value);
  }
  return values;
}

}  // namespace ftrun::test
