// Adapters that were merged into the base while another one was trained: a file beside that one, which PEFT ignores.
// Leaves out: comparing them with those that a run names (core/train/adapters.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/io/peft_adapter.h"

namespace ftrun {

inline constexpr const char* kAdaptersBeneathFile = "adapters_beneath.json";

/// One of them, in the order in which they were merged.
struct AdapterBeneath {
  std::string path;           ///< as noted: absolute, of older files as the run named it
  uint64_t content_hash = 0;  ///< PeftAdapter::content_hash()
};

/// What the adapter in `folder` stands on besides its base model; empty where there is no such file. Throws
/// INVALID_ARGUMENT naming the file when it is not one that write_adapters_beneath() made.
std::vector<AdapterBeneath> read_adapters_beneath(const std::filesystem::path& folder);

/// Writes the file into `folder`, or removes it where nothing is beneath.
void write_adapters_beneath(const std::filesystem::path& folder,
                            std::span<const std::shared_ptr<const PeftAdapter>> adapters);

}  // namespace ftrun
