// See json_instances.h.
#include "core/base/json_instances.h"

FTRUN_JSON_INSTANCES(, std::map);
FTRUN_JSON_INSTANCES(, nlohmann::ordered_map);
