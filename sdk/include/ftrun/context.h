/* Calls on a rank's context: what a network's unit_forward and a paradigm's loss are made of.
 *
 * Whatever touches a parameter goes through here by parameter id, so that the host can replay a unit (recompute), add
 * adapters to linears, serve attention from a KV cache or with packed masks, switch gradients off and key randomness,
 * with nothing of it in the network. Legend: T tokens of the micro-batch (all rows back to back, no padding), D
 * hidden_size, H heads, K key-value heads, C head_dim, V vocabulary. */
#ifndef FTRUN_CONTEXT_H_
#define FTRUN_CONTEXT_H_

#include "ftrun/host.h"
#include "ftrun/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FTRUN_BATCH_TAG FTRUN_TAG('B', 'A', 'T', 'C')
/** A micro-batch of sequences laid end to end. Everything is in host memory and borrowed for the call. */
typedef struct ftrun_batch {
  ftrun_head head;
  int64_t n_tokens;            /**< T; may be 0 (a rank with only filler rows still runs its forward) */
  const int32_t* input_ids;    /**< [T] */
  const int32_t* position_ids; /**< [T] */
  int32_t n_segments;          /**< attention never crosses a segment */
  int32_t reserved;
  const int32_t* segment_offsets; /**< [n_segments + 1], ascending from 0 to T */
} ftrun_batch;

#define FTRUN_CONTEXT_API_TAG FTRUN_TAG('C', 'T', 'X', '1')
/** All [rank-thread], since 1.0. Returned tensors are owned by the caller. `parameter` arguments are ids from the
 * network's declaration. INVALID_ARGUMENT names the call, the parameter and the shape that does not fit. */
typedef struct ftrun_context_api {
  ftrun_head head;

  /* ---- inside unit_forward ---- */

  /** out[T, D] = rows of the embedding parameter [V, D] for the current batch's input ids. */
  ftrun_status (*embed)(ftrun_context* ctx, int32_t parameter, ftrun_tensor** out);
  /** For each of n: out[i][T, O_i] = x[T, I] W_i^T + b_i. weights [O_i, I]; biases [O_i], or -1 for none; biases may be
   * NULL. */
  ftrun_status (*linear)(ftrun_context* ctx, ftrun_tensor* x, int32_t n, const int32_t* weights, const int32_t* biases,
                         ftrun_tensor** out);
  /** RMS norm over the last axis with weight parameter [last axis]; any leading axes. */
  ftrun_status (*norm)(ftrun_context* ctx, ftrun_tensor* x, int32_t parameter, double eps, ftrun_tensor** out);
  /** sum = x + delta and out = norm of sum in one pass: a residual addition and the norm that reads it. Shapes as norm.
   */
  ftrun_status (*add_norm)(ftrun_context* ctx, ftrun_tensor* x, ftrun_tensor* delta, int32_t parameter, double eps,
                           ftrun_tensor** sum, ftrun_tensor** out);
  /** Rotates x[T, H, C] by the batch's positions with the frequencies the network described. */
  ftrun_status (*rope)(ftrun_context* ctx, ftrun_tensor* x, ftrun_tensor** out);
  /** Causal grouped-query attention of `layer` (0-based, the KV cache's key): q[T, H, C], k and v[T, K, C] -> out[T, H,
   * C]. */
  ftrun_status (*attention)(ftrun_context* ctx, int32_t layer, ftrun_tensor* q, ftrun_tensor* k, ftrun_tensor* v,
                            double scale, ftrun_tensor** out);
  /** The parameter itself, for ops that are not above. Gradients flow into it. */
  ftrun_status (*parameter)(ftrun_context* ctx, int32_t parameter, ftrun_tensor** out);
  /** Dropout keyed by (seed, site, epoch, sample, position, element); identity outside training and at probability 0.
   */
  ftrun_status (*dropout)(ftrun_context* ctx, ftrun_tensor* x, double probability, ftrun_tensor** out);

  /* ---- in a paradigm ---- */

  /** Walks the units of `role` (index from declare) over the batch up to the final norm: hidden[T, D]. Inside loss the
   * walk is recorded for backward; elsewhere, and for frozen roles, it is not. */
  ftrun_status (*forward)(ftrun_context* ctx, int32_t role, const ftrun_batch* batch, ftrun_tensor** hidden);
  /** out f32[1] = scale * sum over t of weights[t] * cross entropy(head(hidden[t]), labels[t]); labels[t] < 0 adds
   * nothing. labels are targets of position t (already shifted), host memory [T]; weights host f32 [T] or NULL for
   * ones. The logits of all tokens are never held. */
  ftrun_status (*head_cross_entropy_sum)(ftrun_context* ctx, int32_t role, ftrun_tensor* hidden, const int32_t* labels,
                                         const float* weights, double scale, ftrun_tensor** out);
  /** logp f32[T] of labels under head(hidden) / temperature, 0 where labels[t] < 0; entropy f32[T] when not NULL (no
   * gradient). */
  ftrun_status (*head_logprobs)(ftrun_context* ctx, int32_t role, ftrun_tensor* hidden, const int32_t* labels,
                                double temperature, ftrun_tensor** logp, ftrun_tensor** entropy);
  /** logits f32[n, V] of n chosen rows of hidden (indices in host memory). Not differentiable. */
  ftrun_status (*head_logits)(ftrun_context* ctx, int32_t role, ftrun_tensor* hidden, int64_t n, const int64_t* rows,
                              ftrun_tensor** logits);
  /** Scalar head `name` (from declare) on every token: out f32[T]. */
  ftrun_status (*head_scalar)(ftrun_context* ctx, int32_t role, ftrun_str name, ftrun_tensor* hidden,
                              ftrun_tensor** out);

  /* ---- anywhere on the rank ---- */

  /** Rank and world size of the run. */
  ftrun_status (*rank)(ftrun_context* ctx, int32_t* rank, int32_t* world);
  /** 1 when only shapes are computed: device values are zeros (see tensor read) and must not steer control flow. */
  ftrun_status (*shapes_only)(ftrun_context* ctx, int32_t* out);
} ftrun_context_api;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_CONTEXT_H_ */
