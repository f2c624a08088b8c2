// Which reader a key has, and handing its result to the host.
#include "sharding/imported_strategy.h"

#include "sharding/deepspeed_config.h"
#include "sharding/fsdp_config.h"

namespace ftrun::sharding {

ImportedStrategy read_foreign_config(std::string_view key, std::string_view text) {
  return key == "fsdp" ? read_fsdp_config(text) : read_deepspeed_config(text);
}

ftrun_status import_for(std::string_view id, const ftrun_host* host, ftrun_str key, ftrun_str text,
                        ftrun_status (*emit)(void* sink, ftrun_str option, ftrun_str value), void* sink) noexcept {
  return sdk::guarded(host, [&] {
    const ImportedStrategy imported = read_foreign_config(sdk::view(key), sdk::view(text));
    if (imported.name != id) throw sdk::HostFailure(FTRUN_NOT_FOUND);
    const auto give = [&](std::string_view option, std::string_view value) {
      sdk::check(emit(sink, sdk::str(option), sdk::str(value)));
    };
    give("name", id);
    for (const auto& [option, value] : imported.options) give(option, value);
    if (!imported.expectations.empty()) give("expects", imported.expectations.text());
    if (imported.notes.empty()) return;
    std::string line = std::string(sdk::view(key)) + ": read and without effect here: ";
    for (const std::string& note : imported.notes) line += (&note == &imported.notes.front() ? "" : ", ") + note;
    host->log(host, FTRUN_LOG_INFO, sdk::str(line));
  });
}

}  // namespace ftrun::sharding
