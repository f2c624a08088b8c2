// Exact match: the share of evaluation prompts whose greedy answer equals the expected text.
#pragma once

#include "ftrun/context.h"
#include "ftrun/data.h"
#include "ftrun/host.h"

namespace ftrun::supervised {

/// Greedy answers to every prompt of the evaluation split in `data`, at most max_new_tokens each, compared as text
/// without surrounding white space; every rank answers its share. Returns matches / prompts of all ranks; throws
/// sdk::Error when there are no prompts. [rank-thread]
double exact_match(const ftrun_host* host, ftrun_context* ctx, ftrun_data* data, int32_t role, int64_t max_new_tokens);

}  // namespace ftrun::supervised
