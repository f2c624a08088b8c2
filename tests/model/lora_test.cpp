// Low-rank adapters against PEFT: plain, DoRA, rslora with a module trained whole (tests/golden/models/lora.py).
// Leaves out: which adapters a configuration asks for (tests/e2e/lora_test.cpp).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "core/base/error.h"
#include "core/io/safetensors_writer.h"
#include "core/model/adapter_weights.h"
#include "core/model/pissa.h"
#include "core/model/start_weights.h"
#include "core/model/untied_weights.h"
#include "tests/model/golden_checks.h"

namespace ftrun::test {
namespace {

std::shared_ptr<const PeftAdapter> adapter_of(const std::string& name) {
  return std::make_shared<const PeftAdapter>(golden_folder(name) / "lora");
}

int32_t add_parameter(NetworkModel& model, int32_t weight, std::string name, std::vector<int64_t> shape) {
  ModelParameter parameter;
  parameter.name = std::move(name);
  parameter.unit = model.parameter(weight).unit;
  parameter.shape = std::move(shape);
  parameter.origin = ParameterOrigin::kAdapter;
  return model.add_parameter(std::move(parameter));
}

void add_pairs(NetworkModel& model, const PeftAdapter& adapter, double dropout) {
  for (const PeftPair& pair : adapter.pairs()) {
    LinearAdapter added;
    added.weight = model.find(pair.module + ".weight");
    added.scale = pair.scale;
    added.dropout = dropout;
    added.a = add_parameter(model, added.weight, pair.module + ".lora_A.weight", pair.a->shape);
    added.b = add_parameter(model, added.weight, pair.module + ".lora_B.weight", pair.b->shape);
    if (pair.magnitude != nullptr) {
      added.magnitude =
          add_parameter(model, added.weight, pair.module + ".lora_magnitude_vector", pair.magnitude->shape);
    }
    model.add_adapter(added);
  }
}

std::unique_ptr<WeightSource> base_of(const std::string& name, const NetworkModel& model) {
  return std::make_unique<FileWeights>(std::make_shared<ModelWeights>(golden_folder(name)), model);
}

/// The case's model with its adapter beside the frozen base.
ModelOptions adapted(const std::string& name, double dropout = 0) {
  const auto adapter = adapter_of(name);
  ModelOptions options;
  options.adapt = [adapter, dropout](NetworkModel& model) { add_pairs(model, *adapter, dropout); };
  options.weights = [adapter, name](const NetworkModel& model) {
    return std::make_unique<AdapterFileWeights>(base_of(name, model), adapter);
  };
  options.is_trained = [adapter](const std::string& parameter) {
    return parameter.find(".lora_") != std::string::npos || adapter->saved().contains(parameter);
  };
  return options;
}

ModelOptions merged(const std::string& name) {
  ModelOptions options;
  options.trained = false;
  options.weights = [name](const NetworkModel& model) {
    return std::make_unique<MergedWeights>(base_of(name, model), adapter_of(name), model);
  };
  return options;
}

class Lora : public testing::TestWithParam<std::string> {
 protected:
  SafetensorsFile expected() const { return open_golden(GetParam(), "lora/golden.safetensors"); }
  Documents documents() const { return golden_documents(open_golden(GetParam()), "forward."); }
};

TEST_P(Lora, LogitsAndGradients) {
  const SafetensorsFile golden = open_golden(GetParam());
  TestModel model(GetParam(), adapted(GetParam()));
  EXPECT_LE(largest_difference(all_logits(model, documents()), golden_values(expected(), "forward.logits")), 1e-4);
  train(model, documents(), 1.0 / golden_number(golden, "forward.num_targets"));
  expect_gradients(model, expected(), "forward.", 1e-4);
}

TEST_P(Lora, TenAdamWStepsTrainTheAdapterOnly) {
  expect_training(GetParam(), adapted(GetParam()), expected(), {1e-5, 1e-4, 2e-6, 2e-4});
}

TEST_P(Lora, MergedAnswersAsTheAdapterDoes) {
  TestModel model(GetParam(), merged(GetParam()));
  const std::vector<float> logits = all_logits(model, documents());
  EXPECT_LE(largest_difference(logits, golden_values(expected(), "merged.logits")), 1e-4);
  EXPECT_LE(largest_difference(logits, golden_values(expected(), "forward.logits")), 1e-3);
}

TEST_P(Lora, SwitchedOffTheBaseAnswers) {
  TestModel model(GetParam(), adapted(GetParam()));
  if (!adapter_of(GetParam())->saved().empty()) return;  // whole modules cannot be switched off: refused by the run
  const int32_t off = model.rank().add_adapter_off_role("reference", 0);
  const std::vector<float> logits = all_logits(model, documents(), off);
  EXPECT_LE(largest_difference(logits, golden_values(open_golden(GetParam()), "forward.logits")), 1e-4);
}

TEST_P(Lora, AtTheStartItAnswersAsBeforeTraining) {
  ModelOptions options = adapted(GetParam());
  options.adapt = [adapt = options.adapt, is_trained = options.is_trained](NetworkModel& model) {
    adapt(model);
    const auto count = static_cast<int32_t>(model.parameters().size());
    for (int32_t id = 0; id < count; ++id) {
      if (is_trained(model.parameter(id).name)) model.add_start_copy(id);
    }
  };
  options.is_trained = [is_trained = options.is_trained](const std::string& name) {
    return !name.starts_with("start.") && is_trained(name);
  };
  options.weights = [weights = options.weights](const NetworkModel& model) {
    return std::make_unique<StartWeights>(weights(model), model);
  };
  TestModel model(GetParam(), options);
  const int64_t total = TestModel(GetParam(), adapted(GetParam())).model().total_elements();
  EXPECT_EQ(model.model().total_elements(), total) << "copies are no parameters of the model";
  const int32_t start = model.rank().add_at_start_role("reference", 0);
  const std::vector<float> before = all_logits(model, documents());
  EXPECT_EQ(all_logits(model, documents(), start), before);
  const double loss = train(model, documents(), 0.01);
  model.rank().finish_grads();
  model.rank().step(1.0, 0.01);
  EXPECT_EQ(all_logits(model, documents(), start), before);
  EXPECT_NE(all_logits(model, documents()), before);
  // Trained as without copies.
  TestModel without(GetParam(), adapted(GetParam()));
  EXPECT_EQ(train(without, documents(), 0.01), loss);
  without.rank().finish_grads();
  without.rank().step(1.0, 0.01);
  EXPECT_EQ(all_logits(without, documents()), all_logits(model, documents()));
}

TEST_P(Lora, RecomputeGivesTheSameBitsWithDropoutToo) {
  std::vector<std::vector<float>> found[2];
  for (const bool recompute : {false, true}) {
    ModelOptions options = adapted(GetParam(), 0.25);
    options.gradient_checkpointing = recompute;
    TestModel model(GetParam(), options);
    train(model, documents(), 0.01);
    found[recompute ? 1 : 0] = gradients(model);
  }
  EXPECT_EQ(found[0], found[1]);
}

TEST_P(Lora, DropoutScalesWhatItKeepsAndIsOffInEvaluation) {
  TestModel with(GetParam(), adapted(GetParam(), 0.5));
  TestModel without(GetParam(), adapted(GetParam()));
  EXPECT_EQ(all_logits(with, documents()), all_logits(without, documents()));
  EXPECT_NE(train(with, documents(), 0.01), train(without, documents(), 0.01));
}

INSTANTIATE_TEST_SUITE_P(Peft, Lora, testing::Values("llama", "qwen2", "qwen3_untied"),
                         [](const auto& test) { return test.param; });

TEST(Pissa, TheBaseKeepsWhatPeftLeavesInIt) {
  constexpr double kScale = 2.0;
  const SafetensorsFile base(golden_folder("qwen3") / "model.safetensors");
  const SafetensorsFile rest(golden_folder("qwen3") / "pissa.safetensors");
  ASSERT_FALSE(rest.tensors().empty());
  for (const TensorEntry& entry : rest.tensors()) {
    const std::vector<double> wanted = golden_values(rest, entry.name);
    const std::vector<double> whole = golden_values(base, entry.name);
    const std::vector<float> weight(whole.begin(), whole.end());
    const int64_t rows = entry.shape[0];
    const int64_t columns = entry.shape[1];
    for (const int64_t iterations : {int64_t{-1}, int64_t{200}}) {
      const PrincipalPair pair = principal_pair(weight, rows, columns, 3, kScale, iterations);
      double worst = 0;
      for (int64_t o = 0; o < rows; ++o) {
        for (int64_t i = 0; i < columns; ++i) {
          double left = whole[static_cast<size_t>(o * columns + i)];
          for (int64_t r = 0; r < 3; ++r) {
            left -= kScale * static_cast<double>(pair.b_OR[static_cast<size_t>(o * 3 + r)]) *
                    static_cast<double>(pair.a_RI[static_cast<size_t>(r * columns + i)]);
          }
          worst = std::max(worst, std::abs(left - wanted[static_cast<size_t>(o * columns + i)]));
        }
      }
      EXPECT_LE(worst, 1e-5) << entry.name << " with " << iterations << " iterations";
    }
  }
}

/// Ranks and alphas by module too: the target is an expression, and one alpha's key is.
TEST(Pissa, APlainlySavedAdapterStandsBesideTheRestOfTheBase) {
  const auto adapter = std::make_shared<const PeftAdapter>(golden_folder("qwen3") / "pissa_lora");
  EXPECT_EQ(adapter->find_pair("model.layers.0.mlp.down_proj")->rank(), 2);
  EXPECT_DOUBLE_EQ(adapter->find_pair("model.layers.0.self_attn.q_proj")->scale, 5.0 / 3);
  EXPECT_DOUBLE_EQ(adapter->find_pair("model.layers.1.self_attn.q_proj")->scale, 4.0 / 3);
  const auto rest = [&](const NetworkModel& model) {
    return std::make_unique<PrincipalRestWeights>(base_of("qwen3", model), adapter);
  };
  ModelOptions beside;
  beside.adapt = [&](NetworkModel& model) { add_pairs(model, *adapter, 0); };
  beside.weights = [&](const NetworkModel& model) {
    return std::make_unique<AdapterFileWeights>(rest(model), adapter);
  };
  beside.is_trained = [](const std::string& name) { return name.find(".lora_") != std::string::npos; };
  ModelOptions in_one;
  in_one.trained = false;
  in_one.weights = [&](const NetworkModel& model) {
    return std::make_unique<MergedWeights>(rest(model), adapter, model);
  };
  const std::vector<double> wanted =
      golden_values(open_golden("qwen3", "pissa_lora/golden.safetensors"), "forward.logits");
  const Documents documents = golden_documents(open_golden("qwen3"), "forward.");
  for (const ModelOptions& options : {beside, in_one}) {
    TestModel model("qwen3", options);
    EXPECT_LE(largest_difference(all_logits(model, documents), wanted), 1e-4);
  }
}

TEST(LoraFiles, AnAdapterOfAnotherBaseIsRefusedWithShapes) {
  ModelOptions options;
  options.weights = [](const NetworkModel& model) {
    return std::make_unique<MergedWeights>(base_of("qwen2", model), adapter_of("llama"), model);
  };
  try {
    TestModel model("qwen2", options);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
    EXPECT_NE(std::string(error.what()).find("the model's weight is "), std::string::npos) << error.what();
  }
}

// PEFT keeps copies inside its wrapper where the vocabulary was grown: one tensor each, and no name of the model's.
TEST(LoraFiles, AnAdapterOfAGrownVocabularyNamesBothSizes) {
  const PeftAdapter grown(golden_folder("qwen3") / "grown_lora");
  EXPECT_EQ(grown.saved().size(), 2u);
  for (const char* config : {"config.json", "config.untied.json"}) {
    ModelOptions options;
    options.config = config;
    options.trained = false;
    options.weights = [](const NetworkModel&) { return std::make_unique<InitialWeights>(1); };
    const TestModel model("qwen3", options);
    try {
      require_adapter_fits(grown, model.model());
      ADD_FAILURE() << config << ": accepted";
    } catch (const Error& error) {
      EXPECT_THAT(
          error.what(),
          testing::AllOf(testing::HasSubstr("a vocabulary of 86 ids (its 'lm_head.weight' is 86x48)"),
                         testing::HasSubstr("the model's has 83"), testing::HasSubstr("resize_token_embeddings(86)")));
    }
  }
}

/// An adapter of a tied base with a tensor of its own for the embedding, the head or both, on an untied network: the
/// base's one tensor is both until the adapter replaces it.
TEST(LoraFiles, TwoTensorsOfATiedBaseAreMergedApart) {
  for (const std::string name : {"untied_lora", "embedding_lora"}) {
    SCOPED_TRACE(name);
    const auto adapter = std::make_shared<const PeftAdapter>(golden_folder("qwen3") / name);
    ModelOptions tied;
    tied.trained = false;
    const TestModel base("qwen3", tied);
    EXPECT_THROW(require_adapter_fits(*adapter, base.model()), Error);
    ModelOptions options;
    options.config = "config.untied.json";
    options.trained = false;
    // Borrowed: the network of `base` is alive as long as this model.
    const std::shared_ptr<const NetworkModel> network(&base.model(), [](const NetworkModel*) {});
    options.weights = [&](const NetworkModel& model) {
      return std::make_unique<MergedWeights>(std::make_unique<UntiedWeights>(base_of("qwen3", *network), network),
                                             adapter, model);
    };
    TestModel merged("qwen3", options);
    const Documents documents = golden_documents(open_golden("qwen3"), "forward.");
    const SafetensorsFile expected = open_golden("qwen3", name + "/golden.safetensors");
    EXPECT_LE(largest_difference(all_logits(merged, documents), golden_values(expected, "forward.logits")), 1e-4);
  }
}

// Tied (llama) or not (qwen3_untied): PEFT adapts the head too, ftrun does not.
TEST(LoraFiles, APairOnTheHeadIsRefusedAsSuch) {
  for (const std::string base : {"llama", "qwen3_untied"}) {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("ftrun_head_pair_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    std::filesystem::copy_file(golden_folder("llama") / "lora/adapter_config.json", folder / "adapter_config.json",
                               std::filesystem::copy_options::overwrite_existing);
    const std::vector<float> zeros(64);
    {
      SafetensorsWriter writer(folder / "adapter_model.safetensors",
                               {{"base_model.model.lm_head.lora_A.weight", StoredDtype::kF32, {4, 16}},
                                {"base_model.model.lm_head.lora_B.weight", StoredDtype::kF32, {16, 4}}});
      writer.write("base_model.model.lm_head.lora_A.weight", std::as_bytes(std::span(zeros)));
      writer.write("base_model.model.lm_head.lora_B.weight", std::as_bytes(std::span(zeros)));
      writer.finish();
    }
    const TestModel model(base, {});
    try {
      require_adapter_fits(PeftAdapter(folder), model.model());
      ADD_FAILURE() << base << ": accepted";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("a pair on 'lm_head', which is no linear layer of a block")) << base;
    }
    std::filesystem::remove_all(folder);
  }
}

}  // namespace
}  // namespace ftrun::test
