// Layout and dtypes of a role in the ABI's structs.
#include "core/model/role_description.h"

#include "core/model/abi_struct.h"
#include "core/model/rank.h"

namespace ftrun {
namespace {

ftrun_unit_layout describe_unit(const Role& role, int32_t unit) {
  const ParameterLayout& layout = role.layout();
  const PartLayout& trained = layout.part(unit, FTRUN_PART_TRAINED);
  const PartLayout& frozen = layout.part(unit, FTRUN_PART_FROZEN);
  const ModelUnit& declared = role.model().units()[static_cast<size_t>(unit)];
  auto entry = make_abi_struct<ftrun_unit_layout>(FTRUN_UNIT_LAYOUT_TAG);
  entry.name = abi_text(declared.name);
  entry.trained_elements = trained.elements;
  entry.trained_padded_elements = trained.padded_elements;
  entry.frozen_elements = frozen.elements;
  entry.frozen_padded_elements = frozen.padded_elements;
  entry.largest_tensor_elements = layout.largest_tensor_elements(unit);
  entry.n_borrowed_units = static_cast<int32_t>(declared.borrowed_units.size());
  entry.borrowed_units = declared.borrowed_units.data();
  return entry;
}

}  // namespace

RoleDescription::RoleDescription(const Role& role, const RankArguments& arguments) {
  const Precision& precision = arguments.precision;
  for (int32_t unit = 0; unit < role.layout().unit_count(); ++unit) units_.push_back(describe_unit(role, unit));
  layout_ = make_abi_struct<ftrun_role_layout>(FTRUN_ROLE_LAYOUT_TAG);
  layout_.name = abi_text(role.name());
  layout_.role = role.index();
  layout_.trained = role.trained() ? 1 : 0;
  layout_.rank = arguments.rank;
  layout_.world = arguments.world;
  layout_.compute_dtype = precision.compute;
  layout_.gradient_dtype = precision.compute;
  layout_.accumulator_dtype = precision.master_weights ? FTRUN_F32 : precision.compute;
  layout_.accumulation = arguments.accumulation;
  layout_.n_units = role.layout().unit_count();
  layout_.infer_walks = role.infer_walks();
  layout_.unit_stride = sizeof(ftrun_unit_layout);
  layout_.units = units_.data();
}

}  // namespace ftrun
