// What the run hangs on a rank's context for the ABI calls that the engine below does not implement itself.
#pragma once

#include <map>
#include <string>

struct ftrun_context;

namespace ftrun {

struct DataService;
struct GenerateService;

/// Owned by the run; reached from thunks through services_of.
class RankServices {
 public:
  DataService* data = nullptr;
  GenerateService* generate = nullptr;
  /// Numbers that plugins reported since the last read, by name.
  std::map<std::string, double> metrics;
};

/// The services of a context. INTERNAL when the context has none.
RankServices& services_of(ftrun_context* ctx);

}  // namespace ftrun
