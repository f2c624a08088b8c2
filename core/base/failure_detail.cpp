// One string per thread.
#include "core/base/failure_detail.h"

#include <utility>

namespace ftrun {
namespace {

std::string& detail_of_this_thread() {
  thread_local std::string detail;
  return detail;
}

}  // namespace

void set_failure_detail(std::string_view message) noexcept {
  try {
    detail_of_this_thread().assign(message);
  } catch (...) {
    detail_of_this_thread().clear();
  }
}

std::string take_failure_detail() { return std::exchange(detail_of_this_thread(), {}); }

}  // namespace ftrun
