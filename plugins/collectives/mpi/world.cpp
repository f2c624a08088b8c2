// Start, end and the way out of an MPI process.
//
// A job must end everywhere when one rank fails, and every rank should have said what it was doing before the launcher
// kills what is left. So a failure is sent to all ranks as a message; each throws, reports and leaves main; and what
// runs at exit waits a moment for the others to have come as far before it lets go of MPI.
#include "world.h"

#include <sched.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "ftrun/cpp/plugin.hpp"

namespace ftrun::mpi {
namespace {

using Clock = std::chrono::steady_clock;

/// For the others to report before the job is ended under them.
constexpr std::chrono::milliseconds kGrace{3000};
/// The same where it cannot be seen that they have.
constexpr std::chrono::milliseconds kBlindGrace{1500};
/// For a message about a failure to leave this process.
constexpr std::chrono::milliseconds kSendGrace{200};
/// A peer that is not here after so many polls is not just about to come.
constexpr int64_t kYields = 2000;

}  // namespace

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw sdk::Error(FTRUN_UNAVAILABLE, std::string(call) + ": " + std::string(text, static_cast<size_t>(length)));
}

World& World::instance() {
  static World* const world = new World;  // outlives everything that runs at exit
  return *world;
}

World::Lock::Lock(World& world) : world_(world) {
  ++world_.waiting_;
  world_.mutex_.lock();
  --world_.waiting_;
}

void World::Lock::back_off(int64_t idle) {
  world_.mutex_.unlock();
  if (world_.waiting_.load() > 0 || idle > kYields) {
    const int64_t microseconds = idle > 10 * kYields ? 1000 : 50;
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  } else {
    ::sched_yield();
  }
  world_.mutex_.lock();
}

void World::start() {
  const Lock lock(*this);
  if (started_) {
    throw sdk::Error(FTRUN_FAILED_PRECONDITION, "mpi: a process takes part in its MPI job once, and this one has");
  }
  int given = 0;
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &given), "MPI_Init_thread");
  std::atexit(finish_at_exit);
  started_ = true;
  if (given < MPI_THREAD_SERIALIZED) {
    throw sdk::Error(FTRUN_UNIMPLEMENTED, "mpi: this MPI does not allow calls from several threads in turn");
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
  rank_ = rank;
  size_ = size;
  MPI_Comm control = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &data_), "MPI_Comm_dup");
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &control), "MPI_Comm_dup");
  MPI_Comm_set_errhandler(data_, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler(control, MPI_ERRORS_RETURN);
  control_ = std::make_unique<Control>(control, rank_, size_);
}

void World::end(std::string message) {
  Lock lock(*this);
  if (control_ == nullptr || !control_->end_message().empty()) return;
  control_->set_end_message(message);
  control_->send(Control::kEnd, message);
  const auto until = Clock::now() + kSendGrace;
  for (int64_t idle = kYields; Clock::now() < until; ++idle) {
    control_->poll();
    lock.back_off(idle);
  }
}

void World::leave() {
  const Lock lock(*this);
  if (control_ == nullptr || !control_->end_message().empty()) return;
  control_->send(Control::kLeft, {});
  control_->poll();
}

void World::finish_at_exit() { instance().finish(); }

void World::finish() {
  Lock lock(*this);
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized != 0) return;
  if (abandoned_) {
    // The launcher ends a job of which a process has gone like this.
    std::this_thread::sleep_for(kBlindGrace);
    return;
  }
  // A rank may have more to do than the others, such as saving.
  for (int64_t idle = 0; control_ != nullptr && !control_->all_left() && control_->end_message().empty(); ++idle) {
    control_->poll();
    lock.back_off(idle + kYields);
  }
  if (control_ == nullptr || !control_->end_message().empty()) return finish_ended(lock);
  MPI_Finalize();
}

void World::finish_ended(Lock& lock) {
  const auto until = Clock::now() + kGrace;
  if (control_ != nullptr) control_->send(Control::kGone, {});
  for (int64_t idle = kYields; control_ != nullptr && !control_->all_gone() && Clock::now() < until; ++idle) {
    control_->poll();
    lock.back_off(idle);
  }
  if (control_ != nullptr && control_->all_gone()) {
    MPI_Finalize();
  } else {
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
}

}  // namespace ftrun::mpi
