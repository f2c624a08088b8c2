// Windows of N G B items over a permuted epoch.
#include "core/data/data_order.h"

#include <algorithm>

#include "core/base/error.h"

namespace ftrun {

DataOrder::DataOrder(int64_t num_items, uint64_t seed, bool shuffle, BatchShape shape)
    : num_items_(num_items), seed_(seed), shuffle_(shuffle), shape_(shape) {
  if (num_items < 1) throw invalid_argument("data order: there are no items");
  if (shape.ranks < 1 || shape.per_device_batch < 1 || shape.accumulation < 1)
    throw invalid_argument("data order: ranks {}, per-device batch {} and accumulation {} must be at least 1",
                           shape.ranks, shape.per_device_batch, shape.accumulation);
}

int64_t DataOrder::updates_per_epoch() const noexcept { return (num_items_ + shape_.window() - 1) / shape_.window(); }

DataOrder::Position DataOrder::position_of_update(int64_t update) const noexcept {
  return {update / updates_per_epoch(), update % updates_per_epoch()};
}

int64_t DataOrder::item_at(int64_t epoch, int64_t index) const noexcept {
  if (index >= num_items_) return kFiller;
  return shuffle_ ? Permutation(num_items_, seed_, static_cast<uint64_t>(epoch))(index) : index;
}

std::vector<int64_t> DataOrder::micro_batch(int64_t update, int64_t micro_batch, int64_t rank) const {
  const Position position = position_of_update(update);
  const int64_t first =
      position.update * shape_.window() + (micro_batch * shape_.ranks + rank) * shape_.per_device_batch;
  std::vector<int64_t> items;
  for (int64_t i = 0; i < shape_.per_device_batch; ++i) items.push_back(item_at(position.epoch, first + i));
  return items;
}

std::vector<int64_t> DataOrder::window_items(int64_t update) const {
  const Position position = position_of_update(update);
  std::vector<int64_t> items;
  for (int64_t i = 0; i < shape_.window(); ++i)
    items.push_back(item_at(position.epoch, position.update * shape_.window() + i));
  return items;
}

int64_t DataOrder::items_before(int64_t update) const noexcept {
  const Position position = position_of_update(update);
  return position.epoch * num_items_ + std::min(position.update * shape_.window(), num_items_);
}

int64_t DataOrder::update_at(int64_t items) const {
  const int64_t in_epoch = items % num_items_;
  if (items < 0 || in_epoch % shape_.window() != 0)
    throw failed_precondition(
        "item position {} is not the start of an update of {} items ({} ranks x {} per device x {} accumulation)",
        items, shape_.window(), shape_.ranks, shape_.per_device_batch, shape_.accumulation);
  return items / num_items_ * updates_per_epoch() + in_epoch / shape_.window();
}

}  // namespace ftrun
