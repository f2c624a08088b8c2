// A model on a device with strategy `single`, from a folder of tests/golden/models: what the tests of core/model share.
// Leaves out: the registry and the configuration; plugins are opened by path.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/model/rank.h"
#include "ftrun/plugin.h"

namespace ftrun::test {

/// Host table over the engine's sub-tables and thread pool; log lines are dropped.
const ftrun_host* test_host();

/// The descriptor of <kind>_<id>.so in the build tree; NULL when the file does not exist.
const ftrun_plugin* open_plugin(const std::string& kind, const std::string& id);

/// Folder of a golden case.
std::filesystem::path golden_folder(const std::string& name);

/// An opened device: the `cpu` plugin where it is built, else (or always) the reference device.
class TestDevice {
 public:
  explicit TestDevice(bool always_reference = false);
  TestDevice(const TestDevice&) = delete;
  TestDevice& operator=(const TestDevice&) = delete;
  ~TestDevice();
  Device& device() { return *device_; }
  /// A ReferenceDevice with `always_reference`.
  void* instance() const { return instance_; }

 private:
  const ftrun_device* table_;
  void* instance_ = nullptr;
  std::unique_ptr<Device> device_;
};

struct ModelOptions {
  std::string network;  ///< "": the part of the case's name before '_'
  std::string config = "config.json";
  Precision precision = Precision::f32();
  bool gradient_checkpointing = true;
  int32_t accumulation = 1;
  double weight_decay = 0;
  OptimizerArguments optimizer;
  bool trained = true;
  /// By name, instead of `trained`.
  std::function<bool(const std::string& name)> is_trained;
  /// Adds adapters before anything is made from the model.
  std::function<void(NetworkModel&)> adapt;
  /// NULL: `single`.
  const ftrun_strategy* strategy = nullptr;
  /// NULL: a device of its own.
  Device* device = nullptr;
  /// Replaces the case's files.
  std::function<std::unique_ptr<WeightSource>(const NetworkModel&)> weights;
};

/// One rank with one role.
class TestModel {
 public:
  explicit TestModel(const std::string& golden_case, const ModelOptions& options = {});
  Rank& rank() { return *rank_; }
  Role& role() { return rank_->role(0); }
  const NetworkModel& model() const { return *model_; }
  ftrun_context& ctx() { return rank_->context(); }

 private:
  struct StrategyInstance {
    const ftrun_strategy* table = nullptr;
    void* instance = nullptr;
    ~StrategyInstance() {
      if (instance != nullptr) table->destroy(instance);
    }
  };

  std::unique_ptr<TestDevice> own_device_;
  std::shared_ptr<const NetworkModel> model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Rank> rank_;
  StrategyInstance strategy_;
};

/// Sequences end to end.
struct Documents {
  std::vector<int32_t> ids;
  std::vector<int32_t> positions;
  std::vector<int32_t> offsets = {0};
  std::vector<int32_t> targets;  ///< -100: none

  void add(std::span<const int32_t> document_ids, std::span<const int32_t> document_targets);
  ftrun_batch batch() const;
};

/// Documents [first, first + count) of the set under `prefix` ("forward.") of a golden file.
Documents golden_documents(const SafetensorsFile& golden, const std::string& prefix, int64_t first = 0,
                           int64_t count = -1);

/// A tensor of a golden file as doubles, whatever its dtype.
std::vector<double> golden_values(const SafetensorsFile& golden, const std::string& name);
inline double golden_number(const SafetensorsFile& golden, const std::string& name) {
  return golden_values(golden, name).at(0);
}

/// Logits of every position, f32, [T * V].
std::vector<float> all_logits(TestModel& model, const Documents& documents, int32_t role = 0);

/// scale * summed cross entropy, recorded and run backward as micro-batch `index` of `count`.
double train(TestModel& model, const Documents& documents, double scale, int32_t index = 0, int32_t count = 1);

/// Every parameter's gradient, in order of ids, as f32; empty where it is frozen.
std::vector<std::vector<float>> gradients(TestModel& model);
/// Every parameter's weights as saved in f32.
std::vector<std::vector<float>> weights(TestModel& model);

/// |a - b| / |b|.
double relative_distance(std::span<const float> a, std::span<const double> b);

}  // namespace ftrun::test
