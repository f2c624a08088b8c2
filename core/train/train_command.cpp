// `ftrun train`: set up, compose, train (or only evaluate), report.
#include <cstdio>
#include <optional>

#include "core/base/logging.h"
#include "core/train/commands.h"
#include "core/train/end_watch.h"
#include "core/train/run.h"
#include "core/train/stop_request.h"
#include "core/train/trainer.h"

namespace ftrun {

int train_command(const CommandContext& context) {
  const RunSetup setup = prepare_setup(context);
  const bool launched = setup.launched_world > 0;
  const StopRequestScope stop_scope(launched ? StopSignals::kLaunched : StopSignals::kOwn);
  return run_ranks(setup, [&](RankLink& link) {
    std::optional<EndWatch> end_watch;
    if (launched) end_watch.emplace(link.communicator());
    OutputClaim claim = claim_output(setup, link.communicator());
    Run run(setup, link, std::move(claim), [](const DataLedger& ledger) { log_info("{}", ledger.to_text()); });
    Trainer trainer(run);
    const int code = setup.arguments.do_train ? trainer.train() : trainer.evaluate_only();
    if (context.json && link.is_main()) fmt::print("{}\n", trainer.summary().dump());
    return code;
  });
}

}  // namespace ftrun
