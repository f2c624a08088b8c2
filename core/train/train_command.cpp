// `ftrun train`: set up, compose, train, report.
#include <cstdio>

#include "core/base/logging.h"
#include "core/train/commands.h"
#include "core/train/run.h"
#include "core/train/trainer.h"

namespace ftrun {

int train_command(const CommandContext& context) {
  RunSetup setup = prepare_setup(context, true);
  Run run(std::move(setup), [](const DataLedger& ledger) { log_info("{}", ledger.to_text()); });
  Trainer trainer(run);
  const int code = trainer.train();
  if (context.json) fmt::print("{}\n", trainer.summary().dump());
  return code;
}

}  // namespace ftrun
