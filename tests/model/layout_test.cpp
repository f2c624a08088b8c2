// The layout law and the checks on what a network declares, with networks made up here.
#include <numeric>

#include "core/base/error.h"
#include "core/model/parameter_layout.h"
#include "ftrun/cpp/network.hpp"
#include "tests/model/model_fixture.h"

namespace ftrun::test {
namespace {

/// What the made-up network declares; set before a NetworkModel is made.
struct Script {
  std::function<void(const sdk::NetworkBuilder&)> declare;
  int32_t head = 0;
};
Script script;

class Scripted {
 public:
  explicit Scripted(const ftrun_network_create_args&) {}
  void declare(const sdk::NetworkBuilder& builder) { script.declare(builder); }
  ftrun_network_info info() const {
    static const float frequency = 1.0f;
    auto info = sdk::make<ftrun_network_info>(FTRUN_NETWORK_INFO_TAG);
    info.hidden_size = 3;
    info.vocab_size = 7;
    info.n_layers = info.n_heads = info.n_kv_heads = 1;
    info.head_dim = 2;
    info.head_parameter = script.head;
    info.rope_inv_freq = &frequency;
    return info;
  }
  sdk::Tensor unit_forward(const sdk::NetworkCalls&, int32_t, const sdk::Tensor&) const { return {}; }
};

std::unique_ptr<NetworkModel> declare(std::function<void(const sdk::NetworkBuilder&)> body, int32_t head = 0) {
  static const ftrun_network table = sdk::NetworkThunks<Scripted>::table(FTRUN_STR("Scripted"));
  script = {std::move(body), head};
  return std::make_unique<NetworkModel>(&table, test_host(), nullptr, "{}", "config.json");
}

void units(const sdk::NetworkBuilder& builder) {
  builder.unit("embedding", FTRUN_UNIT_EMBEDDING);
  builder.unit("block", FTRUN_UNIT_BLOCK);
  builder.unit("norm", FTRUN_UNIT_FINAL_NORM);
  builder.unit("head", FTRUN_UNIT_HEAD);
}

/// Embedding [7, 3] tied to the head; a block of [5, 3], [11], [2, 3]; a norm of [3].
std::unique_ptr<NetworkModel> tied_model() {
  return declare([](const sdk::NetworkBuilder& builder) {
    units(builder);
    builder.parameter({"e", FTRUN_PARAMETER_EMBEDDING, 0, {7, 3}});
    builder.parameter({"a", FTRUN_PARAMETER_LINEAR, 1, {5, 3}});
    builder.parameter({"b", FTRUN_PARAMETER_BIAS, 1, {11, 0}});
    builder.parameter({"c", FTRUN_PARAMETER_LINEAR, 1, {2, 3}});
    builder.parameter({"n", FTRUN_PARAMETER_NORM, 2, {3, 0}});
    builder.tie(0, 3, "h");
  });
}

TEST(ParameterLayout, PartsAreConcatenatedAndPadded) {
  const auto model = tied_model();
  for (const int32_t world : {1, 2, 3, 8}) {
    const ParameterLayout layout(*model, world, [](int32_t id) { return id != 2; });
    for (int32_t unit = 0; unit < layout.unit_count(); ++unit) {
      for (const ftrun_part which : {FTRUN_PART_TRAINED, FTRUN_PART_FROZEN}) {
        const PartLayout& part = layout.part(unit, which);
        int64_t at = 0;
        for (const ParameterRange& range : part.parameters) {
          EXPECT_EQ(range.begin, at);
          EXPECT_EQ(range.end - range.begin, model->parameter(range.id).elements);
          EXPECT_EQ(layout.place(range.id).unit, unit);
          EXPECT_EQ(layout.place(range.id).part, which);
          EXPECT_EQ(layout.place(range.id).begin, at);
          at = range.end;
        }
        EXPECT_EQ(part.elements, at);
        EXPECT_EQ(part.padded_elements % (16 * world), 0);
        EXPECT_GE(part.padded_elements, at);
        EXPECT_LT(part.padded_elements - at, 16 * world);
      }
    }
    EXPECT_EQ(layout.part(1, FTRUN_PART_TRAINED).elements, 15 + 6);
    EXPECT_EQ(layout.part(1, FTRUN_PART_FROZEN).elements, 11);
    EXPECT_FALSE(layout.has_trained(3));  // the head owns nothing: its matrix is the embedding's
    EXPECT_EQ(layout.largest_tensor_elements(1), 15);
  }
}

TEST(ParameterLayout, SlicesAndPiecesPartitionEveryParameter) {
  const auto model = tied_model();
  for (const int32_t world : {1, 2, 4}) {
    const ParameterLayout layout(*model, world, [](int32_t) { return true; });
    std::vector<std::vector<int>> seen;
    for (const ModelParameter& parameter : model->parameters()) seen.emplace_back(parameter.elements, 0);
    for (int32_t unit = 0; unit < layout.unit_count(); ++unit) {
      for (int32_t rank = 0; rank < world; ++rank) {
        const auto [begin, end] = layout.slice(unit, FTRUN_PART_TRAINED, rank);
        for (const ParameterPiece& piece : layout.pieces(unit, FTRUN_PART_TRAINED, begin, end)) {
          EXPECT_EQ(layout.place(piece.id).begin + piece.begin, begin + piece.offset);
          for (int64_t i = piece.begin; i < piece.end; ++i)
            ++seen[static_cast<size_t>(piece.id)][static_cast<size_t>(i)];
        }
      }
    }
    for (const auto& counts : seen) {
      for (const int count : counts) ASSERT_EQ(count, 1);
    }
  }
  const ParameterLayout layout(*model, 1, [](int32_t) { return true; });
  EXPECT_THROW(layout.pieces(1, FTRUN_PART_TRAINED, 0, 1000), Error);
}

TEST(OptimizerSlice, RunsCoverTheSliceAndNormsAndBiasesDoNotDecay) {
  const auto model = tied_model();
  const ParameterLayout layout(*model, 1, [](int32_t) { return true; });
  const int64_t padded = layout.part(1, FTRUN_PART_TRAINED).padded_elements;
  const auto runs = optimizer_runs(*model, layout, 1, 0, padded);
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].end, 15);
  EXPECT_TRUE(runs[0].decays);
  EXPECT_EQ(runs[1].end, 26);
  EXPECT_FALSE(runs[1].decays);
  EXPECT_EQ(runs[2].end, padded);
  EXPECT_TRUE(runs[2].decays);
  const auto middle = optimizer_runs(*model, layout, 1, 16, 32);
  EXPECT_EQ(middle.front().begin, 0);
  EXPECT_EQ(middle.back().end, 16);
  EXPECT_FALSE(optimizer_runs(*model, layout, 2, 0, 16).front().decays);
}

