// C++ over kinds/paradigm.h: a class with ordinary members becomes the table of a paradigm plugin.
#pragma once

#include <memory>

#include "ftrun/cpp/plugin.hpp"
#include "ftrun/cpp/tensor.hpp"
#include "ftrun/kinds/paradigm.h"

namespace ftrun::sdk {
inline namespace v1 {

/// Base of a paradigm: holds the host and defaults for the optional parts. A paradigm P derives from it and has
///   P(const ftrun_host*, const ftrun_options*);
///   void declare(const ftrun_declaration&);
///   void begin(ftrun_context*, ftrun_paradigm_plan& out);
///   void next_update(ftrun_context*, const ftrun_update_request&, ftrun_update& out);
///   Tensor loss(ftrun_context*, const ftrun_update&, int32_t micro_batch, const double* denominators);
///   void release_update(ftrun_update&) noexcept;
/// and may hide measures(), evaluate() and prepare(). Members throw sdk::Error; host failures travel as HostFailure.
class Paradigm {
 public:
  explicit Paradigm(const ftrun_host* host) : host_(host) {}
  const ftrun_host* host() const noexcept { return host_; }
  /// Would evaluate measure anything in this phase?
  bool measures(ftrun_evaluation_phase) const { return false; }
  void evaluate(ftrun_context*, ftrun_evaluation_phase) {}
  void prepare(ftrun_context*) {}
  /// Of ftrun_paradigm; a paradigm that says it hides this one.
  static constexpr ftrun_str kDataFormat = {nullptr, 0};

 private:
  const ftrun_host* host_;
};

/// The table of paradigm P; `paradigm_table<P>` is a static object.
template <typename P>
struct ParadigmThunks {
  static P* of(void* self) { return static_cast<P*>(self); }
  static ftrun_status create(const ftrun_host* host, const ftrun_options* options, void** out) {
    return guarded(host, [&] { *out = std::make_unique<P>(host, options).release(); });
  }
  static void destroy(void* self) { delete of(self); }
  static ftrun_status declare(void* self, const ftrun_declaration* declaration) {
    return guarded(of(self)->host(), [&] { of(self)->declare(*declaration); });
  }
  static ftrun_status begin(void* self, ftrun_context* ctx, ftrun_paradigm_plan* out) {
    return guarded(of(self)->host(), [&] { of(self)->begin(ctx, *out); });
  }
  static ftrun_status next_update(void* self, ftrun_context* ctx, const ftrun_update_request* request,
                                  ftrun_update* out) {
    return guarded(of(self)->host(), [&] { of(self)->next_update(ctx, *request, *out); });
  }
  static ftrun_status loss(void* self, ftrun_context* ctx, const ftrun_update* update, int32_t micro_batch,
                           const double* denominators, ftrun_tensor** out) {
    *out = nullptr;
    return guarded(of(self)->host(), [&] { *out = of(self)->loss(ctx, *update, micro_batch, denominators).release(); });
  }
  static void release_update(void* self, ftrun_update* update) { of(self)->release_update(*update); }
  static ftrun_status evaluate(void* self, ftrun_context* ctx, ftrun_evaluation_phase phase, int32_t* wanted) {
    return guarded(of(self)->host(), [&] {
      *wanted = of(self)->measures(phase) ? 1 : 0;
      if (ctx != nullptr && *wanted != 0) of(self)->evaluate(ctx, phase);
    });
  }
  static ftrun_status prepare(void* self, ftrun_context* ctx) {
    return guarded(of(self)->host(), [&] { of(self)->prepare(ctx); });
  }
};

template <typename P>
inline constexpr ftrun_paradigm paradigm_table = {{sizeof(ftrun_paradigm), FTRUN_PARADIGM_TAG},
                                                  ParadigmThunks<P>::create,
                                                  ParadigmThunks<P>::destroy,
                                                  ParadigmThunks<P>::declare,
                                                  ParadigmThunks<P>::begin,
                                                  ParadigmThunks<P>::next_update,
                                                  ParadigmThunks<P>::loss,
                                                  ParadigmThunks<P>::release_update,
                                                  ParadigmThunks<P>::evaluate,
                                                  nullptr,
                                                  nullptr,
                                                  ParadigmThunks<P>::prepare,
                                                  P::kDataFormat};

}  // namespace v1
}  // namespace ftrun::sdk
