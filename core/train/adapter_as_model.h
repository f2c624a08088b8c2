// model_name_or_path that names the folder of an adapter: the model is then the adapter's base.
// Leaves out: reading the adapter's tensors (core/io/peft_adapter.h).
#pragma once

#include "core/config/setting.h"

namespace ftrun {

/// Where model_name_or_path is a folder with adapter_config.json and without config.json, puts the base that the
/// adapter names in its place and the folder, behind the adapters that were beneath it, into adapter_name_or_path, and
/// logs it. Relative paths in the adapter's files are looked for as core/io/noted_folder.h says. Throws
/// INVALID_ARGUMENT when adapter_name_or_path is given too, the base is no model folder here or may be several, or an
/// adapter beneath is not the one it was.
void take_adapter_as_model(ConfigSources& sources);

/// The same for a run that trains, which goes on with the adapter. Throws INVALID_ARGUMENT also where finetuning_type
/// is given and trains no adapter.
void take_adapter_to_train(ConfigSources& sources);

}  // namespace ftrun
