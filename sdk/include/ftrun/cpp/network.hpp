// C++ over the kind `network`: builder, context calls of unit_forward, and the table made from a class.
// Leaves out: what a decoder looks like (a family's own library does that).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "ftrun/cpp/tensor.hpp"
#include "ftrun/kinds/network.h"

namespace ftrun::sdk {
inline namespace v1 {

/// How a parameter is declared; see ftrun_parameter_info.
struct ParameterSpec {
  std::string_view name;
  ftrun_parameter_role role = FTRUN_PARAMETER_LINEAR;
  int32_t unit = 0;
  std::array<int64_t, 2> shape = {0, 0};  ///< a second size of 0 makes it one-dimensional
  ftrun_initializer initializer = FTRUN_INITIALIZER_NORMAL;
  double initializer_std = 0.0;
};

/// Declares units and parameters; ids count up from 0. Failures throw HostFailure.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(const ftrun_network_builder* builder) noexcept : builder_(builder) {}

  int32_t unit(std::string_view name, ftrun_unit_kind kind) const {
    auto info = make<ftrun_unit_info>(FTRUN_UNIT_INFO_TAG);
    info.name = str(name);
    info.kind = kind;
    int32_t id = -1;
    check(builder_->add_unit(builder_, &info, &id));
    return id;
  }
  int32_t parameter(const ParameterSpec& spec) const {
    auto info = make<ftrun_parameter_info>(FTRUN_PARAMETER_INFO_TAG);
    info.name = str(spec.name);
    info.role = spec.role;
    info.unit = spec.unit;
    info.ndim = spec.shape[1] == 0 ? 1 : 2;
    info.initializer = spec.initializer;
    info.shape[0] = spec.shape[0];
    info.shape[1] = spec.shape[1];
    info.initializer_std = spec.initializer_std;
    int32_t id = -1;
    check(builder_->add_parameter(builder_, &info, &id));
    return id;
  }
  /// `unit` uses `parameter` too; files may carry it under `tied_name`.
  void tie(int32_t parameter, int32_t unit, std::string_view tied_name) const {
    check(builder_->tie_parameter(builder_, parameter, unit, str(tied_name)));
  }

 private:
  const ftrun_network_builder* builder_;
};

/// Weight and bias of a linear by parameter id; bias -1 where there is none.
struct LinearIds {
  int32_t weight = -1;
  int32_t bias = -1;
};

/// Context calls of unit_forward, as values. Shapes: see context.h. All [rank-thread]; failures throw HostFailure.
class NetworkCalls : public TensorCalls {
 public:
  using TensorCalls::TensorCalls;

  Tensor embed(int32_t parameter) const {
    ftrun_tensor* out = nullptr;
    check(host()->context->embed(context(), parameter, &out));
    return {host(), out};
  }
  /// Several linears of one input: the host may compute them together.
  template <size_t N>
  std::array<Tensor, N> linear(const Tensor& x, const std::array<LinearIds, N>& ids) const {
    std::array<int32_t, N> weights{};
    std::array<int32_t, N> biases{};
    std::array<ftrun_tensor*, N> handles{};
    for (size_t i = 0; i < N; ++i) {
      weights[i] = ids[i].weight;
      biases[i] = ids[i].bias;
    }
    check(host()->context->linear(context(), x.get(), static_cast<int32_t>(N), weights.data(), biases.data(),
                                  handles.data()));
    std::array<Tensor, N> out;
    for (size_t i = 0; i < N; ++i) out[i] = Tensor(host(), handles[i]);
    return out;
  }
  Tensor linear(const Tensor& x, LinearIds ids) const { return std::move(linear(x, std::array{ids})[0]); }
  Tensor norm(const Tensor& x, int32_t parameter, double eps) const {
    ftrun_tensor* out = nullptr;
    check(host()->context->norm(context(), x.get(), parameter, eps, &out));
    return {host(), out};
  }
  /// {x + delta, norm of it}
  std::pair<Tensor, Tensor> add_norm(const Tensor& x, const Tensor& delta, int32_t parameter, double eps) const {
    ftrun_tensor* sum = nullptr;
    ftrun_tensor* out = nullptr;
    check(host()->context->add_norm(context(), x.get(), delta.get(), parameter, eps, &sum, &out));
    return {Tensor(host(), sum), Tensor(host(), out)};
  }
  Tensor rope(const Tensor& x) const {
    ftrun_tensor* out = nullptr;
    check(host()->context->rope(context(), x.get(), &out));
    return {host(), out};
  }
  Tensor attention(int32_t layer, const Tensor& q, const Tensor& k, const Tensor& v, double scale) const {
    ftrun_tensor* out = nullptr;
    check(host()->context->attention(context(), layer, q.get(), k.get(), v.get(), scale, &out));
    return {host(), out};
  }
  Tensor parameter(int32_t parameter) const {
    ftrun_tensor* out = nullptr;
    check(host()->context->parameter(context(), parameter, &out));
    return {host(), out};
  }
  Tensor dropout(const Tensor& x, double probability) const {
    ftrun_tensor* out = nullptr;
    check(host()->context->dropout(context(), x.get(), probability, &out));
    return {host(), out};
  }
};

/// Thunks around a class with
///   explicit Network(const ftrun_network_create_args& args);
///   void declare(const NetworkBuilder& builder);
///   ftrun_network_info info() const;
///   Tensor unit_forward(const NetworkCalls& calls, int32_t unit, const Tensor& in) const;   // `in` is empty for
///   EMBEDDING
/// that throw sdk::Error for what the user got wrong.
template <class Network>
class NetworkThunks {
 public:
  static constexpr ftrun_network table(ftrun_str architectures) noexcept {
    return {{sizeof(ftrun_network), FTRUN_NETWORK_TAG}, architectures, create, destroy, declare, info, unit_forward};
  }

 private:
  struct Instance {
    const ftrun_host* host;
    Network network;
    explicit Instance(const ftrun_network_create_args& args) : host(args.host), network(args) {}
  };
  static Instance& of(void* network) noexcept { return *static_cast<Instance*>(network); }

  static ftrun_status create(const ftrun_network_create_args* args, void** network) noexcept {
    *network = nullptr;
    return guarded(args->host, [&] { *network = new Instance(*args); });
  }
  static void destroy(void* network) noexcept { delete static_cast<Instance*>(network); }
  static ftrun_status declare(void* network, const ftrun_network_builder* builder) noexcept {
    return guarded(of(network).host, [&] { of(network).network.declare(NetworkBuilder(builder)); });
  }
  static ftrun_status info(void* network, ftrun_network_info* out) noexcept {
    return guarded(of(network).host, [&] { *out = of(network).network.info(); });
  }
  static ftrun_status unit_forward(void* network, ftrun_context* ctx, int32_t unit, ftrun_tensor* in,
                                   ftrun_tensor** out) noexcept {
    *out = nullptr;
    const ftrun_host* host = of(network).host;
    return guarded(host, [&] {
      if (in != nullptr) host->tensor->retain(in);
      const Tensor input(host, in);
      *out = of(network).network.unit_forward(NetworkCalls(host, ctx), unit, input).release();
    });
  }
};

}  // namespace v1
}  // namespace ftrun::sdk
