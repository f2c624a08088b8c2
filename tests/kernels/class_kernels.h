// The tiled kernels of every class of CPUs, instantiated for this CPU's vectors. Leaves out: what they must compute.
#pragma once

#include <cstdint>
#include <vector>

#include "plugins/devices/kernels/tiled_kernels.h"

namespace ftrun::test {

/// A class and the sizes at which its code takes another way (tiles.h).
struct CpuClass {
  const char* name;  ///< as FTRUN_CPU_ISA has it, where it does
  int64_t vector, panel;
  int64_t tile_rows, block_rows, max_rows, max_columns;  ///< kMr, kMc, kMaxTileM, kMaxTileN
  int64_t thin_rows, few_rows, turned_rows;
  int64_t depth, few_depth;  ///< packed elements of k per pass
  int64_t packed_a;          ///< floats that fit where a block of a is packed
  bool has_fused_products;   ///< Highway's scalar target rounds product and sum
  kernels::TiledKernels kernels;
};

/// Every class, with emulated bf16 pairs where it has pairs. Only the CPU's own where the portable code is in force,
/// because so wide panels of single floats would take minutes to compile.
std::vector<CpuClass> cpu_classes();
/// The class whose instantiation the library chose for this CPU, and the kernels in force.
CpuClass own_class();

}  // namespace ftrun::test
