// Model folders: single, sharded, every inconsistency between index and shards, and the sharded writer.
#include "core/io/model_weights.h"

#include <nlohmann/json.hpp>

#include "core/base/json_text.h"
#include "core/io/sharded_writer.h"
#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

void write_file_of(const Path& path, const std::vector<std::string>& names) {
  std::vector<TensorSpec> specs;
  for (const std::string& name : names) specs.push_back({name, StoredDtype::kU8, {4}});
  SafetensorsWriter writer(path, specs);
  for (const std::string& name : names) writer.write(name, patterned(4, name.size()));
  writer.finish();
}

void write_index(const TemporaryFolder& folder, const std::string& weight_map) {
  write_text(folder / "model.safetensors.index.json",
             R"({"metadata":{"total_size":8},"weight_map":)" + weight_map + "}");
}

TEST(ModelWeights, OpensSingleAndSharded) {
  const TemporaryFolder single;
  EXPECT_FALSE(has_model_weights(single.path()));
  write_file_of(single / "model.safetensors", {"b", "a"});
  EXPECT_TRUE(has_model_weights(single.path()));
  EXPECT_EQ(ModelWeights(single.path()).names(), (std::vector<std::string>{"a", "b"}));

  const TemporaryFolder sharded;
  write_file_of(sharded / "one.safetensors", {"a", "b"});
  write_file_of(sharded / "two.safetensors", {"c"});
  write_index(sharded, R"({"a":"one.safetensors","c":"two.safetensors","b":"one.safetensors"})");
  const ModelWeights weights(sharded.path());
  EXPECT_EQ(weights.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(weights.total_bytes(), 12u);
  EXPECT_EQ(weights.find("c")->file, sharded / "two.safetensors");
  EXPECT_EQ(weights.main_dtype(), StoredDtype::kU8);
}

TEST(ModelWeights, RefusesInconsistentIndex) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& weight_map, std::initializer_list<std::string> fragments) {
    SCOPED_TRACE(weight_map);
    write_index(folder, weight_map);
    expect_error(FTRUN_INVALID_ARGUMENT, fragments, [&] { ModelWeights weights(folder.path()); });
  };
  write_file_of(folder / "one.safetensors", {"a", "b"});
  write_file_of(folder / "two.safetensors", {"c"});
  write_file_of(folder / "clash.safetensors", {"a"});
  refused(R"({"a":"one.safetensors","b":"one.safetensors","c":"three.safetensors"})", {"three.safetensors", "'c'"});
  refused(R"({"a":"one.safetensors","b":"one.safetensors","c":"one.safetensors"})", {"'c'", "none of the shards"});
  refused(R"({"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"})",
          {"'b'", "it is in 'one.safetensors'"});
  refused(R"({"a":"one.safetensors","c":"two.safetensors"})", {"'b' of 'one.safetensors'", "missing from weight_map"});
  refused(R"({"a":"one.safetensors","b":"one.safetensors","x":"clash.safetensors"})", {"'a' is in two shards"});
  refused(R"({"a":"../one.safetensors"})", {"'../one.safetensors'", "plain file name"});
  refused(R"({"a":".."})", {"plain file name"});
  refused(R"({"a":7})", {"'a'", "7"});
  refused("{}", {"weight_map", "non-empty"});
  refused("[]", {"weight_map"});
  write_text(folder / "model.safetensors.index.json", "[]");
  expect_error(FTRUN_INVALID_ARGUMENT, {"weight_map"}, [&] { ModelWeights weights(folder.path()); });
  write_text(folder / "model.safetensors.index.json", "{");
  expect_error(FTRUN_INVALID_ARGUMENT, {"index.json:1", "not valid JSON"},
               [&] { ModelWeights weights(folder.path()); });
}

TEST(ModelWeights, RefusesFoldersWithoutUsableWeights) {
  const TemporaryFolder folder;
  const auto refused = [&](ftrun_status code, std::initializer_list<std::string> fragments) {
    expect_error(code, fragments, [&] { ModelWeights weights(folder.path()); });
  };
  expect_error(FTRUN_NOT_FOUND, {"not a folder"}, [&] { ModelWeights weights(folder / "none"); });
  refused(FTRUN_NOT_FOUND, {"no weights", "model.safetensors"});
  write_text(folder / "pytorch_model-00001-of-00002.bin", "x");
  refused(FTRUN_INVALID_ARGUMENT, {"pytorch_model", "convert"});
  write_file_of(folder / "weights.safetensors", {"a"});
  refused(FTRUN_INVALID_ARGUMENT, {"'weights.safetensors'", "rename"});
  write_file_of(folder / "more.safetensors", {"b"});
  refused(FTRUN_INVALID_ARGUMENT, {"2 .safetensors", "more.safetensors, weights.safetensors", "index"});
  write_text(folder / "adapter_config.json", "{}");
  refused(FTRUN_INVALID_ARGUMENT, {"adapter folder", "base model"});
}

