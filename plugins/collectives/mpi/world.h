// The MPI world of this process: started once, finished when the process ends, with a lock around every MPI call.
// Leaves out: bytes between ranks (transfers.h) and the plugin's table (mpi.cpp).
#pragma once

#include <mpi.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "control.h"

namespace ftrun::mpi {

/// Throws sdk::Error(UNAVAILABLE) with MPI's own words unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

/// MPI is per process, and so is this: the one object of the plugin that is shared by its instances.
class World {
 public:
  static World& instance();

  /// MPI_Init_thread; blocks until every process of the job has come. Once per process: MPI cannot start again.
  void start();
  int32_t rank() const noexcept { return rank_; }
  int32_t size() const noexcept { return size_; }
  MPI_Comm data() const noexcept { return data_; }
  Control& control() noexcept { return *control_; }

  /// Ends all ranks' calls with this message. [any-thread]
  void end(std::string message);
  /// This rank is through and will not communicate again.
  void leave();
  /// Call with the lock. Transfers are left unfinished whose memory goes away once the failure has been reported: from
  /// then on MPI must not move on with them.
  void abandon() noexcept { abandoned_ = true; }

  /// Hold one while calling MPI: it was started with MPI_THREAD_SERIALIZED.
  class Lock {
   public:
    explicit Lock(World& world);
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() { world_.mutex_.unlock(); }
    /// Lets others in, and waits longer the longer nothing happened; `idle` counts the calls since something did.
    void back_off(int64_t idle);

   private:
    World& world_;
  };

 private:
  World() = default;
  static void finish_at_exit();
  void finish();
  void finish_ended(Lock& lock);

  std::mutex mutex_;
  std::atomic<int32_t> waiting_ = 0;  ///< threads that want the lock
  bool started_ = false;
  bool abandoned_ = false;
  int32_t rank_ = 0;
  int32_t size_ = 1;
  MPI_Comm data_ = MPI_COMM_NULL;
  std::unique_ptr<Control> control_;
};

}  // namespace ftrun::mpi
