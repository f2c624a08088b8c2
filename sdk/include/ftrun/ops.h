/* The ops of a device: their names, operands and attributes.
 *
 * Primitive ops exist on every device; fused ops are optional and composed by the host where absent. Unless said
 * otherwise operands are contiguous, x is f32 or bf16, arithmetic and reductions are f32 and a result is rounded once
 * to the output's type. An output may be exactly the same view as an input where "in place" is said, otherwise views do
 * not overlap. Results are the same bits for any thread count; a row's result does not depend on the other rows or
 * their number, an element's not on its place in a span. Legend: T tokens, D features, F feed-forward, V vocabulary, H
 * query heads, K key-value heads, C head_dim, N elements. */
#ifndef FTRUN_OPS_H_
#define FTRUN_OPS_H_

#include "ftrun/abi.h"

/* ---- primitive ops ------------------------------------------------------------------------------------------- */

/** () -> y: every element = value. Any dtype. Attributes: ftrun_fill_attributes. */
#define FTRUN_OP_FILL "fill"
/** (x) -> y: same shape, values converted to y's dtype (nearest even). Strided views on both sides. Any dtypes. */
#define FTRUN_OP_COPY "copy"
/** (a, b) -> y = a op b. b has a's shape, or is one element, or [D] for a's last axis, or [.., 1] for a column
 * broadcast. y in place of a. All of a, b, y are f32 or bf16, mixed freely. */
#define FTRUN_OP_ADD "add"
#define FTRUN_OP_SUB "sub"
#define FTRUN_OP_MUL "mul"
#define FTRUN_OP_DIV "div"
#define FTRUN_OP_MAXIMUM "maximum"
#define FTRUN_OP_MINIMUM "minimum"
/** (x) -> y, elementwise, in place allowed. */
#define FTRUN_OP_NEG "neg"
#define FTRUN_OP_EXP "exp"
#define FTRUN_OP_LOG "log"
#define FTRUN_OP_SQRT "sqrt"
#define FTRUN_OP_RSQRT "rsqrt"
#define FTRUN_OP_SQUARE "square"
#define FTRUN_OP_RECIPROCAL "reciprocal"
#define FTRUN_OP_SIGMOID "sigmoid"
/** log(sigmoid(x)), stable for large |x|. */
#define FTRUN_OP_LOG_SIGMOID "log_sigmoid"
#define FTRUN_OP_SILU "silu"
#define FTRUN_OP_RELU "relu"
#define FTRUN_OP_TANH "tanh"
#define FTRUN_OP_ABS "abs"
#define FTRUN_OP_SIN "sin"
#define FTRUN_OP_COS "cos"
/** (x) -> y = alpha * x + beta. In place allowed. Attributes: ftrun_affine_attributes. */
#define FTRUN_OP_AFFINE "affine"
/** (x, y0) -> y = y0 + alpha * x; y is y0's view. Attributes: ftrun_affine_attributes (beta 0). */
#define FTRUN_OP_AXPY "axpy"
/** (x) -> y = min(max(x, low), high). Attributes: ftrun_clamp_attributes. */
#define FTRUN_OP_CLAMP "clamp"
/** (a, b) -> y = a >= b ? 1 : 0. */
#define FTRUN_OP_GREATER_EQUAL "greater_equal"
/** (condition, a, b) -> y = condition != 0 ? a : b. Same shapes. */
#define FTRUN_OP_SELECT "select"
/** (x[.., D]) -> y f32[..]: sum over the last axis, fixed order. */
#define FTRUN_OP_SUM_LAST "sum_last"
/** (x[.., D]) -> y f32[..]: maximum over the last axis. */
#define FTRUN_OP_MAX_LAST "max_last"
/** (x[T, D]) -> y[D]: sum over rows in row order; y is f32 or bf16. Attributes: ftrun_accumulate_attributes. */
#define FTRUN_OP_SUM_ROWS "sum_rows"
/** (x) -> y f32[1]: sum of all elements: f64 over blocks of 1,024 elements in order, folded in order, rounded once. */
#define FTRUN_OP_SUM_ALL "sum_all"
/** (x[N]) -> y f64[ceil(N / 1024)]: per 1,024-element block the f64 sum of squares in order. The norm's partials. */
#define FTRUN_OP_SUM_SQUARES "sum_squares"
/** (a, b[, bias]) -> c = alpha * op(a) op(b) [+ bias] [+ c]. op is transposition by attribute. a: [M, K] or,
 * transposed, [K, M]; b: [K, N] or, transposed, [N, K]; c: [M, N] f32 or bf16; bias [N] f32 or bf16. A leading batch
 * axis may stand on all three. Rows may be strided (last stride 1). Attributes: ftrun_matmul_attributes. The order of
 * the sum over K depends on K only. */
