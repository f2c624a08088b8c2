// Tile sizes and limits of the matrix product and of attention, one struct per class of CPUs. Leaves out: the code,
// which takes a class as its template parameter T (tiled_kernels.h), so that tests run every class on any CPU.
#pragma once

#include <cstdint>

namespace ftrun::kernels {

/// kVectorLanes: f32 lanes of the class's vectors. Where the machine's are narrower, several stand for one; where they
/// are wider, a part of one does. kTileRows: rows of a in a register tile. A class states anew what differs.
template <int kVectorLanes, int kTileRows>
struct TilesOf {
  static constexpr int64_t kVector = kVectorLanes;
  static constexpr int kMr = kTileRows;
  /// Columns of a register tile and of a packed panel: two vectors.
  static constexpr int64_t kNr = 2 * kVector;
  /// k per pass: a b panel of kKc x kNr floats stays in L1.
  static constexpr int64_t kKc = 256;
  /// Rows of a per pass: kMc x kKc floats stay in L2. A multiple of kMr.
  static constexpr int64_t kMc = 144;
  /// Floats from one packed row of a to the next; not a power of two, so rows do not share cache sets.
  static constexpr int64_t kAStride = kKc + 16;
  /// Largest tile of c: kMaxTileN columns of b stay in L3, and packing a is paid once per kMaxTileN columns.
  static constexpr int64_t kMaxTileM = 1152;
  static constexpr int64_t kMaxTileN = 512;
  /// Up to so many rows of a meet b's rows straight from memory (thin_panel).
  static constexpr int kThinRows = 4;
  /// Up to so many rows of a, weights are read as they lie; beyond, each is used often enough to be packed.
  static constexpr int64_t kFewRows = 48;
  /// Packed elements of k per pass of few rows or columns: panels of a stay in L2.
  static constexpr int64_t kFewRowsKc = 1024;
  /// Up to so many columns are one panel that a's rows meet as they lie; at most kNr.
  static constexpr int64_t kFewColumns = kNr;
  /// Up to so many columns, at most kNr, and from so many rows the product is turned where both lie as rows of k.
  static constexpr int64_t kTurnedColumns = kNr;
  static constexpr int64_t kTurnedRows = 2 * kNr + 1;
};

// Register tiles: 2 FMA ports x 4 cycles latency need 8 chains; 6 x 2 of the 16 registers (12 x 2 of 32) also hide the
// broadcasts.
struct PortableTiles : TilesOf<1, 4> {};
struct NeonTiles : TilesOf<4, 4> {};
struct Avx2Tiles : TilesOf<8, 6> {};
struct Avx512Tiles : TilesOf<16, 12> {};
/// For products of bf16 pairs; those in f32 are tiled as on other AVX-512 CPUs.
struct Avx512Bf16Tiles : TilesOf<16, 12> {};

}  // namespace ftrun::kernels
