// The generation calls of the C ABI (ftrun/generate.h) over core/generate.
#pragma once

#include <cstdint>
#include <vector>

#include "ftrun/generate.h"

namespace ftrun {

/// What a rank's generation calls need besides its models.
struct GenerateService {
  std::vector<int32_t> stop_ids;     ///< of the tokenizer, generation_config.json and the template, without duplicates
  bool warned_of_positions = false;  ///< said once per run
};

/// The static table. Each call finds its GenerateService through services_of.
const ftrun_generate_api* generate_api() noexcept;

}  // namespace ftrun
