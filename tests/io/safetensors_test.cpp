// Reading one file: everything the format forbids is refused with file, tensor and expectation.
#include "core/io/safetensors.h"

#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

struct BadFile {
  const char* name;
  std::string content;
  std::vector<std::string> fragments;
};

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

std::string two(const std::string& first_offsets, const std::string& second_offsets) {
  return R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)" + first_offsets +
         R"(},"b":{"dtype":"F32","shape":[2],"data_offsets":)" + second_offsets + "}}";
}

std::string with_length(uint64_t length, const std::string& rest) {
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + rest;
}

std::vector<BadFile> bad_files() {
  return {
      {"empty", "", {"0 bytes"}},
      {"seven_bytes", "1234567", {"7 bytes"}},
      {"header_too_long", with_length(100'000'001, "{}"), {"100000001", "at most 100000000"}},
      {"header_past_end", with_length(50, "{}"), {"truncated", "50"}},
      {"huge_length", with_length(UINT64_MAX, "{}"), {"header length"}},
      {"no_header", with_length(0, ""), {"does not start with '{'"}},
      {"not_an_object", raw_safetensors("[1]", 0), {"does not start with '{'"}},
      {"not_json", raw_safetensors("{\"w\":", 0), {"not valid JSON"}},
      {"not_utf8", raw_safetensors("{\"\xff\":1}", 0), {"not valid JSON"}},
      {"zero_byte",
       raw_safetensors(std::string_view(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})"
                                        "\0junk",
                                        58),
                       1),
       {"1:54: not valid JSON: a zero byte"}},
      {"number_without_end", raw_safetensors(one("\"U8\"", "[1e999]", "[0,1]"), 1), {"1e999 is beyond"}},
      {"deep", raw_safetensors(std::string(50, '{'), 0), {"nested deeper"}},
      {"duplicate",
       raw_safetensors(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                       R"("w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                       2),
       {"'w'", "twice"}},
      {"metadata_number", raw_safetensors(R"({"__metadata__":{"a":1}})", 0), {"__metadata__", "'a'", "a string"}},
      {"metadata_list", raw_safetensors(R"({"__metadata__":[]})", 0), {"__metadata__", "object of strings"}},
      {"not_a_tensor", raw_safetensors(R"({"w":3})", 0), {"'w'", "dtype, shape, data_offsets"}},
      {"no_dtype", raw_safetensors(R"({"w":{"shape":[1],"data_offsets":[0,1]}})", 1), {"'w'", "'dtype' is missing"}},
      {"no_shape", raw_safetensors(R"({"w":{"dtype":"U8","data_offsets":[0,1]}})", 1), {"'shape' is missing"}},
      {"no_offsets", raw_safetensors(R"({"w":{"dtype":"U8","shape":[1]}})", 1), {"'data_offsets' is missing"}},
      {"bad_dtype", raw_safetensors(one("\"F31\"", "[1]", "[0,4]"), 4), {"'w'", "\"F31\"", "BF16"}},
      {"dtype_number", raw_safetensors(one("32", "[1]", "[0,4]"), 4), {"dtype 32"}},
      {"negative_size", raw_safetensors(one("\"F32\"", "[-1]", "[0,4]"), 4), {"'w'", "[-1]", "non-negative"}},
      {"fraction_size", raw_safetensors(one("\"F32\"", "[1.0]", "[0,4]"), 4), {"[1.0]"}},
      {"shape_text", raw_safetensors(one("\"F32\"", "\"1\"", "[0,4]"), 4), {"shape"}},
      {"shape_overflow", raw_safetensors(one("\"U8\"", "[4294967296,4294967296]", "[0,0]"), 0), {"63 bits"}},
      {"bytes_overflow", raw_safetensors(one("\"F64\"", "[4611686018427387904]", "[0,0]"), 0), {"'w'", "hold 0"}},
      {"zero_hides_overflow", raw_safetensors(one("\"U8\"", "[4294967296,4294967296,0]", "[0,0]"), 0), {"63 bits"}},
      {"one_offset", raw_safetensors(one("\"F32\"", "[1]", "[0]"), 4), {"data_offsets [0]"}},
      {"negative_offset", raw_safetensors(one("\"F32\"", "[1]", "[-4,0]"), 4), {"data_offsets [-4,0]"}},
      {"reversed_offsets", raw_safetensors(one("\"F32\"", "[1]", "[4,0]"), 4), {"data_offsets [4,0]"}},
      {"out_of_range", raw_safetensors(one("\"F32\"", "[2]", "[0,8]"), 7), {"truncated", "'w'", "byte 8", "7 bytes"}},
      {"wrong_shape", raw_safetensors(one("\"F32\"", "[2,2]", "[0,12]"), 12), {"F32 [2, 2] needs 16 bytes", "12"}},
      {"overlap", raw_safetensors(two("[0,8]", "[4,12]"), 12), {"'a' and 'b' overlap"}},
      {"same_place", raw_safetensors(two("[0,8]", "[0,8]"), 8), {"overlap"}},
      {"hole", raw_safetensors(two("[0,8]", "[12,20]"), 20), {"hole of 4 bytes", "'b'"}},
      {"hole_at_start", raw_safetensors(two("[4,12]", "[12,20]"), 20), {"hole of 4 bytes", "'a'"}},
      {"trailing", raw_safetensors(two("[0,8]", "[8,16]"), 17), {"1 bytes after the last tensor"}},
      {"only_trailing", raw_safetensors("{}", 3), {"3 bytes after"}},
  };
}

