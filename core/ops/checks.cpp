// Operand checks.
#include "core/ops/checks.h"

#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/ops/layout.h"

namespace ftrun::ops {

void require_float(std::string_view op, std::string_view operand, const Tensor& x) {
  if (!x || !is_compute_float(x.dtype())) {
    throw invalid_argument("op '{}': {} must be f32 or bf16, is {}", op, operand, x.text());
  }
}

void require_dtype(std::string_view op, std::string_view operand, const Tensor& x, ftrun_dtype dtype) {
  if (!x || x.dtype() != dtype) {
    throw invalid_argument("op '{}': {} must be {}, is {}", op, operand, dtype_name(dtype), x.text());
  }
}

void require_shape(std::string_view op, std::string_view operand, const Tensor& x, const Shape& shape) {
  if (x.shape() != shape) {
    throw invalid_argument("op '{}': {} must have shape {}, is {}", op, operand, shape_text(shape), x.text());
  }
}

void require_ndim(std::string_view op, std::string_view operand, const Tensor& x, int32_t ndim) {
  if (!x || x.ndim() != ndim)
    throw invalid_argument("op '{}': {} must have {} axes, is {}", op, operand, ndim, x.text());
}

void require_zero(std::string_view op, std::string_view field, int32_t value) {
  if (value != 0) throw invalid_argument("op '{}': attribute {} must be 0, is {}", op, field, value);
}

void refuse_gradient(const ExecutionContext& ctx, std::string_view op, std::initializer_list<Tensor> inputs) {
  if (should_record(ctx, inputs)) {
    throw invalid_argument("op '{}' has no gradient, but an input requires one; detach it first", op);
  }
}

Tensor contiguous(ExecutionContext& ctx, const Tensor& x) { return x.is_contiguous() ? x : copy(ctx, x); }

bool has_fused(const Tensor& x, std::string_view name) {
  if (x.device().find_op(name, x.dtype())) return true;
  x.device().note_composed(name);
  return false;
}

}  // namespace ftrun::ops
