// Runs kernels by op name on small owned tensors and compares with float64 references.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ftrun/cpp/half.hpp"
#include "plugins/devices/kernels/op_table.h"
#include "tests/kernels/guarded_bytes.h"
#include "tests/kernels/test_host.h"

namespace ftrun::test {

using kernels::KernelError;

/// `sizes`, and 1 .. 33: every tail that a span leaves to vectors of up to 16 lanes, alone and after whole ones.
inline std::vector<int64_t> with_every_tail(std::vector<int64_t> sizes) {
  for (int64_t size = 1; size <= 33; ++size) sizes.push_back(size);
  return sizes;
}

inline double dtype_epsilon(ftrun_dtype dtype) { return dtype == FTRUN_BF16 ? 0x1p-8 : 0x1p-23; }

/// An owned tensor between a canary and a page without access. Elements are addressed in logical order whatever the
/// strides.
class Array {
 public:
  Array(ftrun_dtype dtype, std::vector<int64_t> shape, int64_t row_padding = 0)
      : dtype_(dtype),
        shape_(std::move(shape)),
        strides_(strides_of(shape_, row_padding)),
        storage_(extent(shape_, strides_) * FTRUN_DTYPE_BYTES(dtype)) {
    fill(0.0);
  }
  ftrun_view view() const {
    return {storage_.data(), FTRUN_DEVICE_TYPE_CPU, 0, static_cast<int32_t>(shape_.size()), dtype_,
            shape_.data(),   strides_.data(),       0};
  }
  int64_t count() const { return reference::element_count(view()); }
  ftrun_dtype dtype() const { return dtype_; }
  double get(int64_t i) const {
    return reference::load_double(storage_.data(), dtype_, reference::strided_offset(view(), i));
  }
  void set(int64_t i, double value) {
    reference::store_double(storage_.data(), dtype_, reference::strided_offset(view(), i), value);
  }
  void fill(double value) {
    for (int64_t i = 0; i < count(); ++i) set(i, value);
  }
  void randomize(uint64_t seed, double scale = 1.0) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal(0.0, scale);
    for (int64_t i = 0; i < count(); ++i) set(i, normal(engine));
  }
  std::vector<char> bits() const {
    const size_t size = FTRUN_DTYPE_BYTES(dtype_);
    std::vector<char> result(static_cast<size_t>(count()) * size);
    for (int64_t i = 0; i < count(); ++i) {
      std::memcpy(result.data() + static_cast<size_t>(i) * size,
                  storage_.data() + static_cast<size_t>(reference::strided_offset(view(), i)) * size, size);
    }
    return result;
  }
  bool canaries_intact() const { return storage_.intact(); }

 private:
  static std::vector<int64_t> strides_of(const std::vector<int64_t>& shape, int64_t row_padding) {
    std::vector<int64_t> strides(shape.size(), 1);
    int64_t stride = 1;
    for (size_t axis = shape.size(); axis-- > 0;) {
      strides[axis] = stride;
      stride *= shape[axis];
      if (axis + 1 == shape.size()) stride += row_padding;
    }
    return strides;
  }
  /// Elements up to and including the last one: padding after the last row is not memory.
  static uint64_t extent(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
    int64_t last = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] == 0) return 0;
      last += (shape[axis] - 1) * strides[axis];
    }
    return static_cast<uint64_t>(last + 1);
  }

  ftrun_dtype dtype_;
  std::vector<int64_t> shape_, strides_;
  GuardedBytes storage_;
};

class MallocSource : public kernels::ScratchSource {
 public:
  void* allocate(uint64_t bytes) override {
    void* data = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    // Kernels may not rely on zeroed scratch.
    std::memset(data, 0xff, bytes);
    return data;
  }
  void release(void* data) override { std::free(data); }
};

/// A context with its own host and scratch.
class Machine {
 public:
  explicit Machine(int32_t threads = 1)
      : host_(threads), scratch_(source_, source_), context_{kernels::Parallel(host_.host()), scratch_} {}

  /// Outputs may be nullptr: absent.
  void run(const char* name, const std::vector<const Array*>& inputs, const std::vector<Array*>& outputs,
           const void* attributes = nullptr) {
    std::vector<ftrun_view> in, out;
    ftrun_dtype dtype = outputs.empty() || outputs[0] == nullptr ? FTRUN_F32 : outputs[0]->dtype();
    for (const Array* array : inputs) {
      in.push_back(array->view());
    }
    for (const Array* array : outputs) out.push_back(array != nullptr ? array->view() : ftrun_view{});
    const int64_t op = kernels::find_op(name, FTRUN_F32);
    ASSERT_GE(op, 0) << name << reference::dtype_name(dtype);
    const ftrun_op_call call{{sizeof(ftrun_op_call), FTRUN_OP_CALL_TAG},
                             static_cast<uint64_t>(op),
                             static_cast<int32_t>(in.size()),
                             static_cast<int32_t>(out.size()),
                             in.data(),
                             out.data(),
                             attributes};
    kernels::op_at(op).run(context_, call);
    for (const Array* array : inputs) EXPECT_TRUE(array->canaries_intact()) << name;
    for (const Array* array : outputs) EXPECT_TRUE(array == nullptr || array->canaries_intact()) << name;
  }
  kernels::Context& context() { return context_; }

 private:
  TestHost host_;
  MallocSource source_;
  kernels::Scratch scratch_;
  kernels::Context context_;
};

template <class Attributes>
Attributes attributes() {
  Attributes value{};
  value.head = {sizeof(Attributes), FTRUN_ATTRIBUTES_TAG};
  return value;
}

/// |got - expected| <= (units * eps(dtype) + f32 work of sqrt(K) roundings) * magnitude, per element; `magnitude`
/// defaults to |expected|, for sums give the sum of absolute terms.
inline void expect_close(const Array& got, const std::vector<double>& expected, const std::vector<double>& magnitude,
                         double k, const std::string& what, double units = 1.0) {
  ASSERT_EQ(static_cast<size_t>(got.count()), expected.size()) << what;
  const double work = 4.0 * 0x1p-23 * (1.0 + std::sqrt(k));
  for (int64_t i = 0; i < got.count(); ++i) {
    const double reference = expected[static_cast<size_t>(i)], value = got.get(i);
    if (std::isnan(reference) || std::isinf(reference)) {
      ASSERT_TRUE(std::isnan(reference) ? std::isnan(value) : value == reference)
          << what << " element " << i << ": " << value << " for " << reference;
      continue;
    }
    const double scale = magnitude.empty() ? std::fabs(reference) : magnitude[static_cast<size_t>(i)];
    const double tolerance = units * dtype_epsilon(got.dtype()) * std::fabs(reference) + work * scale + 1e-37;
    ASSERT_NEAR(value, reference, tolerance) << what << " element " << i;
  }
}

}  // namespace ftrun::test
