// The table of element types.
#include "core/io/stored_dtype.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

namespace ftrun {
namespace {

struct DtypeRow {
  std::string_view name;
  std::string_view config_name;
  uint64_t size_bytes;
};

// Indexed by StoredDtype.
constexpr std::array<DtypeRow, 15> kRows = {{
    {"BOOL", "", 1},
    {"U8", "", 1},
    {"I8", "", 1},
    {"F8_E5M2", "", 1},
    {"F8_E4M3", "", 1},
    {"I16", "", 2},
    {"U16", "", 2},
    {"F16", "float16", 2},
    {"BF16", "bfloat16", 2},
    {"I32", "", 4},
    {"U32", "", 4},
    {"F32", "float32", 4},
    {"F64", "float64", 8},
    {"I64", "", 8},
    {"U64", "", 8},
}};
static_assert(static_cast<size_t>(StoredDtype::kU64) + 1 == kRows.size());

const DtypeRow& row(StoredDtype dtype) noexcept { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

uint64_t dtype_size_bytes(StoredDtype dtype) noexcept { return row(dtype).size_bytes; }

std::string_view dtype_name(StoredDtype dtype) noexcept { return row(dtype).name; }

std::optional<StoredDtype> parse_dtype_name(std::string_view name) noexcept {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<StoredDtype>(i);
  }
  return {};
}

std::vector<std::string> known_dtype_names() {
  std::vector<std::string> names;
  for (const DtypeRow& each : kRows) names.emplace_back(each.name);
  return names;
}

std::string_view config_dtype_name(StoredDtype dtype) noexcept { return row(dtype).config_name; }

std::optional<StoredDtype> parse_config_dtype_name(std::string_view name) noexcept {
  constexpr std::string_view kPrefix = "torch.";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (!kRows[i].config_name.empty() && kRows[i].config_name == name) return static_cast<StoredDtype>(i);
  }
  return {};
}

std::optional<uint64_t> element_count(std::span<const int64_t> shape) noexcept {
  constexpr uint64_t kLimit = uint64_t{1} << 63;
  uint64_t count = 1;
  bool empty = false;
  for (const int64_t size : shape) {
    if (size < 0) return {};
    if (size == 0) {
      empty = true;
      continue;
    }
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(size), &count) || count >= kLimit) return {};
  }
  return empty ? 0 : count;
}

std::string shape_text(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace ftrun
