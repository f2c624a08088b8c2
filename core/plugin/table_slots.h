// The function slots of every kind's table by name, and copies of tables in which each slot can be called.
// A slot added to a table in sdk/ is added here too: plugin.cpp's assertions fail until it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "ftrun/kinds/collectives.h"
#include "ftrun/kinds/device.h"
#include "ftrun/kinds/network.h"
#include "ftrun/kinds/paradigm.h"
#include "ftrun/kinds/reward.h"
#include "ftrun/kinds/strategy.h"

namespace ftrun {

/// A function pointer of a table: calls that the other side left out answer UNIMPLEMENTED, or do nothing where they
/// return nothing.
template <typename Result, typename... Args>
void fill_slot(Result (*&slot)(Args...)) {
  if (slot != nullptr) return;
  slot = +[](Args...) -> Result {
    if constexpr (std::is_same_v<Result, ftrun_status>) return FTRUN_UNIMPLEMENTED;
    if constexpr (std::is_pointer_v<Result>) return nullptr;
  };
}

/// visit(name, slot) for every function pointer of a table.
template <typename Visit>
constexpr void visit_slots(ftrun_paradigm& t, Visit&& visit) {
  visit("create", t.create), visit("destroy", t.destroy), visit("declare", t.declare), visit("begin", t.begin);
  visit("next_update", t.next_update), visit("loss", t.loss), visit("release_update", t.release_update);
  visit("evaluate", t.evaluate), visit("save_state", t.save_state), visit("load_state", t.load_state);
  visit("prepare", t.prepare);
}
template <typename Visit>
constexpr void visit_slots(ftrun_strategy& t, Visit&& visit) {
  visit("create", t.create), visit("destroy", t.destroy), visit("attach", t.attach), visit("unit_enter", t.unit_enter);
  visit("unit_exit", t.unit_exit), visit("grads_ready", t.grads_ready), visit("finish_grads", t.finish_grads);
  visit("step", t.step), visit("owned_range", t.owned_range), visit("read_range", t.read_range);
  visit("write_range", t.write_range);
  visit("schedule", t.schedule);
}
template <typename Visit>
constexpr void visit_slots(ftrun_device& t, Visit&& visit) {
  visit("count", t.count), visit("open", t.open), visit("close", t.close), visit("properties", t.properties);
  visit("allocate", t.allocate), visit("deallocate", t.deallocate), visit("record_stream", t.record_stream);
  visit("copy", t.copy), visit("stream_create", t.stream_create), visit("stream_destroy", t.stream_destroy);
  visit("stream_synchronize", t.stream_synchronize), visit("event_create", t.event_create);
  visit("event_destroy", t.event_destroy), visit("event_record", t.event_record);
  visit("stream_wait_event", t.stream_wait_event), visit("event_synchronize", t.event_synchronize);
  visit("event_query", t.event_query), visit("find_op", t.find_op), visit("execute", t.execute);
  visit("memory_stats", t.memory_stats), visit("reset_peak", t.reset_peak);
  visit("collective_cost", t.collective_cost), visit("host_cost", t.host_cost);
  visit("simulated_time", t.simulated_time);
}
template <typename Visit>
constexpr void visit_slots(ftrun_collectives& t, Visit&& visit) {
  visit("probe", t.probe), visit("open", t.open), visit("close", t.close), visit("rank", t.rank);
  visit("exchange", t.exchange), visit("all_gather_bytes", t.all_gather_bytes), visit("barrier", t.barrier);
  visit("abort", t.abort);
}
template <typename Visit>
constexpr void visit_slots(ftrun_network& t, Visit&& visit) {
  visit("create", t.create), visit("destroy", t.destroy), visit("declare", t.declare), visit("info", t.info);
  visit("unit_forward", t.unit_forward);
}
template <typename Visit>
constexpr void visit_slots(ftrun_reward& t, Visit&& visit) {
  visit("create", t.create), visit("destroy", t.destroy), visit("declare", t.declare), visit("score", t.score);
}

/// Copies what both sides know of a table into a zeroed one of this host's size. `source` has been checked. Names of
/// the slots that the other side left out are appended to `absent`; the slots themselves become callable.
template <typename Table>
Table copy_table(const void* source, std::vector<std::string>* absent) {
  ftrun_head head;
  std::memcpy(&head, source, sizeof(head));
  Table table;
  std::memset(static_cast<void*>(&table), 0, sizeof(table));
  std::memcpy(static_cast<void*>(&table), source, std::min<size_t>(head.struct_size, sizeof(table)));
  table.head.struct_size = sizeof(table);
  visit_slots(table, [&](std::string_view name, auto& slot) {
    if (slot == nullptr && absent != nullptr) absent->emplace_back(name);
    fill_slot(slot);
  });
  return table;
}

}  // namespace ftrun
