// Files of the Python safetensors library are read, and ours are the same bytes (tests/golden/safetensors_files.py).
#include <nlohmann/json.hpp>

#include "core/base/json_text.h"
#include "core/io/convert.h"
#include "core/io/model_weights.h"
#include "core/io/sharded_writer.h"
#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

struct Golden {
  TensorSpec spec;
  std::vector<std::byte> bytes;
};

std::vector<Golden> mixed_tensors() {
  // The order of SIZES in the script; salts count up in it.
  const std::vector<std::pair<std::string, StoredDtype>> dtypes = {
      {"bool", StoredDtype::kBool},
      {"uint8", StoredDtype::kU8},
      {"int8", StoredDtype::kI8},
      {"float8_e5m2", StoredDtype::kF8E5M2},
      {"float8_e4m3fn", StoredDtype::kF8E4M3},
      {"int16", StoredDtype::kI16},
      {"uint16", StoredDtype::kU16},
      {"float16", StoredDtype::kF16},
      {"bfloat16", StoredDtype::kBF16},
      {"int32", StoredDtype::kI32},
      {"uint32", StoredDtype::kU32},
      {"float32", StoredDtype::kF32},
      {"float64", StoredDtype::kF64},
      {"int64", StoredDtype::kI64},
      {"uint64", StoredDtype::kU64},
  };
  std::vector<Golden> tensors;
  for (size_t i = 0; i < dtypes.size(); ++i) {
    const auto& [name, dtype] = dtypes[i];
    const uint64_t modulus = dtype == StoredDtype::kBool ? 2 : 251;
    tensors.push_back({{"each." + name, dtype, {2, 3}}, patterned(6 * dtype_size_bytes(dtype), i, modulus)});
  }
  tensors.push_back({{"scalar", StoredDtype::kF32, {}}, patterned(4, 20)});
  tensors.push_back({{"empty", StoredDtype::kBF16, {0, 4}}, {}});
  tensors.push_back({{"odd \"name\"\\\n\xc3\xa9\xe4\xb8\xad", StoredDtype::kF16, {5}}, patterned(10, 21)});
  return tensors;
}

TEST(SafetensorsGolden, ReadsEveryDtype) {
  const SafetensorsFile file(golden_folder() / "mixed.safetensors");
  const std::vector<Golden> expected = mixed_tensors();
  ASSERT_EQ(file.tensors().size(), expected.size());
  EXPECT_EQ(file.metadata().at("format"), "pt");
  for (const Golden& golden : expected) {
    SCOPED_TRACE(golden.spec.name);
    const TensorEntry& entry = file.require(golden.spec.name);
    EXPECT_EQ(entry.dtype, golden.spec.dtype);
    EXPECT_EQ(entry.shape, golden.spec.shape);
    EXPECT_THAT(entry.bytes, testing::ElementsAreArray(golden.bytes));
  }
}

TEST(SafetensorsGolden, WritesTheSameBytes) {
  const TemporaryFolder folder;
  std::vector<TensorSpec> specs;
  for (const Golden& golden : mixed_tensors()) specs.push_back(golden.spec);
  SafetensorsWriter writer(folder / "mixed.safetensors", specs);
  for (const Golden& golden : mixed_tensors()) writer.write(golden.spec.name, golden.bytes);
  writer.finish();
  EXPECT_EQ(read_file(folder / "mixed.safetensors"), read_file(golden_folder() / "mixed.safetensors"));

  SafetensorsWriter plain(folder / "plain.safetensors", {{"x", StoredDtype::kF32, {3}}}, {});
  plain.write("x", patterned(12, 1));
  plain.finish();
  EXPECT_EQ(read_file(folder / "plain.safetensors"), read_file(golden_folder() / "no_metadata.safetensors"));
}

TEST(SafetensorsGolden, ShardsAsTheHubLibraryDoes) {
  const TemporaryFolder folder;
  std::vector<Golden> state;
  for (uint64_t layer = 0; layer < 3; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer);
    state.push_back({{prefix + ".mlp.weight", StoredDtype::kBF16, {8, 6}}, patterned(96, layer)});
    state.push_back({{prefix + ".norm.weight", StoredDtype::kF32, {6}}, patterned(24, 10 + layer)});
  }
  state.push_back({{"model.embed.weight", StoredDtype::kBF16, {50, 6}}, patterned(600, 30)});
  std::vector<TensorSpec> specs;
  for (const Golden& golden : state) specs.push_back(golden.spec);
  ShardedModelWriter writer(folder.path(), specs, 250);
  for (const Golden& golden : state) writer.write(golden.spec.name, golden.bytes);
  writer.finish();
  ASSERT_EQ(writer.file_names().size(), 3u);
  for (const std::string& name : writer.file_names()) {
    EXPECT_EQ(read_file(folder / name), read_file(golden_folder() / "sharded" / name)) << name;
  }
  EXPECT_EQ(read_json_file(folder / "model.safetensors.index.json"),
            read_json_file(golden_folder() / "sharded" / "model.safetensors.index.json"));
  const ModelWeights weights(golden_folder() / "sharded");
  for (const Golden& golden : state) {
    EXPECT_THAT(weights.require(golden.spec.name, golden.spec.shape).bytes, testing::ElementsAreArray(golden.bytes));
  }
  EXPECT_EQ(weights.main_dtype(), StoredDtype::kBF16);
}

std::vector<uint16_t> read_halves(const SafetensorsFile& file, const char* source, StoredDtype from, StoredDtype to) {
  const std::span<const std::byte> bytes = file.require(source).bytes;
  std::vector<uint16_t> halves(bytes.size() / dtype_size_bytes(from));
  convert_elements(from, bytes, to, std::as_writable_bytes(std::span(halves)));
  return halves;
}

void expect_same_halves(const std::vector<uint16_t>& actual, const TensorEntry& expected, uint16_t infinity) {
  ASSERT_EQ(actual.size(), expected.num_elements());
  for (size_t i = 0; i < actual.size(); ++i) {
    uint16_t want = 0;
    std::memcpy(&want, expected.bytes.data() + 2 * i, 2);
    if ((want & 0x7FFF) > infinity) {
      EXPECT_GT(actual[i] & 0x7FFF, infinity) << i;  // The payload of a NaN is nobody's contract.
    } else {
      ASSERT_EQ(actual[i], want) << i;
    }
  }
}

TEST(SafetensorsGolden, RoundsAsTorchAndNumpyDo) {
  const SafetensorsFile file(golden_folder() / "rounding.safetensors");
  expect_same_halves(read_halves(file, "f32_bits", StoredDtype::kF32, StoredDtype::kBF16), file.require("bf16_bits"),
                     0x7F80);
  expect_same_halves(read_halves(file, "f32_bits", StoredDtype::kF32, StoredDtype::kF16), file.require("f16_bits"),
                     0x7C00);
  expect_same_halves(read_halves(file, "f64", StoredDtype::kF64, StoredDtype::kF16), file.require("f16_bits_of_f64"),
                     0x7C00);
}

}  // namespace
}  // namespace ftrun
