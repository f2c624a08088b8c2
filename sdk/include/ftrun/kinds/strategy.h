/* Kind `strategy`: how training is distributed. Owns where weights, gradients and optimizer state live and when they
 * move. Builds on shard.h and collectives.h. Contract of hooks and layout: DESIGN.md section 3. */
#ifndef FTRUN_KINDS_STRATEGY_H_
#define FTRUN_KINDS_STRATEGY_H_

#include "ftrun/collectives.h"
#include "ftrun/host.h"
#include "ftrun/shard.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t ftrun_phase;
#define FTRUN_PHASE_FORWARD ((ftrun_phase)0)
/** Recompute lies inside this bracket. */
#define FTRUN_PHASE_BACKWARD ((ftrun_phase)1)
/** Evaluation, frozen roles, generation, saving: no gradients. */
#define FTRUN_PHASE_INFER ((ftrun_phase)2)

#define FTRUN_UNIT_EVENT_TAG FTRUN_TAG('U', 'E', 'V', 'T')
typedef struct ftrun_unit_event {
  ftrun_head head;
  int32_t role;
  int32_t unit;
  ftrun_phase phase;
  int32_t micro_batch; /**< of the update, 0-based */
  int32_t is_last;     /**< 1: the update's last micro-batch */
  int32_t reserved;
} ftrun_unit_event;

#define FTRUN_SCHEDULE_ARGS_TAG FTRUN_TAG('S', 'C', 'H', 'A')
/** The roles of a run, as attach will be given them. */
typedef struct ftrun_schedule_args {
  ftrun_head head;
  int32_t n_roles;
  int32_t optimizer_bytes_per_element; /**< of an optimizer slice: 4 per f32 state, 4 more with master weights */
  uint64_t role_stride;
  const ftrun_role_layout* roles;
} ftrun_schedule_args;

/** Lengths of the arrays of ftrun_schedule: room for more categories and kinds than there are. */
#define FTRUN_SCHEDULE_CATEGORIES 16
#define FTRUN_SCHEDULE_KINDS 8

#define FTRUN_SCHEDULE_TAG FTRUN_TAG('S', 'C', 'H', 'D')
/** What one rank will hold and move. Bytes count what the strategy allocates and the optimizer slices it asks for,
 * without the device's rounding; not activations, nor the host's own working memory. Elements are the n of each
 * collective (the whole buffer's length, padding included), bytes what leaves this rank: n (g - 1) / g elements in a
 * group of g, twice that for an all_reduce. One update is, per micro-batch, infer_walks INFER walks of every role and one
 * recorded forward and one backward of every trained role. */
typedef struct ftrun_schedule {
  ftrun_head head;
  uint64_t device_bytes[FTRUN_SCHEDULE_CATEGORIES]; /**< by ftrun_memory_category, each at its own peak */
  uint64_t host_bytes[FTRUN_SCHEDULE_CATEGORIES];   /**< on the host device, beside the rank's */
  uint64_t device_peak_bytes;                       /**< most at one time over all categories */
  uint64_t host_peak_bytes;
  uint64_t update_elements[FTRUN_SCHEDULE_KINDS]; /**< by ftrun_collective_kind (kinds/device.h), per update */
  uint64_t update_sent_bytes[FTRUN_SCHEDULE_KINDS];
  uint64_t tied_elements[FTRUN_SCHEDULE_KINDS];  /**< of update_elements: because tied tensors have further users */
  uint64_t infer_elements[FTRUN_SCHEDULE_KINDS]; /**< one INFER walk of every role, head included */
  uint64_t infer_sent_bytes[FTRUN_SCHEDULE_KINDS];
} ftrun_schedule;

#define FTRUN_STRATEGY_TAG FTRUN_TAG('S', 'T', 'R', '1')
/** The table. One instance per rank; all calls but create and destroy are [rank-thread]. Since 1.0. */
typedef struct ftrun_strategy {
  ftrun_head head;
  /** [control-thread] */
  ftrun_status (*create)(const ftrun_host* host, const ftrun_options* options, void** strategy);
  /** Work that nobody has waited for is waited for here: the contexts that the calls were given still exist.
   * [control-thread] */
  void (*destroy)(void* strategy);
  /** Once per role, frozen ones too: allocates and binds buffers and loads this rank's share of the weights. */
  ftrun_status (*attach)(void* strategy, ftrun_context* ctx, const ftrun_role_layout* role);
  /** From here to unit_exit the unit's compute buffers must be bound and complete. A unit may be entered again while
   * entered (a tied tensor has several users): brackets nest by count. */
  ftrun_status (*unit_enter)(void* strategy, ftrun_context* ctx, const ftrun_unit_event* event);
  ftrun_status (*unit_exit)(void* strategy, ftrun_context* ctx, const ftrun_unit_event* event);
  /** The unit's gradients of this micro-batch are complete in the bound gradient buffer. Called once per trained unit
   * and micro-batch, in backward order, also when every row was filler. */
  ftrun_status (*grads_ready)(void* strategy, ftrun_context* ctx, const ftrun_unit_event* event);
  /** After the update's last micro-batch: completes reductions; *grad_norm is the global norm, equal on all ranks. */
  ftrun_status (*finish_grads)(void* strategy, ftrun_context* ctx, double* grad_norm);
  /** Updates the weights with gradients times grad_scale and prepares for the next update. */
  ftrun_status (*step)(void* strategy, ftrun_context* ctx, double grad_scale, double learning_rate);
  /** The element range [*begin, *end) of a unit's part that this rank holds in its resident buffers, for saving without
   * gathering. */
  ftrun_status (*owned_range)(void* strategy, ftrun_context* ctx, int32_t role, int32_t unit, ftrun_part part,
                              int64_t* begin, int64_t* end);
  /** Copies this rank's elements [begin, end) (inside owned_range) to destination, in compute dtype. */
  ftrun_status (*read_range)(void* strategy, ftrun_context* ctx, int32_t role, int32_t unit, ftrun_part part,
                             int64_t begin, int64_t end, ftrun_tensor* destination);
  /** The inverse: this rank's elements [begin, end) (inside owned_range) become `source` (compute dtype), in every copy
   * of them that the strategy keeps on this rank. Called by all ranks for all they own, between updates: a resumed
   * checkpoint, the best model, initial weights again. Master weights are the host's. */
  ftrun_status (*write_range)(void* strategy, ftrun_context* ctx, int32_t role, int32_t unit, ftrun_part part,
                              int64_t begin, int64_t end, ftrun_tensor* source);
  /** What this rank will hold and move in a run of these roles, before any of them is attached; *out has its head
   * filled by the caller. Allocates nothing, moves nothing and does not change the instance. Errors are those attach
   * would fail with. UNIMPLEMENTED: the strategy announces nothing. [control-thread] or [rank-thread] */
  ftrun_status (*schedule)(void* strategy, const ftrun_schedule_args* args, ftrun_schedule* out);
} ftrun_strategy;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_KINDS_STRATEGY_H_ */
