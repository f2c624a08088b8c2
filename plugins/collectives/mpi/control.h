// Short messages between ranks beside the data: a failure's words, and that a rank is through.
// Leaves out: when they are sent (world.cpp).
#pragma once

#include <mpi.h>

#include <cstdint>
#include <list>
#include <string>
#include <vector>

namespace ftrun::mpi {

/// Call with the world's lock. Errors of MPI itself are ignored: these messages are sent when things are already bad.
class Control {
 public:
  enum Tag : int {
    kEnd = 1,   ///< a rank failed; the text says why
    kLeft = 2,  ///< the sender is through
    kGone = 3,  ///< the sender has said what went wrong and is about to exit
  };

  /// `comm` is this object's own.
  Control(MPI_Comm comm, int32_t rank, int32_t size);

  /// To every other rank; returns before it has arrived.
  void send(Tag tag, const std::string& text);
  /// Takes in what has arrived.
  void poll();

  /// The first failure of any rank, "" while there is none.
  const std::string& end_message() const noexcept { return end_message_; }
  void set_end_message(const std::string& message);
  bool has_left(int32_t rank) const { return left_[static_cast<size_t>(rank)]; }
  bool all_left() const;
  bool all_gone() const;

 private:
  struct Sending {
    std::string text;
    std::vector<MPI_Request> requests;
  };
  void take(const MPI_Status& status);

  MPI_Comm comm_;
  int32_t rank_;
  std::string end_message_;
  std::vector<bool> left_;
  std::vector<bool> gone_;
  std::list<Sending> sending_;  ///< kept until the process ends
};

}  // namespace ftrun::mpi
