// Growth and release of scratch memory.
#include "plugins/devices/kernels/context.h"

namespace ftrun::kernels {

void Scratch::grow(ScratchSource& source, Block& block, uint64_t bytes) {
  if (block.bytes >= bytes && block.data != nullptr) return;
  if (block.data != nullptr) source.release(block.data);
  block = Block{};
  const uint64_t rounded = (bytes + 65535u) / 65536u * 65536u;
  block.data = source.allocate(rounded);
  block.bytes = rounded;
}

void Scratch::reserve_threads(int32_t threads, uint64_t bytes) {
  if (threads_.size() < static_cast<size_t>(threads)) threads_.resize(static_cast<size_t>(threads));
  for (Block& block : threads_) grow(thread_source_, block, bytes);
}

char* Scratch::shared(uint64_t bytes) {
  grow(shared_source_, shared_, bytes);
  return static_cast<char*>(shared_.data);
}

void Scratch::release() {
  if (shared_.data != nullptr) shared_source_.release(shared_.data);
  shared_ = Block{};
  for (Block& block : threads_) {
    if (block.data != nullptr) thread_source_.release(block.data);
    block = Block{};
  }
}

uint64_t Scratch::held_bytes() const {
  uint64_t bytes = shared_.bytes;
  for (const Block& block : threads_) bytes += block.bytes;
  return bytes;
}

}  // namespace ftrun::kernels
