// Conversions against a reference that knows only the definition of the formats: every 16-bit pattern, every tie.
#include "core/io/convert.h"

#include <cmath>
#include <limits>

#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

struct HalfFormat {
  StoredDtype dtype;
  int exponent_bits;
  int mantissa_bits;
};

constexpr HalfFormat kBf16 = {StoredDtype::kBF16, 8, 7};
constexpr HalfFormat kF16 = {StoredDtype::kF16, 5, 10};

/// The value of a bit pattern by the definition of IEEE formats.
double value_of(const HalfFormat& format, uint16_t bits) {
  const int exponent = bits >> format.mantissa_bits & ((1 << format.exponent_bits) - 1);
  const int mantissa = bits & ((1 << format.mantissa_bits) - 1);
  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const double sign = bits & 0x8000 ? -1.0 : 1.0;
  if (exponent == (1 << format.exponent_bits) - 1) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  const int whole = exponent == 0 ? mantissa : mantissa + (1 << format.mantissa_bits);
  return sign * std::ldexp(whole, std::max(exponent, 1) - bias - format.mantissa_bits);
}

template <typename From, typename To>
To converted(StoredDtype from, From value, StoredDtype to) {
  To result;
  convert_elements(from, std::as_bytes(std::span(&value, 1)), to, std::as_writable_bytes(std::span(&result, 1)));
  return result;
}

class HalfConversion : public testing::TestWithParam<HalfFormat> {};

TEST_P(HalfConversion, WidensAndReturnsEveryPattern) {
  const HalfFormat format = GetParam();
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const double expected = value_of(format, bits);
    const auto as_float = converted<uint16_t, float>(format.dtype, bits, StoredDtype::kF32);
    const auto as_double = converted<uint16_t, double>(format.dtype, bits, StoredDtype::kF64);
    const auto back = converted<float, uint16_t>(StoredDtype::kF32, as_float, format.dtype);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(as_float) && std::isnan(as_double)) << i;
      ASSERT_TRUE(std::isnan(value_of(format, back))) << i;
      ASSERT_EQ(back & 0x8000, bits & 0x8000) << i;
      continue;
    }
    ASSERT_EQ(static_cast<double>(as_float), expected) << i;
    ASSERT_EQ(as_double, expected) << i;
    ASSERT_EQ(std::signbit(as_float), std::signbit(expected)) << i;
    ASSERT_EQ(back, bits) << i;
    ASSERT_EQ((converted<double, uint16_t>(StoredDtype::kF64, expected, format.dtype)), bits) << i;
  }
}

// Between neighbours a < b: the middle goes to the even one, anything beside it to the nearer one. The step past the
// largest number is infinity's.
TEST_P(HalfConversion, RoundsToNearestEvenAtEveryTie) {
  const HalfFormat format = GetParam();
  const auto infinity = static_cast<uint16_t>(((1 << format.exponent_bits) - 1) << format.mantissa_bits);
  const auto check = [&](double value, uint16_t expected) {
    for (const uint16_t sign : {uint16_t{0}, uint16_t{0x8000}}) {
      const double signed_value = sign != 0 ? -value : value;
      const auto want = static_cast<uint16_t>(expected | sign);
      ASSERT_EQ((converted<double, uint16_t>(StoredDtype::kF64, signed_value, format.dtype)), want) << signed_value;
      const auto as_float = static_cast<float>(signed_value);
      if (static_cast<double>(as_float) != signed_value) continue;
      ASSERT_EQ((converted<float, uint16_t>(StoredDtype::kF32, as_float, format.dtype)), want) << signed_value;
    }
  };
  for (uint16_t bits = 0; bits < infinity; ++bits) {
    const double low = value_of(format, bits);
    const auto next = static_cast<uint16_t>(bits + 1);
    const double step =
        next == infinity ? low - value_of(format, static_cast<uint16_t>(bits - 1)) : value_of(format, next) - low;
    const double middle = low + step / 2;
    check(middle, bits % 2 == 0 ? bits : next);
    check(std::nextafter(middle, 0.0), bits);
    check(std::nextafter(middle, 1e300), next);
    const auto middle_float = static_cast<float>(middle);
    check(static_cast<double>(std::nextafterf(middle_float, 0.0f)), bits);
    if (std::isfinite(std::nextafterf(middle_float, INFINITY))) {
      check(static_cast<double>(std::nextafterf(middle_float, INFINITY)), next);
    }
  }
  check(1e300, infinity);
  check(5e-324, 0);
}

