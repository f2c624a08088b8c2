// Where weights come from and go to: files, initial values, checkpoints, saving.
#include <unistd.h>

#include <cmath>
#include <map>

#include "core/base/error.h"
#include "core/io/convert.h"
#include "core/io/safetensors_writer.h"
#include "core/model/model_values.h"
#include "tests/model/model_fixture.h"

namespace ftrun::test {
namespace {

using testing::HasSubstr;

/// A copy of a golden case's folder whose tensors were changed.
class ChangedFolder {
 public:
  /// `copies`: new tensors with the content of another one; others that are new hold zeros.
  ChangedFolder(const std::string& name, const std::function<void(std::vector<TensorSpec>&)>& change,
                const std::map<std::string, std::string>& copies = {})
      : folder_(std::filesystem::temp_directory_path() /
                ("ftrun_weights_" + std::to_string(::getpid()) + "_" + std::to_string(counter()++))) {
    std::filesystem::create_directories(folder_);
    const SafetensorsFile original(golden_folder(name) / "model.safetensors");
    std::vector<TensorSpec> specs;
    for (const TensorEntry& entry : original.tensors()) specs.push_back({entry.name, entry.dtype, entry.shape});
    change(specs);
    SafetensorsWriter writer(folder_ / "model.safetensors", specs);
    for (const TensorSpec& spec : specs) {
      const auto copied = copies.find(spec.name);
      const TensorEntry* entry = original.find(copied == copies.end() ? spec.name : copied->second);
      const auto elements = static_cast<size_t>(*element_count(spec.shape));
      std::vector<std::byte> bytes(elements * dtype_size_bytes(spec.dtype));
      const bool same = entry != nullptr && entry->bytes.size() == bytes.size();
      writer.write(spec.name, same ? entry->bytes : std::span<const std::byte>(bytes));
    }
    writer.finish();
  }
  ChangedFolder(const ChangedFolder&) = delete;
  ChangedFolder& operator=(const ChangedFolder&) = delete;
  ~ChangedFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  /// "" when the weights open, else the message.
  std::string problem(const NetworkModel& model) const {
    try {
      const FileWeights weights(std::make_shared<ModelWeights>(folder_), model);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
      return error.what();
    }
  }

