// Exceptions wait until every body has run.
#include "core/parallel/run_parallel.h"

#include <exception>
#include <vector>

#include "core/parallel/thread_pool.h"

namespace ftrun {

void run_parallel(int64_t count, const std::function<void(int64_t)>& body) {
  struct Job {
    const std::function<void(int64_t)>* body;
    std::vector<std::exception_ptr> failures;
  } job = {&body, std::vector<std::exception_ptr>(static_cast<size_t>(count))};
  parallel_for(
      count,
      [](void* argument, int64_t index) {
        Job& shared = *static_cast<Job*>(argument);
        try {
          (*shared.body)(index);
        } catch (...) {
          shared.failures[index] = std::current_exception();
        }
      },
      &job);
  for (const std::exception_ptr& failure : job.failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace ftrun
