// Settings as text.
#include "core/config/setting.h"

#include <fmt/format.h>

namespace ftrun {

std::string SettingValue::description() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kScalar:
      return quoted ? fmt::format("'{}' (in quotes)", scalar) : fmt::format("'{}'", scalar);
    case Kind::kList:
      return fmt::format("a list of {}", items.size());
    case Kind::kMap:
      return fmt::format("a map of {} keys", entries.size());
  }
  return {};
}

Setting scalar_setting(std::string key, std::string text, std::string origin) {
  Setting setting;
  setting.key = std::move(key);
  setting.origin = origin;
  setting.value.kind = SettingValue::Kind::kScalar;
  setting.value.scalar = std::move(text);
  setting.value.origin = std::move(origin);
  return setting;
}

}  // namespace ftrun
