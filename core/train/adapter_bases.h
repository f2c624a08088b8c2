// What adapters were trained on, against what a run puts them on.
// Leaves out: shapes, which adapters.h refuses.
#pragma once

#include "core/config/resolve.h"
#include "core/train/adapters.h"

namespace ftrun {

/// A warning for each adapter whose base_model_name_or_path is neither model_name_or_path nor, where it names no folder
/// here, of the same name; and for each that was trained with other adapters merged into its base than the run merges
/// before it.
void warn_of_other_bases(const ResolvedConfig& config, const AdapterPlan& plan);

}  // namespace ftrun
