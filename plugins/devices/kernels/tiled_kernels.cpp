// Which tiled kernels are in force. Leaves out: their code (gemm.cpp, attention_forward.cpp, attention_backward.cpp).
#include "plugins/devices/kernels/tiled_kernels.h"

#include <atomic>

#include "plugins/devices/kernels/isa.h"

namespace ftrun::kernels {
namespace {

constexpr TiledKernels kWidening = {own_gemm_f32, nullptr, own_attention_forward, own_attention_backward};
constexpr TiledKernels kWithPairs = {own_gemm_f32, own_gemm_pairs, own_attention_forward, own_attention_backward};

std::atomic<const TiledKernels*> replaced = nullptr;

}  // namespace

const TiledKernels& tiled_kernels() noexcept {
  const TiledKernels* others = replaced.load(std::memory_order_relaxed);
  if (others != nullptr) return *others;
  return has_bf16_pairs() ? kWithPairs : kWidening;
}

void set_tiled_kernels(const TiledKernels* kernels) noexcept { replaced.store(kernels, std::memory_order_relaxed); }

}  // namespace ftrun::kernels
