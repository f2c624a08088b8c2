// The layout law in code.
#include "core/model/parameter_layout.h"

#include <algorithm>

#include "core/base/error.h"

namespace ftrun {

ParameterLayout::ParameterLayout(const NetworkModel& model, int32_t world,
                                 const std::function<bool(int32_t id)>& is_trained)
    : world_(world), parts_(2 * model.units().size()), places_(model.parameters().size()) {
  if (world < 1) throw internal_error("a layout for {} ranks", world);
  for (size_t unit = 0; unit < model.units().size(); ++unit) {
    for (const int32_t id : model.units()[unit].parameters) {
      const ftrun_part which = is_trained(id) ? FTRUN_PART_TRAINED : FTRUN_PART_FROZEN;
      PartLayout& part = parts_[2 * unit + static_cast<size_t>(which)];
      const int64_t begin = part.elements;
      part.elements += model.parameter(id).elements;
      part.parameters.push_back({id, begin, part.elements});
      places_[static_cast<size_t>(id)] = {static_cast<int32_t>(unit), which, begin};
    }
  }
  const int64_t multiple = int64_t{16} * world;
  for (PartLayout& part : parts_) part.padded_elements = (part.elements + multiple - 1) / multiple * multiple;
}

std::pair<int64_t, int64_t> ParameterLayout::slice(int32_t unit, ftrun_part which, int32_t rank) const {
  const int64_t length = part(unit, which).padded_elements / world_;
  return {rank * length, (rank + 1) * length};
}

std::vector<ParameterPiece> ParameterLayout::pieces(int32_t unit, ftrun_part which, int64_t begin, int64_t end) const {
  const PartLayout& layout = part(unit, which);
  if (begin < 0 || begin > end || end > layout.padded_elements) {
    throw invalid_argument("elements [{}, {}) of unit {} are outside its {} padded elements", begin, end, unit,
                           layout.padded_elements);
  }
  std::vector<ParameterPiece> found;
  for (const ParameterRange& range : layout.parameters) {
    const int64_t from = std::max(begin, range.begin);
    const int64_t to = std::min(end, range.end);
    if (from < to) found.push_back({range.id, from - range.begin, to - range.begin, from - begin});
  }
  return found;
}

int64_t ParameterLayout::largest_tensor_elements(int32_t unit) const {
  int64_t largest = 0;
  for (const ftrun_part which : {FTRUN_PART_TRAINED, FTRUN_PART_FROZEN}) {
    for (const ParameterRange& range : part(unit, which).parameters)
      largest = std::max(largest, range.end - range.begin);
  }
  return largest;
}

}  // namespace ftrun
