// A model held against a golden file: logits, gradients, ten AdamW steps.
// Leaves out: which cases there are (golden_test.cpp, lora_test.cpp).
#pragma once

#include <span>
#include <string>

#include "tests/model/model_fixture.h"

namespace ftrun::test {

SafetensorsFile open_golden(const std::string& name, const std::string& file = "golden.safetensors");

double largest_difference(std::span<const float> a, std::span<const double> b);

/// Relative distance of every gradient that the file has under `prefix` + "grad.".
void expect_gradients(TestModel& model, const SafetensorsFile& golden, const std::string& prefix, double tolerance);

/// Relative bounds of a training run.
struct Bounds {
  double loss;
  double norm;
  double weights;  ///< whole model
  double tensor;   ///< each tensor
};

/// Ten AdamW steps with accumulation 2, uneven masks, clipping and a schedule; `expected` holds the results. What has
/// no final values there is frozen.
void expect_training(const std::string& name, ModelOptions options, const SafetensorsFile& expected,
                     const Bounds& bounds);

}  // namespace ftrun::test
