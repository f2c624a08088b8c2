// Instantiates every class's tiled kernels for this CPU's vectors. Products of bf16 pairs are emulated with the same
// bits, whatever the CPU has.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/kernels/class_kernels.cpp"
#include "tests/kernels/class_kernels.h"

#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/attention_backward-inl.h"
#include "plugins/devices/kernels/attention_forward-inl.h"
#include "plugins/devices/kernels/gemm_blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

/// A type of its own, so that the linker does not put this file's code in the place of the library's.
template <class T>
struct Instantiated : T {};

template <class T>
test::CpuClass sizes_of(const char* name) {
  test::CpuClass result{};
  result.name = name;
  result.vector = T::kVector;
  result.panel = T::kNr;
  result.tile_rows = T::kMr;
  result.block_rows = T::kMc;
  result.max_rows = T::kMaxTileM;
  result.max_columns = T::kMaxTileN;
  result.thin_rows = T::kThinRows;
  result.few_rows = T::kFewRows;
  result.turned_rows = T::kTurnedRows;
  result.depth = T::kKc;
  result.few_depth = T::kFewRowsKc;
  result.packed_a = T::kMc * T::kAStride;
  result.has_fused_products = HWY_TARGET != HWY_SCALAR;
  return result;
}

test::CpuClass own_sizes() { return sizes_of<OwnTiles>("own"); }

#if HWY_TARGET != HWY_SCALAR
template <class T>
test::CpuClass class_of(const char* name) {
  using I = Instantiated<T>;
  test::CpuClass result = sizes_of<T>(name);
  result.kernels = {gemm_with<I, F32Products>, nullptr, attention_forward_with<I>, attention_backward_with<I>};
  return result;
}
/// T tiles products in f32, PairsT those of bf16 pairs.
template <class T, class PairsT>
test::CpuClass class_of(const char* name) {
  using I = Instantiated<PairsT>;
  test::CpuClass result = sizes_of<PairsT>(name);
  result.kernels = class_of<T>(name).kernels;
  result.kernels.gemm_pairs = gemm_with<I, Bf16Pairs<false>>;
  return result;
}
#endif

std::vector<test::CpuClass> all_classes() {
#if HWY_TARGET == HWY_SCALAR
  return {};
#else
  return {class_of<PortableTiles>("portable"), class_of<NeonTiles>("neon"), class_of<Avx2Tiles>("avx2"),
          class_of<Avx512Tiles>("avx512"), class_of<Avx512Tiles, Avx512Bf16Tiles>("avx512_bf16")};
#endif
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {
HWY_EXPORT(own_sizes);
HWY_EXPORT(all_classes);

test::CpuClass sizes_in_force() { return HWY_DYNAMIC_DISPATCH(own_sizes)(); }
std::vector<test::CpuClass> classes_in_force() { return HWY_DYNAMIC_DISPATCH(all_classes)(); }
}  // namespace
}  // namespace ftrun::kernels

namespace ftrun::test {

std::vector<CpuClass> cpu_classes() { return kernels::classes_in_force(); }

CpuClass own_class() {
  CpuClass result = kernels::sizes_in_force();
  result.kernels = kernels::tiled_kernels();
  return result;
}

}  // namespace ftrun::test
#endif
