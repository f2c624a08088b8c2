// Contributions to a leaf: straight into the buffer, through f32 staging, or captured.
#include "core/autograd/gradient_target.h"

#include "core/base/error.h"

namespace ftrun {
namespace {

void copy_values(ExecutionContext& ctx, const Tensor& from, const Tensor& to) {
  execute(ctx, FTRUN_OP_COPY, {from}, {to});
}

void add_values(ExecutionContext& ctx, const Tensor& from, const Tensor& to) {
  execute(ctx, FTRUN_OP_ADD, {to, from}, {to});
}

void fill_zeros(ExecutionContext& ctx, const Tensor& to) {
  const auto zero = attributes<ftrun_fill_attributes>();
  execute(ctx, FTRUN_OP_FILL, {}, {to}, &zero);
}

}  // namespace

std::shared_ptr<GradientTarget> GradientTarget::capture() {
  auto target = std::make_shared<GradientTarget>();
  target->capture_ = true;
  return target;
}

std::shared_ptr<GradientTarget> GradientTarget::into(Tensor buffer, bool has_value) {
  auto target = std::make_shared<GradientTarget>();
  target->bind(std::move(buffer), has_value);
  return target;
}

void GradientTarget::bind(Tensor buffer, bool has_value) {
  capture_ = false;
  buffer_ = std::move(buffer);
  staging_ = {};
  has_value_ = has_value;
}

void GradientTarget::zero() noexcept {
  has_value_ = false;
  staging_ = {};
  if (capture_) buffer_ = {};
}

void GradientTarget::fill_if_empty(ExecutionContext& ctx) {
  flush(ctx);
  if (has_value_ || capture_ || !buffer_) return;
  fill_zeros(ctx, buffer_);
  has_value_ = true;
}

void GradientTarget::flush(ExecutionContext& ctx) {
  if (!staging_) return;
  if (has_value_) {
    add_values(ctx, staging_, buffer_);
  } else {
    copy_values(ctx, staging_, buffer_);
  }
  has_value_ = true;
  staging_ = {};
}

Tensor GradientTarget::take() {
  has_value_ = false;
  return std::exchange(buffer_, {});
}

bool GradientTarget::wants_staging() const noexcept {
  return static_cast<bool>(staging_) || (buffer_ && buffer_.dtype() != FTRUN_F32 && (hold_ || uses_ > 1));
}

GradientDestination GradientTarget::destination(ExecutionContext& ctx, const Shape& shape, ftrun_dtype dtype) {
  if (capture_) {
    const bool accumulate = static_cast<bool>(buffer_);
    if (!accumulate) {
      buffer_ = empty(ctx, dtype, shape);
    } else if (!buffer_.is_exclusive()) {
      const Tensor own = empty_like(ctx, buffer_, buffer_.dtype());
      copy_values(ctx, buffer_, own);
      buffer_ = own;
    }
    has_value_ = true;
    return {buffer_, accumulate};
  }
  if (!buffer_) throw failed_precondition("a gradient arrived for a parameter whose gradient buffer is not bound");
  if (buffer_.element_count() != shape.element_count()) {
    throw failed_precondition("gradient buffer {} for a parameter of shape {}", buffer_.text(), shape_text(shape));
  }
  if (wants_staging()) {
    const bool accumulate = static_cast<bool>(staging_);
    if (!accumulate) staging_ = empty_on(ctx, buffer_.device(), FTRUN_F32, buffer_.shape(), FTRUN_MEMORY_WORKSPACE);
    return {staging_.reshape(shape), accumulate};
  }
  const bool accumulate = has_value_;
  has_value_ = true;
  return {buffer_.reshape(shape), accumulate};
}

void GradientTarget::contribute(ExecutionContext& ctx, const Shape& shape, ftrun_dtype dtype, Tensor gradient) {
  if (gradient.shape() != shape) gradient = gradient.reshape(shape);
  if (capture_ && !buffer_ && gradient.dtype() == dtype) {
    buffer_ = std::move(gradient);
    has_value_ = true;
    return;
  }
  const bool is_first_staged = !capture_ && wants_staging() && !staging_;
  if (is_first_staged && gradient.dtype() == FTRUN_F32 && gradient.is_exclusive() && gradient.is_contiguous()) {
    staging_ = gradient.reshape(buffer_.shape());
    return;
  }
  const GradientDestination to = destination(ctx, shape, dtype);
  if (to.accumulate) {
    add_values(ctx, gradient, to.tensor);
  } else {
    copy_values(ctx, gradient, to.tensor);
  }
}

void GradientTarget::release_use(ExecutionContext* ctx) {
  --uses_;
  if (uses_ > 0 || hold_) return;
  uses_ = 0;
  if (ctx != nullptr) {
    flush(*ctx);
  } else {
    staging_ = {};
  }
}

Tensor make_leaf(const Tensor& x, std::shared_ptr<GradientTarget> target) {
  Tensor leaf = x.detach();
  leaf.autograd().target = std::move(target);
  return leaf;
}

}  // namespace ftrun
