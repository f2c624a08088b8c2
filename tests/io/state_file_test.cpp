// State files: what was written comes back; another kind, version, name, dtype or shape is refused.
#include "core/io/state_file.h"

#include "tests/io/io_fixture.h"

namespace ftrun {
namespace {

const std::vector<TensorSpec>& specs() {
  static const std::vector<TensorSpec> kSpecs = {{"w.exp_avg", StoredDtype::kF32, {3}},
                                                 {"rng", StoredDtype::kU64, {2}}};
  return kSpecs;
}

void write_state(const Path& path) {
  StateWriter writer(path, "optimizer", 2, specs(), {{"step", "17"}});
  writer.write("rng", patterned(16, 5));
  writer.write("w.exp_avg", patterned(12, 6));
  writer.finish();
}

TEST(StateFile, RoundTrips) {
  const TemporaryFolder folder;
  write_state(folder / "optimizer.safetensors");
  const StateReader reader(folder / "optimizer.safetensors", "optimizer", 2);
  reader.require_exactly(specs());
  EXPECT_THAT(reader.require(specs()[0]), testing::ElementsAreArray(patterned(12, 6)));
  EXPECT_EQ(reader.value("step"), "17");
  EXPECT_TRUE(reader.has_value("step"));
  EXPECT_FALSE(reader.has_value("epoch"));
  EXPECT_EQ(reader.arrays().size(), 2u);
  EXPECT_NE(reader.find("rng"), nullptr);
}

TEST(StateFile, RefusesWhatDoesNotFit) {
  const TemporaryFolder folder;
  const Path path = folder / "optimizer.safetensors";
  write_state(path);
  expect_error(FTRUN_INVALID_ARGUMENT, {path.string(), "'optimizer'", "'ledger'"},
               [&] { StateReader r(path, "ledger", 2); });
  expect_error(FTRUN_INVALID_ARGUMENT, {"version 2, expected 3"}, [&] { StateReader r(path, "optimizer", 3); });
  const StateReader reader(path, "optimizer", 2);
  const auto require = [&](TensorSpec spec) { reader.require(spec); };
  expect_error(FTRUN_INVALID_ARGUMENT, {"'w.exp_avg' is F32 [3], expected F32 [4]"}, [&] {
    require({"w.exp_avg", StoredDtype::kF32, {4}});
  });
  expect_error(FTRUN_INVALID_ARGUMENT, {"expected BF16 [3]"}, [&] { require({"w.exp_avg", StoredDtype::kBF16, {3}}); });
  expect_error(FTRUN_INVALID_ARGUMENT, {"'w.exp_avgs'", "did you mean"}, [&] {
    require({"w.exp_avgs", StoredDtype::kF32, {3}});
  });
  expect_error(FTRUN_INVALID_ARGUMENT, {"'rng' is left over"},
               [&] { reader.require_exactly(std::span(specs()).first(1)); });
  expect_error(FTRUN_INVALID_ARGUMENT, {"no value 'epoch'"}, [&] { reader.value("epoch"); });
  expect_error(FTRUN_INVALID_ARGUMENT, {"'ftrun_kind' is reserved"}, [&] {
    StateWriter w(folder / "x", "optimizer", 1, {}, {{"ftrun_kind", "x"}});
  });
  SafetensorsWriter plain(folder / "model.safetensors", {});
  plain.finish();
  expect_error(FTRUN_INVALID_ARGUMENT, {"kind '(none)'"},
               [&] { StateReader r(folder / "model.safetensors", "optimizer", 2); });
}

}  // namespace
}  // namespace ftrun
