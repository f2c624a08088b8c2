// What every kernel gets: the host's threads and reusable scratch memory. Leaves out: devices, streams, statistics.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "ftrun/cpp/reference_kernels/operands.hpp"

namespace ftrun::kernels {

using reference::KernelError;

/// The host's parallel_for. Bodies must not throw, wait or nest. Results must not depend on the split.
class Parallel {
 public:
  explicit Parallel(const ftrun_host* host) : host_(host) {}
  int32_t thread_count() const { return host_->thread_count(host_); }
  int32_t thread_index() const { return host_->thread_index(host_); }

  /// body(i) for every i in [0, count).
  template <class Body>
  void run(int64_t count, const Body& body) const {
    if (count == 1) {
      body(int64_t{0});
      return;
    }
    if (count <= 0) return;
    host_->parallel_for(
        host_, count, [](void* argument, int64_t index) { (*static_cast<const Body*>(argument))(index); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }
  /// body(begin, end) over [0, count) in pieces of `grain`.
  template <class Body>
  void ranges(int64_t count, int64_t grain, const Body& body) const {
    run((count + grain - 1) / grain, [&](int64_t i) {
      const int64_t end = (i + 1) * grain;
      body(i * grain, end < count ? end : count);
    });
  }

 private:
  const ftrun_host* host_;
};

/// Where scratch memory comes from. allocate throws KernelError(RESOURCE_EXHAUSTED); 64-byte aligned.
class ScratchSource {
 public:
  virtual ~ScratchSource() = default;
  virtual void* allocate(uint64_t bytes) = 0;
  virtual void release(void* data) = 0;
};

/// Buffers that grow to the largest request and are then reused. [rank-thread] but for `thread`, which tasks call.
class Scratch {
 public:
  /// `shared_source` pays for buffers of a whole op, `thread_source` for those of one thread. Both outlive this object.
  Scratch(ScratchSource& shared_source, ScratchSource& thread_source)
      : shared_source_(shared_source), thread_source_(thread_source) {}
  ~Scratch() { release(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// Makes thread(i) point to at least `bytes` for i in [0, threads). Before parallel_for, never inside.
  void reserve_threads(int32_t threads, uint64_t bytes);
  char* thread(int32_t index) const { return static_cast<char*>(threads_[static_cast<size_t>(index)].data); }
  /// One buffer for the op that is running. The GEMM uses none, so an op that owns it may call the GEMM.
  char* shared(uint64_t bytes);
  /// Gives all memory back.
  void release();
  uint64_t held_bytes() const;

 private:
  struct Block {
    void* data = nullptr;
    uint64_t bytes = 0;
  };
  static void grow(ScratchSource& source, Block& block, uint64_t bytes);

  ScratchSource& shared_source_;
  ScratchSource& thread_source_;
  Block shared_;
  std::vector<Block> threads_;
};

/// Cuts 64-byte aligned arrays off a buffer; with a null base it only measures.
class Carver {
 public:
  explicit Carver(char* base) : base_(base) {}
  template <class T>
  T* take(int64_t count) {
    const uint64_t at = bytes_;
    bytes_ += (static_cast<uint64_t>(count) * sizeof(T) + 63u) / 64u * 64u;
    return base_ ? reinterpret_cast<T*>(base_ + at) : nullptr;
  }
  uint64_t bytes() const { return bytes_; }

 private:
  char* base_;
  uint64_t bytes_ = 0;
};

struct Context {
  Parallel parallel;
  Scratch& scratch;
  /// What an op may hold of rows that it must see whole (logits of one-pass cross-entropy). Never changes a bit.
  int64_t whole_rows_bytes = int64_t{256} << 20;
};

/// The scratch of each thread for kernels that need `bytes` per task.
inline void reserve_thread_scratch(Context& ctx, uint64_t bytes) {
  ctx.scratch.reserve_threads(ctx.parallel.thread_count(), bytes);
}

inline constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

}  // namespace ftrun::kernels
