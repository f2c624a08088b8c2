// `ftrun data`: the ledger and rows as the model will see them. Opens the paradigm's data without any model.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/data/row_description.h"
#include "core/train/commands.h"
#include "core/train/run.h"

namespace ftrun {
namespace {

constexpr int64_t kDefaultRows = 3;

}  // namespace

int data_command(const CommandContext& context) {
  const RunSetup setup = prepare_setup(context, false);
  RankLink link(setup);
  Run run(setup, link);
  if (run.opened_data() == nullptr)
    throw failed_precondition("the paradigm '{}' opens no data", run.paradigm().plugin().id());
  const PreparedData& prepared = prepared_data(*run.opened_data());
  const int64_t rows = context.rows.value_or(kDefaultRows);
  if (context.json) {
    nlohmann::json result = {{"ledger", prepared.ledger.to_json()}, {"template", prepared.encoder->description()}};
    if (prepared.train) result["rows"] = describe_rows_json(*prepared.train, rows, *run.setup().tokenizer);
    fmt::print("{}\n", result.dump());
    return 0;
  }
  fmt::print("{}", prepared.ledger.to_text(20));
  if (prepared.ledger.kind != RowKind::kPlain) fmt::print("  {}\n", prepared.encoder->description());
  if (prepared.train) fmt::print("\n{}", describe_rows(*prepared.train, rows, *run.setup().tokenizer));
  return 0;
}

}  // namespace ftrun