INSTANTIATE_TEST_SUITE_P(Formats, HalfConversion, testing::Values(kBf16, kF16),
                         [](const auto& each) { return std::string(dtype_name(each.param.dtype)); });

TEST(Convert, CountsWhatBecomesInfinite) {
  const std::vector<float> values = {1.0f, 65519.0f, 65520.0f, -1e30f, INFINITY, NAN};
  std::vector<uint16_t> halves(values.size());
  const auto destination = std::as_writable_bytes(std::span(halves));
  EXPECT_EQ(convert_elements(StoredDtype::kF32, std::as_bytes(std::span(values)), StoredDtype::kF16, destination), 2u);
  EXPECT_EQ(convert_elements(StoredDtype::kF32, std::as_bytes(std::span(values)), StoredDtype::kBF16, destination), 0u);
  const uint16_t large = bf16_of_f32(1e30f);
  uint16_t half = 0;
  EXPECT_EQ(convert_elements(StoredDtype::kBF16, std::as_bytes(std::span(&large, 1)), StoredDtype::kF16,
                             std::as_writable_bytes(std::span(&half, 1))),
            1u);
  EXPECT_EQ(half, 0x7C00);
  EXPECT_EQ(f32_of_f16(half), INFINITY);
  EXPECT_EQ(f16_of_f32(1.5f), 0x3E00);
  EXPECT_EQ(f32_of_bf16(0x3FC0), 1.5f);
}

TEST(Convert, ReadsRangesAtAnyAlignment) {
  std::vector<std::byte> storage(1 + 7 * 2);
  for (uint16_t i = 0; i < 7; ++i) {
    const uint16_t bits = bf16_of_f32(static_cast<float>(i));
    std::memcpy(storage.data() + 1 + 2 * i, &bits, 2);
  }
  const TensorEntry tensor = {"w", StoredDtype::kBF16, {7}, std::span(storage).subspan(1), "f.safetensors"};
  std::vector<float> out(3);
  const auto bytes = std::as_writable_bytes(std::span(out));
  read_elements(tensor, 2, 5, StoredDtype::kF32, bytes);
  EXPECT_EQ(out, (std::vector<float>{2, 3, 4}));
  read_elements(tensor, 7, 7, StoredDtype::kF32, {});
  std::vector<std::byte> copy(6);
  read_elements(tensor, 4, 7, StoredDtype::kBF16, copy);
  EXPECT_EQ(std::memcmp(copy.data(), storage.data() + 9, 6), 0);
  expect_error(FTRUN_INVALID_ARGUMENT, {"f.safetensors", "'w'", "[5, 8) of 7"},
               [&] { read_elements(tensor, 5, 8, StoredDtype::kF32, bytes); });
  expect_error(FTRUN_INVALID_ARGUMENT, {"element counts differ"},
               [&] { read_elements(tensor, 0, 2, StoredDtype::kF32, bytes); });
  const TensorEntry f8 = {"q", StoredDtype::kF8E4M3, {14}, std::span(storage).subspan(1), "f.safetensors"};
  expect_error(FTRUN_INVALID_ARGUMENT, {"'q'", "F8_E4M3", "BF16"},
               [&] { read_elements(f8, 0, 3, StoredDtype::kF32, bytes); });
  expect_error(FTRUN_UNIMPLEMENTED, {"I32"}, [&] { convert_elements(StoredDtype::kI32, {}, StoredDtype::kF32, {}); });
  const float too_large = 1e30f;
  const TensorEntry wide = {"w", StoredDtype::kF32, {1}, std::as_bytes(std::span(&too_large, 1)), "f.safetensors"};
  expect_error(FTRUN_INVALID_ARGUMENT, {"1 elements of F32 are too large for F16"},
               [&] { read_elements(wide, 0, 1, StoredDtype::kF16, std::span(copy).first(2)); });
}

}  // namespace
}  // namespace ftrun