#define FTRUN_OP_MATMUL "matmul"
/** (table[V, D], ids i32[T]) -> y[T, D]: y[t] = table[ids[t]]. An id outside [0, V) is INVALID_ARGUMENT. */
#define FTRUN_OP_GATHER_ROWS "gather_rows"
/** (dy[T, D], ids i32[T]) -> dtable[V, D]: dtable[v] = sum over t with ids[t] == v, in order of t, in f32, rounded
 * once. With accumulate the old value is added; without, all other rows become 0. Attributes:
 * ftrun_accumulate_attributes. */
#define FTRUN_OP_SCATTER_ADD_ROWS "scatter_add_rows"
/** (x[T, V], ids i32[T]) -> y f32[T]: y[t] = x[t, ids[t]], 0 where ids[t] is outside [0, V). */
#define FTRUN_OP_GATHER_LAST "gather_last"
/** (y0[T, V], ids i32[T], w f32[T]) -> y: y[t, ids[t]] += w[t] where ids[t] is inside [0, V); y is y0's view. */
#define FTRUN_OP_ADD_AT_LAST "add_at_last"
/** (x[M, N]) -> x in place: value where j + column_offset > i + row_offset. Attributes: ftrun_causal_fill_attributes.
 */
#define FTRUN_OP_CAUSAL_FILL "causal_fill"
/** (x_0, .., x_{n-1}) -> y: left fold in rank order in f32, rounded once to y's dtype. */
#define FTRUN_OP_SUM_RANKS "sum_ranks"
/** () -> y: counter-based normal(mean, std) or uniform[low, high) numbers. Element i depends on (seed, stream, offset +
 * i) only. Attributes: ftrun_random_attributes. Source: Philox4x32-10 (Salmon et al. 2011); normal by Box-Muller in
 * f64; the exact formula is in cpp/reference_kernels/random.hpp and is part of the contract. */
#define FTRUN_OP_RANDOM_NORMAL "random_normal"
#define FTRUN_OP_RANDOM_UNIFORM "random_uniform"

/* ---- fused ops (optional) ------------------------------------------------------------------------------------ */

/** (x[.., D], weight[D]) -> y[.., D], rstd f32[..]: y = x * rstd * weight, rstd = rsqrt(mean(x^2) + eps).
 * As in transformers, x * rstd is rounded to x's dtype before the product with weight. Attributes:
 * ftrun_rms_norm_attributes. */
#define FTRUN_OP_RMS_NORM "rms_norm"
/** (dy, x, weight, rstd) -> dx, dweight[D] (f32 or bf16; fixed order over rows). Either output may be absent (data
 * NULL). Attributes: ftrun_rms_norm_attributes (accumulate applies to dweight). */
#define FTRUN_OP_RMS_NORM_BACKWARD "rms_norm_backward"
/** (x[.., D], delta[.., D], weight[D]) -> sum[.., D], y[.., D], rstd f32[..]: sum = x + delta rounded to x's dtype, y
 * and rstd as rms_norm of sum: the bits of the two ops. Attributes: ftrun_rms_norm_attributes. */
#define FTRUN_OP_ADD_RMS_NORM "add_rms_norm"
/** (dsum, dy, sum, weight, rstd) -> dx[.., D], dweight[D]: dx = dsum + rms_norm_backward's dx, rounded once; it is the
 * gradient of delta too. dweight (may be absent: data NULL) and attributes as rms_norm_backward's. */
#define FTRUN_OP_ADD_RMS_NORM_BACKWARD "add_rms_norm_backward"
/** (positions i32[T], inv_freq f32[C/2]) -> cos f32[T, C/2], sin f32[T, C/2], both times scaling. Attributes:
 * ftrun_rope_table_attributes. The angle is f32(position) * inv_freq in f32, as in transformers. */
