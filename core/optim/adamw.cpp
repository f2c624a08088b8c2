// The device's fused kernel, or its composition from primitives over chunks.
// Source: torch/optim/adamw.py (2.13), _single_tensor_adamw without amsgrad.
#include "core/optim/adamw.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"

namespace ftrun {
namespace {

constexpr int64_t kChunkElements = int64_t{1} << 20;

/// A part of a span with everything in f32: what both implementations update.
struct Part {
  Tensor gradient;  // f32 or bf16
  Tensor master;
  Tensor m;
  Tensor v;
  Tensor parameter;  // may be empty
};

Tensor slice_of(const Tensor& x, int64_t begin, int64_t end) { return x ? x.slice(0, begin, end) : Tensor(); }

Tensor workspace(ExecutionContext& ctx, const Tensor& like) {
  return empty_like(ctx, like, FTRUN_F32, FTRUN_MEMORY_WORKSPACE);
}

void affine(ExecutionContext& ctx, const Tensor& x, const Tensor& y, double alpha, double beta) {
  auto values = attributes<ftrun_affine_attributes>();
  values.alpha = alpha;
  values.beta = beta;
  execute(ctx, FTRUN_OP_AFFINE, {x}, {y}, &values);
}

void add_scaled(ExecutionContext& ctx, const Tensor& x, const Tensor& y, double alpha) {
  auto values = attributes<ftrun_affine_attributes>();
  values.alpha = alpha;
  execute(ctx, FTRUN_OP_AXPY, {x, y}, {y}, &values);
}

void update_composed(ExecutionContext& ctx, const Part& part, const ftrun_adamw_attributes& a) {
  const Tensor g = workspace(ctx, part.gradient);
  affine(ctx, part.gradient, g, a.grad_scale, 0.0);
  affine(ctx, part.master, part.master, 1.0 - a.learning_rate * a.weight_decay, 0.0);
  affine(ctx, part.m, part.m, a.beta1, 0.0);
  add_scaled(ctx, g, part.m, 1.0 - a.beta1);
  execute(ctx, FTRUN_OP_SQUARE, {g}, {g});
  affine(ctx, part.v, part.v, a.beta2, 0.0);
  add_scaled(ctx, g, part.v, 1.0 - a.beta2);
  execute(ctx, FTRUN_OP_SQRT, {part.v}, {g});
  affine(ctx, g, g, 1.0 / std::sqrt(a.bias_correction2), a.eps);
  const Tensor direction = workspace(ctx, part.m);
  execute(ctx, FTRUN_OP_DIV, {part.m, g}, {direction});
  add_scaled(ctx, direction, part.master, -a.learning_rate / a.bias_correction1);
  if (part.parameter) execute(ctx, FTRUN_OP_COPY, {part.master}, {part.parameter});
}

void update_part(ExecutionContext& ctx, const Part& part, const ftrun_adamw_attributes& a, bool fused) {
  if (!fused) return update_composed(ctx, part, a);
  execute(ctx, FTRUN_OP_ADAMW, {part.gradient, part.master, part.m, part.v},
          {part.master, part.m, part.v, part.parameter}, &a);
}

/// x itself when it is f32, else an f32 copy.
Tensor widened(ExecutionContext& ctx, const Tensor& x) {
  if (x.dtype() == FTRUN_F32) return x;
  const Tensor wide = workspace(ctx, x);
  execute(ctx, FTRUN_OP_COPY, {x}, {wide});
  return wide;
}

void store(ExecutionContext& ctx, const Tensor& wide, const Tensor& x) {
  if (x.dtype() != FTRUN_F32) execute(ctx, FTRUN_OP_COPY, {wide}, {x});
}

class AdamW final : public Optimizer {
 public:
  explicit AdamW(const OptimizerArguments& arguments) : arguments_(arguments) {
    for (const double beta : {arguments.beta1, arguments.beta2}) {
      if (!(beta >= 0.0 && beta < 1.0)) throw invalid_argument("AdamW: a beta of {} is outside [0, 1)", beta);
    }
    if (!(arguments.eps >= 0.0)) throw invalid_argument("AdamW: eps {} must not be negative", arguments.eps);
  }

  std::span<const std::string> state_names() const override {
    static const std::array<std::string, 2> names = {"exp_avg", "exp_avg_sq"};
    return names;
  }

  void update(ExecutionContext& ctx, const OptimizerSpan& span, double grad_scale, int64_t step) const override {
    const OpLabel label(ctx, FTRUN_OP_ADAMW);
    check(span);
    const ftrun_adamw_attributes values = values_of(span, grad_scale, step);
    const int64_t n = span.master.element_count();
    if (n == 0) return;
    const bool wide =
        span.master.dtype() == FTRUN_F32 && span.states[0].dtype() == FTRUN_F32 && span.states[1].dtype() == FTRUN_F32;
    Device& device = span.master.device();
    const bool fused = device.find_op(FTRUN_OP_ADAMW, span.gradient.dtype()).has_value();
    if (!fused) device.note_composed(FTRUN_OP_ADAMW);
    const int64_t chunk = wide && fused ? n : kChunkElements;
    for (int64_t begin = 0; begin < n; begin += chunk) {
      update_range(ctx, span, values, begin, std::min(begin + chunk, n), fused);
    }
  }

 private:
  static void check(const OptimizerSpan& span) {
    if (span.states.size() != 2) throw invalid_argument("AdamW: a span has {} states, not 2", span.states.size());
    const Shape shape{span.master.element_count()};
    for (const Tensor& x : {span.gradient, span.master, span.states[0], span.states[1]}) {
      if (!x || x.shape() != shape || !is_compute_float(x.dtype())) {
        throw invalid_argument("AdamW: a span's tensors must all be f32 or bf16 {}, one is {}", shape_text(shape),
                               x.text());
      }
    }
    if (span.parameter && span.parameter.shape() != shape) {
      throw invalid_argument("AdamW: the parameter {} does not fit the span {}", span.parameter.text(),
                             shape_text(shape));
    }
  }

  ftrun_adamw_attributes values_of(const OptimizerSpan& span, double grad_scale, int64_t step) const {
    auto values = attributes<ftrun_adamw_attributes>();
    values.learning_rate = span.learning_rate;
    values.beta1 = arguments_.beta1;
    values.beta2 = arguments_.beta2;
    values.eps = arguments_.eps;
    values.weight_decay = span.weight_decay;
    values.bias_correction1 = 1.0 - std::pow(arguments_.beta1, static_cast<double>(step));
    values.bias_correction2 = 1.0 - std::pow(arguments_.beta2, static_cast<double>(step));
    values.grad_scale = grad_scale;
    return values;
  }

  static void update_range(ExecutionContext& ctx, const OptimizerSpan& span, const ftrun_adamw_attributes& values,
                           int64_t begin, int64_t end, bool fused) {
    const Tensor master = slice_of(span.master, begin, end);
    const Tensor m = slice_of(span.states[0], begin, end);
    const Tensor v = slice_of(span.states[1], begin, end);
    const Part part{slice_of(span.gradient, begin, end), widened(ctx, master), widened(ctx, m), widened(ctx, v),
                    slice_of(span.parameter, begin, end)};
    update_part(ctx, part, values, fused);
    store(ctx, part.master, master);
    store(ctx, part.m, m);
    store(ctx, part.v, v);
  }

  OptimizerArguments arguments_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adamw(const OptimizerArguments& arguments) {
  return std::make_unique<AdamW>(arguments);
}

}  // namespace ftrun
