// A role as the C ABI tells it to strategies, with the memory it points to.
// Leaves out: what strategies do with it (ftrun/kinds/strategy.h).
#pragma once

#include <vector>

#include "core/model/role.h"
#include "ftrun/shard.h"

namespace ftrun {

struct RankArguments;

/// Valid as long as the role.
class RoleDescription {
 public:
  RoleDescription(const Role& role, const RankArguments& arguments);
  RoleDescription(const RoleDescription&) = delete;
  RoleDescription& operator=(const RoleDescription&) = delete;
  const ftrun_role_layout& layout() const noexcept { return layout_; }

 private:
  std::vector<ftrun_unit_layout> units_;
  ftrun_role_layout layout_;
};

}  // namespace ftrun
