// A folder with a small trained model, made once per test program, for commands that use one.
#pragma once

#include <filesystem>

namespace ftrun::test {

/// The demo's model after some updates: its answers look like the data's. Its tokenizer has a chat_template, its
/// generation_config.json decodes greedily, 256 positions.
std::filesystem::path trained_model();

}  // namespace ftrun::test
