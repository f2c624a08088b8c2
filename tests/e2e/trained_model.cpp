// Trained when first asked for.
#include "tests/e2e/trained_model.h"

#include <stdexcept>

#include "tests/e2e/program.h"

namespace ftrun::test {

std::filesystem::path trained_model() {
  static const TestFolder folder;
  static const std::filesystem::path model = [] {
    const ProgramResult result = run_small(folder, "model",
                                           {{"max_samples", "1500"},
                                            {"per_device_train_batch_size", "16"},
                                            {"gradient_accumulation_steps", "1"},
                                            {"learning_rate", "3.0e-3"},
                                            {"logging_steps", "20"}});
    if (result.exit_code != 0) throw std::runtime_error("training failed: " + result.err);
    return folder / "model";
  }();
  return model;
}

}  // namespace ftrun::test
