// A composed run on one rank: opened devices, models with weights, the paradigm with its data.
// Leaves out: the loop (trainer.h) and checkpoints (checkpointing.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/rank.h"
#include "core/optim/optimizer.h"
#include "core/tensor/device.h"
#include "core/train/adapters.h"
#include "core/train/data_service.h"
#include "core/train/generate_service.h"
#include "core/train/output_claim.h"
#include "core/train/rank_link.h"
#include "core/train/rank_services.h"
#include "core/train/run_setup.h"
#include "ftrun/kinds/paradigm.h"

namespace ftrun {

/// The network of a setup, declared from the text of its config.json.
std::shared_ptr<NetworkModel> open_network(const RunSetup& setup, const HostServices& services);
/// Of another text than the setup's config.json, as a save with changes would write it.
std::shared_ptr<NetworkModel> open_network(const RunSetup& setup, const HostServices& services,
                                           const ModelConfig& model, std::string_view config_json);
/// The same network plugin for the config.json of another folder, whose architecture it must claim.
std::shared_ptr<NetworkModel> open_network(const RunSetup& setup, const HostServices& services,
                                           const ModelConfig& model);

/// An instance of the paradigm with what it declared. Destroys it when destroyed.
class ParadigmInstance {
 public:
  ParadigmInstance(const ChosenPlugin& chosen, const ftrun_host* host);
  ParadigmInstance(const ParadigmInstance&) = delete;
  ParadigmInstance& operator=(const ParadigmInstance&) = delete;
  ~ParadigmInstance();

  struct RoleRequest {
    std::string name;
    std::string model_key;
    std::vector<std::string> scalar_heads;
    bool trained = false;
    bool adapter_off = false;
    bool at_start = false;
    int32_t infer_walks = 0;  ///< per micro-batch
  };
  const std::vector<RoleRequest>& roles() const noexcept { return roles_; }
  const std::vector<std::string>& denominators() const noexcept { return denominators_; }
  const ftrun_paradigm& table() const { return plugin_->paradigm(); }
  void* self() const noexcept { return self_; }
  const Plugin& plugin() const noexcept { return *plugin_; }

 private:
  const Plugin* plugin_;
  void* self_ = nullptr;
  std::vector<RoleRequest> roles_;
  std::vector<std::string> denominators_;
};

/// A strategy instance and the rank it drives; destroyed together.
class RankInstance {
 public:
  /// `communicator` NULL: a world of one.
  RankInstance(const RunSetup& setup, const HostServices& host_services, OpenedDevices& devices,
               Communicator* communicator, const Optimizer* optimizer, RankServices* services);
  RankInstance(const RankInstance&) = delete;
  RankInstance& operator=(const RankInstance&) = delete;
  ~RankInstance();
  Rank& rank() noexcept { return *rank_; }

 private:
  const Plugin* strategy_;
  void* strategy_instance_ = nullptr;
  std::unique_ptr<Rank> rank_;
};

/// Where a run's weights come from.
using WeightSources = std::function<std::unique_ptr<WeightSource>(const NetworkModel& model)>;

/// One rank of a run. [rank-thread]. Construction declares and lays out models, loads weights, then lets the paradigm
/// open its data: the main rank first, so that the others find it cached. Throws what any of it fails with; nothing has
/// been written then. Borrowed: setup and link, which outlive it.
class Run {
 public:
  Run(const RunSetup& setup, RankLink& link, OutputClaim claim = {},
      const std::function<void(const DataLedger&)>& on_ledger = {});
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run();

  const RunSetup& setup() const noexcept { return setup_; }
  const TrainingArguments& arguments() const noexcept { return arguments_; }
  OutputClaim& claim() noexcept { return claim_; }
  const OutputClaim& claim() const noexcept { return claim_; }
  RankLink& link() noexcept { return link_; }
  Communicator& communicator() noexcept { return link_.communicator(); }
  int32_t world() const noexcept { return link_.world(); }
  /// The rank that logs, decides and writes what is written once.
  bool is_main() const noexcept { return link_.is_main(); }
  /// What the strategy announced; nothing when it announces nothing.
  const std::optional<ftrun_schedule>& schedule() const noexcept { return schedule_; }
  const Optimizer& optimizer() const noexcept { return *optimizer_; }
  Rank& rank() noexcept { return rank_instance_->rank(); }
  ftrun_context* context() noexcept { return &rank().context(); }
  Device& device() noexcept { return link_.devices().device(); }
  const NetworkModel& model() const noexcept { return *model_; }
  /// Index of the trained role.
  int32_t trained_role() const noexcept { return 0; }
  const ParadigmInstance& paradigm() const noexcept { return *paradigm_; }
  const ftrun_paradigm_plan& plan() const noexcept { return plan_; }
  RankServices& services() noexcept { return services_; }
  DataService& data() noexcept { return data_; }
  /// The data the paradigm opened; NULL when it opened none.
  const ftrun_data* opened_data() const noexcept { return data_.opened.empty() ? nullptr : data_.opened.front().get(); }
  /// dtype of saved weights.
  StoredDtype saved_dtype() const noexcept { return saved_dtype_; }
  Precision precision() const;
  /// Adapters of the trained role.
  const AdapterPlan& adapters() const noexcept { return adapters_; }
  /// Elements of the start copies that a role at the start is computed with; 0 where there are none.
  int64_t start_elements() const noexcept { return start_elements_; }
  /// By parameter id: what finetuning_type trains.
  const std::vector<bool>& trained() const noexcept { return trained_; }
  /// Where weights come from at the start: the model folder's files, or initial values.
  std::unique_ptr<WeightSource> initial_weights() const;
  /// initial_weights as they would be if pairs had started at zero (see AdapterPlan::principal).
  std::unique_ptr<WeightSource> weights_without_principal() const;

 private:
  std::unique_ptr<WeightSource> base_weights() const;
  std::unique_ptr<WeightSource> with_scalar_head(std::unique_ptr<WeightSource> weights) const;
  void make_model();
  void keep_start(NetworkModel& model);
  void check_roles() const;
  void require_switchable(const ParadigmInstance::RoleRequest& role) const;
  void add_roles();
  std::shared_ptr<NetworkModel> open_role_network(const std::string& origin,
                                                  const ParadigmInstance::RoleRequest& request,
                                                  const ModelConfig& config) const;
  void add_frozen_role(const ParadigmInstance::RoleRequest& request);
  void check_memory();
  void make_rank();
  void begin(const std::function<void(const DataLedger&)>& on_ledger);

  void begin_paradigm();

  const RunSetup& setup_;
  RankLink& link_;
  OutputClaim claim_;
  TrainingArguments arguments_;
  RankServices services_;
  DataService data_;
  GenerateService generate_;
  std::shared_ptr<const NetworkModel> model_;
  AdapterPlan adapters_;
  std::vector<bool> trained_;
  int64_t start_elements_ = 0;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<ParadigmInstance> paradigm_;
  std::unique_ptr<RankInstance> rank_instance_;
  std::optional<ftrun_schedule> schedule_;
  ftrun_paradigm_plan plan_{};
  StoredDtype saved_dtype_;
};

}  // namespace ftrun
