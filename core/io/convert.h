// Floating-point elements of files converted to and from the dtypes that are computed with.
// Leaves out: integer and F8 elements, and threads (callers split ranges; a result never depends on its place in a
// range).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/io/safetensors.h"
#include "core/io/stored_dtype.h"

namespace ftrun {

/// Converts `destination.size() / size(to)` consecutive elements. `from` and `to` are F32, BF16, F16 or F64, spans need
/// no alignment and do not overlap. Narrowing rounds once, to nearest, ties to even; infinities stay, NaN stay NaN
/// (quiet, sign kept); equal dtypes are copied bit for bit.
/// @return how many finite elements became infinite because `to` cannot hold them.
/// Throws UNIMPLEMENTED for other dtypes, INVALID_ARGUMENT when the spans' element counts differ. Thread: any.
uint64_t convert_elements(StoredDtype from, std::span<const std::byte> source, StoredDtype to,
                          std::span<std::byte> destination);

/// Elements [begin, end) of `tensor` as `to` into `destination`, which holds exactly end - begin of them.
/// Throws INVALID_ARGUMENT naming file and tensor: range outside the tensor, dtype that is not floating point, a finite
/// element that `to` cannot hold. Thread: any.
void read_elements(const TensorEntry& tensor, uint64_t begin, uint64_t end, StoredDtype to,
                   std::span<std::byte> destination);

/// Single elements, as bits. Rounding as above.
float f32_of_bf16(uint16_t bits) noexcept;
float f32_of_f16(uint16_t bits) noexcept;
uint16_t bf16_of_f32(float value) noexcept;
uint16_t f16_of_f32(float value) noexcept;

}  // namespace ftrun