TEST(NetworkModel, DeclarationsAreChecked) {
  EXPECT_EQ(tied_model()->units()[3].borrowed_units, std::vector<int32_t>{0});
  EXPECT_EQ(tied_model()->find("h"), 0);
  const auto embedding = [](const sdk::NetworkBuilder& builder) {
    builder.parameter({"e", FTRUN_PARAMETER_EMBEDDING, 0, {7, 3}});
  };
  EXPECT_THROW(declare([&](const auto& b) {
                 units(b);
                 embedding(b);
               }),
               Error)
      << "the head has no parameter";
  EXPECT_THROW(declare([&](const auto& b) {
                 units(b);
                 embedding(b);
                 embedding(b);
                 b.tie(0, 3, "h");
               }),
               Error);
  EXPECT_THROW(declare([&](const auto& b) {
                 units(b);
                 embedding(b);
                 b.tie(0, 3, "e");
               }),
               Error);
  EXPECT_THROW(declare([&](const auto& b) {
                 units(b);
                 embedding(b);
                 b.tie(0, 9, "h");
               }),
               Error);
  EXPECT_THROW(declare([&](const auto& b) {
                 units(b);
                 b.unit("more", FTRUN_UNIT_BLOCK);
                 embedding(b);
                 b.tie(0, 3, "h");
               }),
               Error);
  EXPECT_THROW(declare([&](const auto& b) {
                 units(b);
                 b.parameter({"e", FTRUN_PARAMETER_EMBEDDING, 0, {6, 3}});
                 b.tie(0, 3, "h");
               }),
               Error)
      << "the head is not [vocab_size, hidden_size]";
  EXPECT_THROW(declare([&](const auto& b) {
                 units(b);
                 b.parameter({"e", FTRUN_PARAMETER_EMBEDDING, 0, {0, 3}});
               }),
               Error);
}

}  // namespace
}  // namespace ftrun::test