TEST(Safetensors, RefusesWhatTheFormatForbids) {
  const TemporaryFolder folder;
  for (const BadFile& bad : bad_files()) {
    SCOPED_TRACE(bad.name);
    const Path path = folder / (std::string(bad.name) + ".safetensors");
    write_text(path, bad.content);
    expect_error(FTRUN_INVALID_ARGUMENT, {path.string()}, [&] { SafetensorsFile file(path); });
    for (const std::string& fragment : bad.fragments) {
      expect_error(FTRUN_INVALID_ARGUMENT, {fragment}, [&] { SafetensorsFile file(path); });
    }
  }
}

TEST(Safetensors, RefusesMissingFileAndFolder) {
  const TemporaryFolder folder;
  expect_error(FTRUN_NOT_FOUND, {"none.safetensors"}, [&] { SafetensorsFile file(folder / "none.safetensors"); });
  expect_error(FTRUN_INVALID_ARGUMENT, {"regular file"}, [&] { SafetensorsFile file(folder.path()); });
}

TEST(Safetensors, ReadsEmptyScalarAndUnorderedTensors) {
  const TemporaryFolder folder;
  const std::string header = R"({"z":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                             R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},)"
                             R"("a":{"dtype":"I64","shape":[1,2],"data_offsets":[4,20]},"__metadata__":{"k":"v"}}   )";
  write_text(folder / "x.safetensors", raw_safetensors(header, 20));
  SafetensorsFile first(folder / "x.safetensors");
  const SafetensorsFile file(std::move(first));
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.tensors()[0].name, "z");
  EXPECT_EQ(file.require("z").num_elements(), 1u);
  EXPECT_EQ(file.require("none").bytes.size(), 0u);
  EXPECT_EQ(file.require("a").shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(file.metadata().at("k"), "v");
  EXPECT_EQ(file.data_bytes(), 20u);
  EXPECT_EQ(file.find("b"), nullptr);
  expect_error(FTRUN_INVALID_ARGUMENT, {"'nome'", "did you mean 'none'"}, [&] { file.require("nome"); });
}

TEST(Safetensors, EmptyModelIsAFile) {
  const TemporaryFolder folder;
  write_text(folder / "x.safetensors", raw_safetensors("{}      ", 0));
  EXPECT_TRUE(SafetensorsFile(folder / "x.safetensors").tensors().empty());
}

}  // namespace
}  // namespace ftrun