TEST(ModelWeights, ChecksAgainstTheExpectedTensors) {
  const TemporaryFolder folder;
  write_file_of(folder / "model.safetensors", {"a", "b", "extra"});
  const ModelWeights weights(folder.path());
  const std::vector<TensorSpec> both = {{"a", StoredDtype::kF32, {4}}, {"b", StoredDtype::kF32, {4}}};
  weights.require_exactly(both, std::vector<std::string>{"extra"});
  expect_error(FTRUN_INVALID_ARGUMENT, {"1 left over: extra"}, [&] { weights.require_exactly(both); });
  const std::vector<TensorSpec> other = {{"a", StoredDtype::kF32, {2, 2}}, {"gone", StoredDtype::kF32, {4}}};
  expect_error(FTRUN_INVALID_ARGUMENT,
               {"1 missing: gone", "1 of another shape: a is [4], expected [2, 2]", "2 left over: b, extra"},
               [&] { weights.require_exactly(other); });
  const std::vector<int64_t> shape = {4};
  EXPECT_EQ(weights.require("a", shape).name, "a");
  expect_error(FTRUN_INVALID_ARGUMENT, {"no tensor 'exta'"}, [&] { weights.require("exta", shape); });
  const std::vector<int64_t> longer = {4, 1};
  expect_error(FTRUN_INVALID_ARGUMENT, {"[4]", "[4, 1]"}, [&] { weights.require("a", longer); });
}

std::vector<TensorSpec> five_tensors() {
  std::vector<TensorSpec> specs;
  for (const char* name : {"e", "d", "c", "b", "a"}) specs.push_back({name, StoredDtype::kF32, {10}});
  return specs;
}

void write_all(ShardedModelWriter& writer, const std::vector<TensorSpec>& specs) {
  for (const TensorSpec& spec : specs) writer.write(spec.name, patterned(tensor_bytes(spec), spec.name.size()));
  writer.finish();
}

TEST(ShardedModelWriter, SplitsInDeclaredOrderAndSizesExactly) {
  const TemporaryFolder folder;
  const std::vector<TensorSpec> specs = five_tensors();
  ShardedModelWriter writer(folder.path(), specs, 80);
  EXPECT_EQ(writer.file_names().size(), 3u);
  EXPECT_EQ(writer.file_names().front(), "model-00001-of-00003.safetensors");
  write_all(writer, specs);
  uint64_t on_disk = 0;
  for (const auto& item : std::filesystem::directory_iterator(folder.path())) on_disk += item.file_size();
  EXPECT_EQ(on_disk, sharded_model_bytes(specs, 80));
  const nlohmann::json index = read_json_file(folder / "model.safetensors.index.json");
  EXPECT_EQ(index["metadata"]["total_size"], 200);
  EXPECT_EQ(index["weight_map"]["c"], "model-00002-of-00003.safetensors");
  EXPECT_EQ(ModelWeights(folder.path()).total_bytes(), 200u);
}

TEST(ShardedModelWriter, RemovesTheFilesOfAnEarlierSave) {
  const TemporaryFolder folder;
  const std::vector<TensorSpec> specs = five_tensors();
  write_text(folder / "model-notes.txt", "stays");
  for (const uint64_t max_bytes : {uint64_t{80}, uint64_t{1000}, uint64_t{120}, uint64_t{80}}) {
    SCOPED_TRACE(max_bytes);
    ShardedModelWriter writer(folder.path(), specs, max_bytes);
    write_all(writer, specs);
    EXPECT_EQ(ModelWeights(folder.path()).names().size(), 5u);
    size_t weight_files = 0;
    for (const auto& item : std::filesystem::directory_iterator(folder.path())) {
      weight_files += static_cast<size_t>(item.path().extension() == ".safetensors");
    }
    EXPECT_EQ(weight_files, writer.file_names().size());
    EXPECT_EQ(std::filesystem::exists(folder / "model.safetensors.index.json"), weight_files > 1);
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "model-notes.txt"));
}

TEST(ShardedModelWriter, RefusesMisuse) {
  const TemporaryFolder folder;
  ShardedModelWriter writer(folder.path(), five_tensors(), 80);
  expect_error(FTRUN_INVALID_ARGUMENT, {"'f'", "not declared"}, [&] { writer.write("f", {}); });
  writer.write("a", patterned(40, 1));
  expect_error(FTRUN_FAILED_PRECONDITION, {"0 of 40"}, [&] { writer.finish(); });
  EXPECT_FALSE(has_model_weights(folder.path()));
  expect_error(FTRUN_INVALID_ARGUMENT, {"'a'", "twice"}, [&] {
    ShardedModelWriter twice(folder.path(), {{"a", StoredDtype::kU8, {1}}, {"a", StoredDtype::kU8, {1}}}, 1);
  });
  const auto huge = static_cast<int64_t>(1) << 60;
  expect_error(FTRUN_RESOURCE_EXHAUSTED, {"the model needs", "available"}, [&] {
    ShardedModelWriter large(folder.path(), {{"a", StoredDtype::kU8, {huge}}});
  });
}

TEST(ShardedModelWriter, ReadsSizes) {
  EXPECT_EQ(parse_size_bytes("5GB"), 5'000'000'000u);
  EXPECT_EQ(parse_size_bytes("1.5 kb"), 1500u);
  EXPECT_EQ(parse_size_bytes("2GiB"), uint64_t{2} << 30);
  EXPECT_EQ(parse_size_bytes("77"), 77u);
  for (const char* bad : {"", "GB", "5XB", "-1GB", "0", "nan", "inf", "1e30", "5GB5"}) {
    expect_error(FTRUN_INVALID_ARGUMENT, {"is not a size", "GiB"}, [&] { parse_size_bytes(bad); });
  }
}

}  // namespace
}  // namespace ftrun
