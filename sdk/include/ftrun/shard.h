/* What strategies build on: the flat layout of a role's units, binding of buffers, loading, the optimizer and the norm.
 *
 * Layout law. Per unit, the trained tensors in order of declaration, concatenated, are padded with zeros to a multiple
 * of 16 N elements (N = world size); rank r owns the r-th of N equal slices. A tied tensor belongs to the first unit
 * that names it. Frozen tensors of a unit form a second flat buffer laid out the same way. */
#ifndef FTRUN_SHARD_H_
#define FTRUN_SHARD_H_

#include "ftrun/host.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Which of a unit's two flat buffers. */
typedef int32_t ftrun_part;
#define FTRUN_PART_TRAINED ((ftrun_part)0)
#define FTRUN_PART_FROZEN ((ftrun_part)1)

#define FTRUN_UNIT_LAYOUT_TAG FTRUN_TAG('U', 'L', 'A', 'Y')
typedef struct ftrun_unit_layout {
  ftrun_head head;
  ftrun_str name;
  int64_t trained_elements;        /**< without padding */
  int64_t trained_padded_elements; /**< multiple of 16 N, 0 when nothing is trained */
  int64_t frozen_elements;
  int64_t frozen_padded_elements;
  int64_t largest_tensor_elements;
  /** Units whose tensors this one uses too (tied tensors), without itself: they are entered with it. */
  int32_t n_borrowed_units;
  int32_t reserved;
  const int32_t* borrowed_units;
} ftrun_unit_layout;

#define FTRUN_ROLE_LAYOUT_TAG FTRUN_TAG('R', 'L', 'A', 'Y')
/** A role as strategies see it; borrowed for attach. */
typedef struct ftrun_role_layout {
  ftrun_head head;
  ftrun_str name;
  int32_t role;
  int32_t trained; /**< 0: every tensor is in the frozen part */
  int32_t rank;
  int32_t world;
  ftrun_dtype compute_dtype;     /**< of the bound compute buffers */
  ftrun_dtype gradient_dtype;    /**< of a micro-batch's stored gradient and of the wire */
  ftrun_dtype accumulator_dtype; /**< of a gradient buffer that sums several micro-batches */
  int32_t accumulation;          /**< micro-batches per update */
  int32_t n_units;               /**< in the order they are walked; the last one is the head */
  int32_t infer_walks;           /**< INFER walks, head included, per micro-batch, beside a trained role's own */
  uint64_t unit_stride;
  const ftrun_unit_layout* units;
} ftrun_role_layout;

/** Optimizer state of one slice of one unit: master weights where the compute dtype is narrower, and named states. */
typedef struct ftrun_optimizer_slice ftrun_optimizer_slice;

#define FTRUN_SPAN_TAG FTRUN_TAG('S', 'P', 'A', 'N')
/** One slice's share of an update. */
typedef struct ftrun_span {
  ftrun_head head;
  ftrun_optimizer_slice* slice;
  ftrun_tensor* gradient; /**< [end - begin], gradient or accumulator dtype; not changed */
  ftrun_tensor* compute;  /**< [end - begin] of the compute buffer: receives the new values */
} ftrun_span;

#define FTRUN_SHARD_API_TAG FTRUN_TAG('S', 'H', 'A', 'R')
/** All [rank-thread], since 1.0. begin and end are element positions in the unit's padded flat layout. */
typedef struct ftrun_shard_api {
  ftrun_head head;
  /** `flat` (compute dtype, padded length) now holds the unit's part: the host's parameter tensors are views of it.
   * NULL unbinds. The host keeps a reference while bound. */
  ftrun_status (*bind_compute)(ftrun_context* ctx, int32_t role, int32_t unit, ftrun_part part, ftrun_tensor* flat);
  /** Gradients of the unit's trained tensors are written to (first micro-batch since the last zero_gradient) or added
   * to `flat` (gradient or accumulator dtype, padded length). NULL unbinds. */
  ftrun_status (*bind_gradient)(ftrun_context* ctx, int32_t role, int32_t unit, ftrun_tensor* flat);
  /** The next gradient contribution overwrites instead of adding; tensors that get none are zero when grads_ready is
   * called. */
  ftrun_status (*zero_gradient)(ftrun_context* ctx, int32_t role, int32_t unit);
  /** Fills destination[end - begin] (any float dtype) with weights from the model's files, or initial values keyed by
   * parameter name and element where they are trained from scratch, or values from a resumed checkpoint. Padding is 0.
   */
  ftrun_status (*load_slice)(ftrun_context* ctx, int32_t role, int32_t unit, ftrun_part part, int64_t begin,
                             int64_t end, ftrun_tensor* destination);
  /** Optimizer state for [begin, end) of the unit's trained part, master weights loaded as by load_slice. Owned by the
   * host until the run ends; the host writes it to checkpoints and restores it. */
  ftrun_status (*optimizer_create)(ftrun_context* ctx, int32_t role, int32_t unit, int64_t begin, int64_t end,
                                   ftrun_placement placement, ftrun_optimizer_slice** out);
  /** Updates n spans with gradients times grad_scale at the step's learning rate (per-tensor weight decay and ratios
   * are the host's). Spans are independent. */
  ftrun_status (*optimizer_update)(ftrun_context* ctx, int32_t n, const ftrun_span* spans, double grad_scale,
                                   double learning_rate);
  /** Sum of squares of `n` gradient slices of this rank, given in role and unit order: f64 sums over fixed
   * 1,024-element blocks, gathered over the world and folded in index order. *norm = sqrt of it, rounded to f32, the
   * same on every rank. */
  ftrun_status (*grad_norm)(ftrun_context* ctx, int32_t n, ftrun_tensor* const* slices, double* norm);
  /** to = from, converted to to's dtype (nearest even); same element count, both contiguous, placements may differ. */
  ftrun_status (*copy)(ftrun_context* ctx, ftrun_tensor* from, ftrun_tensor* to);
  /** to += from, converted to to's dtype (f32 or bf16); same element count, both contiguous, placements may differ. */
  ftrun_status (*accumulate)(ftrun_context* ctx, ftrun_tensor* from, ftrun_tensor* to);
  /** Optional: `slice` (1-d, contiguous) is one that grad_norm will be given and does not change any more before that,
   * so its sums of squares are taken now, beside the rest of backward and while parts of it are in cache. Nothing
   * but time depends on it. Ends with grad_norm or the next update's first micro-batch. */
  ftrun_status (*gradient_final)(ftrun_context* ctx, ftrun_tensor* slice);
} ftrun_shard_api;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_SHARD_H_ */
