// The files of the demo: data set, tokenizer and the description of the model to start from.
// Leaves out: writing them to disk (demo_data.cpp), so that the test compares without a folder.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "configs/demo/generator/split.h"

namespace ftrun::demo {

/// The seed of the committed files.
inline constexpr uint64_t kCommittedSeed = 20260101;

Split make_rows(uint64_t seed);

/// Path inside configs/demo -> content.
std::map<std::string, std::string> make_data_files(const Split& split);

/// Pairs, labelled answers and plain text of the same questions; in make_data_files.
std::map<std::string, std::string> make_preference_files(const Split& split);

/// The tokenizer is trained on the training rows' text only.
std::map<std::string, std::string> make_model_files(const Split& split);

}  // namespace ftrun::demo