#define FTRUN_OP_ROPE_TABLE "rope_table"
/** (x[T, H, C], cos, sin) -> y: halves layout of Hugging Face, y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin. In place
 * allowed. Attributes: ftrun_rope_attributes; inverse = 1 rotates back (the gradient). */
#define FTRUN_OP_ROPE "rope"
/** (q[T, H, C], k[S, K, C], v[S, K, C]) -> out[T, H, C], lse f32[H, T]: grouped-query attention per segment, online
 * softmax, no [T, S] matrix. Attributes: ftrun_attention_attributes. */
#define FTRUN_OP_FLASH_ATTENTION "flash_attention"
/** (dout, q, k, v, out, lse) -> dq, dk, dv; probabilities are recomputed. kv rows outside all segments get 0.
 * The segments' key ranges must ascend and be disjoint.
 * Attributes: ftrun_attention_attributes. */
#define FTRUN_OP_FLASH_ATTENTION_BACKWARD "flash_attention_backward"
/** (q[T, H, C], k[T, K, C], v[T, K, C], keys0[R, K, C], values0[R, K, C]) -> out[T, H, C], keys, values: writes k and v
 * into a cache of blocks of rows, then attends to each segment's rows of it: the bits of flash_attention (causal) with
 * the same keys end to end. keys and values are the views of keys0 and values0 and have k's dtype. Attributes:
 * ftrun_paged_attention_attributes. */
#define FTRUN_OP_PAGED_ATTENTION "paged_attention"
/** (gate[T, F], up[T, F]) -> y[T, F] = silu(gate) * up. */
#define FTRUN_OP_SWIGLU "swiglu"
/** (dy, gate, up) -> dgate, dup. */
#define FTRUN_OP_SWIGLU_BACKWARD "swiglu_backward"
/** (x[T, D], weight[V, D], labels i32[T]) -> loss f32[T], lse f32[T], entropy f32[T] (optional: data NULL):
 * loss[t] = lse[t] - inv_temperature * x[t].weight[labels[t]]; rows with labels[t] < 0 give loss 0, lse 0, entropy 0.
 * Never holds [T, V] logits. A label >= V is INVALID_ARGUMENT. Attributes: ftrun_linear_cross_entropy_attributes. */
#define FTRUN_OP_LINEAR_CROSS_ENTROPY "linear_cross_entropy"
/** (dloss f32[T], x, weight, labels, lse) -> dx[T, D], dweight[V, D] (either may be absent: data NULL).
 * Attributes: ftrun_linear_cross_entropy_attributes (accumulate applies to dweight). */
#define FTRUN_OP_LINEAR_CROSS_ENTROPY_BACKWARD "linear_cross_entropy_backward"
/** (x[T, D], weight[V, D], labels i32[T], dloss f32[T]) -> loss f32[T], lse f32[T], dx[T, D], dweight f32[V, D]: the
 * two ops above in one pass, three products instead of four, for losses whose token weights are known beforehand. dx or
 * dweight may be absent (data NULL). dweight is not accumulated. Never holds [T, V] logits. Attributes:
 * ftrun_linear_cross_entropy_attributes. */
#define FTRUN_OP_LINEAR_CROSS_ENTROPY_WITH_GRADIENTS "linear_cross_entropy_with_gradients"
/** (grad, master f32, m f32, v f32) -> master, m, v (in place), param (f32 or bf16; absent when the master is the
 * parameter). All [N]. Decoupled weight decay: torch.optim.AdamW. Attributes: ftrun_adamw_attributes. */
#define FTRUN_OP_ADAMW "adamw"

/* ---- attributes ---------------------------------------------------------------------------------------------- */
/* Every attribute struct starts with its head; tag is FTRUN_ATTRIBUTES_TAG. Pointers inside are borrowed for the call.
 */

#define FTRUN_ATTRIBUTES_TAG FTRUN_TAG('A', 'T', 'T', 'R')

typedef struct ftrun_fill_attributes {
  ftrun_head head;
  double value;
} ftrun_fill_attributes;

typedef struct ftrun_affine_attributes {
  ftrun_head head;
  double alpha;
  double beta;
} ftrun_affine_attributes;

typedef struct ftrun_clamp_attributes {
  ftrun_head head;
  double low;
  double high;
} ftrun_clamp_attributes;

