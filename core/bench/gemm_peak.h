// What matrix products reach on this machine: our kernel and the libraries that happen to be installed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/tensor/execution_context.h"

namespace ftrun {

/// c[m, n] = a[m, k] b[k, n].
struct GemmShape {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
};

struct GemmMeasure {
  std::string library;  ///< "ftrun", "oneDNN" or "OpenBLAS"
  ftrun_dtype dtype = FTRUN_F32;
  GemmShape shape;
  double tflops = 0;  ///< best of the repetitions, on all threads of the pool
};

/// Times every shape with every library: the device's own matmul, and oneDNN's and OpenBLAS's single-threaded products
/// on one slab of columns per thread, when libdnnl.so.2 and libopenblas.so.0 can be loaded. A library that has no
/// product of this dtype on this CPU is left out. The device must be host-accessible for the libraries to be compared.
/// [rank-thread]
std::vector<GemmMeasure> measure_gemm(ExecutionContext& ctx, ftrun_dtype dtype, std::span<const GemmShape> shapes);

}  // namespace ftrun
