// One short run of each paradigm, for tests that vary everything else.
// Leaves out: what the numbers should be (golden_test.cpp).
#pragma once

#include "tests/paradigms/paradigm_fixture.h"

namespace ftrun::test {

struct Stage {
  std::string name;  ///< of a test
  std::string paradigm;
  std::map<std::string, std::string> options;
};
void PrintTo(const Stage& stage, std::ostream* out);

/// pt, sft, rm, dpo and kto as they are by default.
const std::vector<Stage>& stages();
/// dpo without a reference.
const Stage& simpo_stage();

/// Three updates of four rows, the last one short, and an evaluation. Weights follow the gradients themselves: Adam's
/// denominator is next to constant, so ParadigmOutcome.changes tells gradients apart. Under tuner full the reference of
/// dpo and kto is a second model with other weights, under lora the base, else the initial weights.
ParadigmCase stage_case(const Stage& stage, const std::string& tuner);

/// Same updates of the same rows: losses within 2e-6 x max(1, |loss|), norms and measures within 1e-5, what the updates
/// changed within 1e-5 over the model and 2e-4 per tensor (above rounding: 1e-6 of the model's change). Frozen tensors
/// are untouched.
void expect_equivalent(const ParadigmOutcome& found, const ParadigmOutcome& expected);
/// Everything bit by bit.
void expect_same_bits(const ParadigmOutcome& found, const ParadigmOutcome& expected);

}  // namespace ftrun::test