 private:
  static int& counter() {
    static int count = 0;
    return count;
  }
  std::filesystem::path folder_;
};

TEST(FileWeights, MissingLeftOverAndMisshapenAreNamed) {
  TestModel model("llama");
  const ChangedFolder missing("llama", [](auto& specs) {
    std::erase_if(specs, [](const TensorSpec& spec) { return spec.name == "model.norm.weight"; });
  });
  EXPECT_THAT(missing.problem(model.model()), HasSubstr("model.norm.weight"));
  const ChangedFolder extra("llama", [](auto& specs) {
    specs.push_back({"model.extra.weight", StoredDtype::kF32, {3}});
  });
  EXPECT_THAT(extra.problem(model.model()), HasSubstr("model.extra.weight"));
  const ChangedFolder misshapen("llama", [](auto& specs) {
    for (TensorSpec& spec : specs) {
      if (spec.name == "model.norm.weight") spec.shape = {47};
    }
  });
  EXPECT_THAT(misshapen.problem(model.model()), testing::AllOf(HasSubstr("[47]"), HasSubstr("[48]")));
  const ChangedFolder integers("llama", [](auto& specs) {
    for (TensorSpec& spec : specs) {
      if (spec.name == "model.norm.weight") spec.dtype = StoredDtype::kI32;
    }
  });
  EXPECT_THAT(integers.problem(model.model()), HasSubstr("floating-point"));
}

TEST(FileWeights, TiedHeadMayBeThereAndRotaryBuffersToo) {
  TestModel model("qwen2");
  const auto embedding = model.model().parameter(0).shape;
  const auto add_head = [&](auto& specs) {
    specs.push_back({"lm_head.weight", StoredDtype::kF32, embedding});
    specs.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", StoredDtype::kF32, {4}});
  };
  const ChangedFolder both("qwen2", add_head, {{"lm_head.weight", "model.embed_tokens.weight"}});
  EXPECT_EQ(both.problem(model.model()), "");
  const ChangedFolder another("qwen2", add_head);
  EXPECT_THAT(another.problem(model.model()),
              HasSubstr("model.safetensors: tensor 'lm_head.weight' is not the same as 'model.embed_tokens.weight'"));
  EXPECT_THAT(another.problem(model.model()), HasSubstr("set tie_word_embeddings to false in config.json"));
  const ChangedFolder head_only("qwen2", [&](auto& specs) {
    for (TensorSpec& spec : specs) {
      if (spec.name == "model.embed_tokens.weight") spec.name = "lm_head.weight";
    }
  });
  EXPECT_EQ(head_only.problem(model.model()), "");
}

TEST(InitialWeights, DependOnSeedNameAndElementOnly) {
  const auto with_seed = [](uint64_t seed, Precision precision) {
    ModelOptions options;
    options.precision = precision;
    options.weights = [seed](const NetworkModel&) { return std::make_unique<InitialWeights>(seed); };
    TestModel model("llama_rope3", options);
    return weights(model);
  };
  const auto first = with_seed(1, Precision::f32());
  EXPECT_EQ(first, with_seed(1, Precision::f32()));
  EXPECT_EQ(first, with_seed(1, Precision::bf16()));  // the master weights are the same numbers
  EXPECT_NE(first, with_seed(2, Precision::f32()));
  double sum = 0;
  double squares = 0;
  for (const float value : first[0]) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const auto count = static_cast<double>(first[0].size());
  EXPECT_NEAR(std::sqrt(squares / count), 0.02, 0.02 * 4 / std::sqrt(2 * count));
  EXPECT_NEAR(sum / count, 0.0, 0.02 * 4 / std::sqrt(count));
}

TEST(InitialWeights, SlicesOfOneTensorFitTogether) {
  ModelOptions options;
  options.weights = [](const NetworkModel&) { return std::make_unique<InitialWeights>(7); };
  TestModel model("llama", options);
  const ModelParameter& parameter = model.model().parameter(0);
  InitialWeights source(7);
  const Tensor piece = empty(model.ctx(), FTRUN_F32, {101});
  source.fill(model.ctx(), parameter, 33, 134, piece);
  const auto whole = weights(model)[0];
  EXPECT_EQ(read_floats(model.ctx(), piece), std::vector<float>(whole.begin() + 33, whole.begin() + 134));
}

TEST(ModelValues, SavedChunksAreTheFile) {
  for (const StoredDtype dtype : {StoredDtype::kF32, StoredDtype::kBF16}) {
    TestModel model("qwen3");
    const SafetensorsFile file(golden_folder("qwen3") / "model.safetensors");
    size_t compared = 0;
    const auto every = [](const ModelParameter&) { return true; };
    for_each_value_chunk(model.rank(), 0, dtype, every, [&](std::string_view name, std::span<const std::byte> bytes) {
      const TensorEntry& entry = file.require(name);
      std::vector<std::byte> expected(entry.num_elements() * dtype_size_bytes(dtype));
      convert_elements(entry.dtype, entry.bytes, dtype, expected);
      EXPECT_TRUE(std::ranges::equal(expected, bytes)) << name;
      ++compared;
    });
    EXPECT_EQ(compared, model.model().parameters().size());
    EXPECT_EQ(compared, file.tensors().size());
  }
}

void run_step(TestModel& model, const Documents& documents) {
  train(model, documents, 0.01);
  model.rank().finish_grads();
  model.rank().step(1.0, 1e-3);
}

TEST(Checkpoint, RestoredRunContinuesBitForBit) {
  const Documents documents =
      golden_documents(SafetensorsFile(golden_folder("qwen2") / "golden.safetensors"), "forward.");
  for (const Precision precision : {Precision::f32(), Precision::bf16(), Precision::pure_bf16()}) {
    ModelOptions options;
    options.precision = precision;
    options.weight_decay = 0.1;
    TestModel first("qwen2", options);
    for (int step = 0; step < 3; ++step) run_step(first, documents);

    const auto saved = weights(first);
    options.weights = [&saved](const NetworkModel& model) {
      return std::make_unique<HostWeights>(
          [&saved, &model](const ModelParameter& parameter, int64_t begin, std::span<float> values) {
            const auto& all = saved[static_cast<size_t>(model.find(parameter.name))];
            std::copy_n(all.begin() + begin, values.size(), values.begin());
          });
    };
    TestModel second("qwen2", options);
    auto from = first.rank().optimizer_pieces();
    auto to = second.rank().optimizer_pieces();
    ASSERT_EQ(from.size(), to.size());
    ASSERT_GT(from.size(), 0u);
    for (size_t i = 0; i < from.size(); ++i) {
      ASSERT_EQ(from[i].parameter, to[i].parameter);
      std::vector<float> values(static_cast<size_t>(from[i].end - from[i].begin));
      from[i].read(first.ctx(), values);
      to[i].write(second.ctx(), values);
    }
    second.rank().set_steps(first.rank().steps());
    run_step(first, documents);
    run_step(second, documents);
    EXPECT_EQ(weights(first), weights(second));
    EXPECT_NE(weights(first), saved);
  }
}

TEST(Rank, LoadValuesReplacesComputeAndMaster) {
  ModelOptions options;
  options.precision = Precision::bf16();
  TestModel model("llama", options);
  const auto original = weights(model);
  InitialWeights initial(3);
  model.rank().load_values(0, initial);
  EXPECT_NE(weights(model), original);
  FileWeights files(std::make_shared<ModelWeights>(golden_folder("llama")), model.model());
  model.rank().load_values(0, files);
  EXPECT_EQ(weights(model), original);
}

}  // namespace
}  // namespace ftrun::test