typedef struct ftrun_accumulate_attributes {
  ftrun_head head;
  int32_t accumulate; /**< 1: add to the output's old value */
  int32_t reserved;
} ftrun_accumulate_attributes;

typedef struct ftrun_matmul_attributes {
  ftrun_head head;
  int32_t transpose_a;
  int32_t transpose_b;
  int32_t accumulate; /**< 1: add to c's old value, in f32, rounded once */
  int32_t reserved;
  double alpha;
} ftrun_matmul_attributes;

typedef struct ftrun_causal_fill_attributes {
  ftrun_head head;
  int64_t row_offset;
  int64_t column_offset;
  double value;
} ftrun_causal_fill_attributes;

typedef struct ftrun_random_attributes {
  ftrun_head head;
  uint64_t seed;
  uint64_t stream; /**< what the numbers are for, for example a hash of a parameter's name */
  uint64_t offset; /**< index of the first element in the stream */
  double a;        /**< mean, or low */
  double b;        /**< standard deviation, or high */
} ftrun_random_attributes;

typedef struct ftrun_rms_norm_attributes {
  ftrun_head head;
  double eps;
  int32_t accumulate;
  int32_t reserved;
} ftrun_rms_norm_attributes;

typedef struct ftrun_rope_table_attributes {
  ftrun_head head;
  double scaling;
} ftrun_rope_table_attributes;

typedef struct ftrun_rope_attributes {
  ftrun_head head;
  int32_t inverse;
  int32_t reserved;
} ftrun_rope_attributes;

/** Segment s: query rows [query_offsets[s], query_offsets[s + 1]) attend to key rows [key_begins[s], key_begins[s] +
 * key_lengths[s]). With causal, query i of n sees key j of m iff j <= i + m - n. key_begins and key_lengths are NULL
 * when they equal the query segments. Lengths are host integers, so costs and allocations never depend on device
 * values. */
typedef struct ftrun_attention_attributes {
  ftrun_head head;
  double scale; /**< of q.k, usually 1 / sqrt(C) */
  int32_t causal;
  int32_t n_segments;
  const int32_t* query_offsets; /**< n_segments + 1 entries, ascending, last = T */
  const int32_t* key_begins;
  const int32_t* key_lengths;
} ftrun_attention_attributes;

/** Segment s is a sequence of key_lengths[s] tokens; rows [query_offsets[s], query_offsets[s + 1]) of q, k and v are
 * its last ones. Token j has its key and value in cache row blocks[block_offsets[s] + j / block_rows] * block_rows + j
 * % block_rows. No block stands in two places. */
typedef struct ftrun_paged_attention_attributes {
  ftrun_head head;
  double scale; /**< of q.k, usually 1 / sqrt(C) */
  int32_t n_segments;
  int32_t block_rows;           /**< 32, 64 or 128 */
  const int32_t* query_offsets; /**< n_segments + 1 entries, ascending, last = T */
  const int32_t* key_lengths;   /**< n_segments entries, none below its segment's query rows */
  const int32_t* block_offsets; /**< n_segments + 1 entries, ascending: into blocks */
  const int32_t* blocks;        /**< block_offsets[n_segments] entries, each below R / block_rows */
} ftrun_paged_attention_attributes;

typedef struct ftrun_linear_cross_entropy_attributes {
  ftrun_head head;
  double inv_temperature; /**< logits are multiplied by it; 1 in training losses */
  int32_t accumulate;
  int32_t reserved;
} ftrun_linear_cross_entropy_attributes;

/** Step t (1-based): g = grad * grad_scale; master *= 1 - lr * weight_decay; m = beta1 m + (1 - beta1) g;
 * v = beta2 v + (1 - beta2) g^2; master -= lr / bias_correction1 * m / (sqrt(v) / sqrt(bias_correction2) + eps). */
typedef struct ftrun_adamw_attributes {
  ftrun_head head;
  double learning_rate;
  double beta1;
  double beta2;
  double eps;
  double weight_decay;
  double bias_correction1; /**< 1 - beta1^t */
  double bias_correction2; /**< 1 - beta2^t */
  double grad_scale;
} ftrun_adamw_attributes;

#endif /* FTRUN_OPS_H_ */
