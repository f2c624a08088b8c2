// Element types of tensors in files (the safetensors names), with their sizes.
// Leaves out: the engine's dtypes; the layer that joins io and engine maps between the two.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

/// Declared in the order of the safetensors library, which sorts a file's tensors by it, descending.
/// The F8 types are known, so that a file holding them opens, but convert.h refuses to read their elements.
enum class StoredDtype : uint8_t {
  kBool,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kF64,
  kI64,
  kU64,
};

/// Bytes of one element: 1, 2, 4 or 8.
uint64_t dtype_size_bytes(StoredDtype dtype) noexcept;

/// The safetensors name, for example "BF16".
std::string_view dtype_name(StoredDtype dtype) noexcept;

/// Reads a safetensors name ("BF16"); nothing when unknown.
std::optional<StoredDtype> parse_dtype_name(std::string_view name) noexcept;

/// Every safetensors name parse_dtype_name accepts, for messages.
std::vector<std::string> known_dtype_names();

/// The config.json spelling: "float32", "float16", "bfloat16", "float64"; "" for types that no config names.
std::string_view config_dtype_name(StoredDtype dtype) noexcept;

/// Reads a config.json spelling, with or without "torch."; nothing when unknown.
std::optional<StoredDtype> parse_config_dtype_name(std::string_view name) noexcept;

/// Number of elements of a shape (1 for a scalar). Nothing when a size is negative or the product leaves 63 bits.
std::optional<uint64_t> element_count(std::span<const int64_t> shape) noexcept;

/// "[2, 3]", and "[]" for a scalar.
std::string shape_text(std::span<const int64_t> shape);

}  // namespace ftrun
