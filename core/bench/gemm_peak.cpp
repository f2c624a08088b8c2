// Libraries are loaded only here, so that nothing but `ftrun bench` pays for them or needs them.
#define BOOST_DLL_USE_STD_FS

#include "core/bench/gemm_peak.h"

#include <algorithm>
#include <atomic>
#include <boost/dll/shared_library.hpp>
#include <chrono>
#include <functional>
#include <optional>

#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/parallel/thread_pool.h"
#include "core/tensor/tensor.h"

namespace ftrun {
namespace {

constexpr int kRepetitions = 4;

/// One product on the caller's thread: columns [0, n) of slabs whose rows are lda, ldb and ldc elements apart.
using SlabProduct = std::function<bool(const GemmShape& slab, const void* a, int64_t lda, const void* b, int64_t ldb,
                                       float* c, int64_t ldc)>;

struct Library {
  std::string name;
  boost::dll::shared_library file;
  SlabProduct product;
};

boost::dll::shared_library load(const char* file) {
  std::error_code ignored;
  boost::dll::shared_library library;
  library.load(file, ignored, boost::dll::load_mode::search_system_folders | boost::dll::load_mode::rtld_now);
  return library;
}

std::optional<Library> one_dnn(ftrun_dtype dtype) {
  using Gemm = int(char, char, int64_t, int64_t, int64_t, float, const void*, int64_t, const void*, int64_t, float,
                   float*, int64_t);
  Library library{"oneDNN", load("libdnnl.so.2"), {}};
  const char* symbol = dtype == FTRUN_BF16 ? "dnnl_gemm_bf16bf16f32" : "dnnl_sgemm";
  if (!library.file.is_loaded() || !library.file.has(symbol)) return {};
  Gemm& gemm = library.file.get<Gemm>(symbol);
  library.product = [&gemm](const GemmShape& s, const void* a, int64_t lda, const void* b, int64_t ldb, float* c,
                            int64_t ldc) {
    return gemm('N', 'N', s.m, s.n, s.k, 1.0f, a, lda, b, ldb, 0.0f, c, ldc) == 0;
  };
  return library;
}

std::optional<Library> open_blas(ftrun_dtype dtype) {
  using Gemm = void(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  if (dtype != FTRUN_F32) return {};
  Library library{"OpenBLAS", load("libopenblas.so.0"), {}};
  if (!library.file.is_loaded() || !library.file.has("cblas_sgemm")) return {};
  if (library.file.has("openblas_set_num_threads")) library.file.get<void(int)>("openblas_set_num_threads")(1);
  Gemm& gemm = library.file.get<Gemm>("cblas_sgemm");
  library.product = [&gemm](const GemmShape& s, const void* a, int64_t lda, const void* b, int64_t ldb, float* c,
                            int64_t ldc) {
    constexpr int kRowMajor = 101, kNoTranspose = 111;
    gemm(kRowMajor, kNoTranspose, kNoTranspose, static_cast<int>(s.m), static_cast<int>(s.n), static_cast<int>(s.k),
         1.0f, static_cast<const float*>(a), static_cast<int>(lda), static_cast<const float*>(b), static_cast<int>(ldb),
         0.0f, c, static_cast<int>(ldc));
    return true;
  };
  return library;
}

/// One slab of columns per thread; false when the library refused.
bool run_slabs(const Library& library, const GemmShape& shape, const Tensor& a, const Tensor& b, const Tensor& c) {
  struct Job {
    const Library* library;
    GemmShape shape;
    const char *a, *b;
    float* c;
    int64_t element, slabs;
    std::atomic<bool> ok;
  } job{&library,
        shape,
        static_cast<const char*>(a.address()),
        static_cast<const char*>(b.address()),
        static_cast<float*>(c.address()),
        static_cast<int64_t>(FTRUN_DTYPE_BYTES(a.dtype())),
        thread_count(),
        true};
  parallel_for(
      job.slabs,
      [](void* argument, int64_t index) {
        Job& j = *static_cast<Job*>(argument);
        const int64_t begin = j.shape.n * index / j.slabs, end = j.shape.n * (index + 1) / j.slabs;
        if (!j.library->product({j.shape.m, end - begin, j.shape.k}, j.a, j.shape.k, j.b + begin * j.element, j.shape.n,
                                j.c + begin, j.shape.n)) {
          j.ok = false;
        }
      },
      &job);
  return job.ok;
}

/// Seconds of the fastest repetition; nothing when the product failed.
std::optional<double> fastest(const std::function<bool()>& product) {
  double best = 1e300;
  for (int i = 0; i < kRepetitions; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    if (!product()) return {};
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

}  // namespace

std::vector<GemmMeasure> measure_gemm(ExecutionContext& ctx, ftrun_dtype dtype, std::span<const GemmShape> shapes) {
  std::vector<Library> libraries;
  if (ctx.device->host_accessible()) {
    for (auto* open : {one_dnn, open_blas}) {
      if (auto library = open(dtype)) libraries.push_back(std::move(*library));
    }
  }
  std::vector<GemmMeasure> measures;
  for (const GemmShape& shape : shapes) {
    const Tensor a = empty(ctx, dtype, {shape.m, shape.k}, FTRUN_MEMORY_WORKSPACE);
    const Tensor b = empty(ctx, dtype, {shape.k, shape.n}, FTRUN_MEMORY_WORKSPACE);
    const Tensor c = empty(ctx, FTRUN_F32, {shape.m, shape.n}, FTRUN_MEMORY_WORKSPACE);
    ops::random_normal(ctx, a, 1, 0, 0, 0.0, 1.0);
    ops::random_normal(ctx, b, 1, 1, 0, 0.0, 1.0);
    const double flops =
        2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k) * 1e-12;
    const auto add = [&](const std::string& name, const std::function<bool()>& product) {
      if (const auto seconds = fastest(product)) measures.push_back({name, dtype, shape, flops / *seconds});
    };
    add("ftrun", [&] {
      ops::matmul_into(ctx, a, b, c, false, false, false);
      ctx.device->synchronize(ctx.stream);
      return true;
    });
    for (const Library& library : libraries) add(library.name, [&] { return run_slabs(library, shape, a, b, c); });
  }
  return measures;
}

}  // namespace ftrun
