/* Kind `strategy`: how training is distributed. Owns where weights, gradients and optimizer state live and when they move.
 * Builds on shard.h and collectives.h. Contract of hooks and layout: DESIGN.md section 3. */
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

#define FTRUN_STRATEGY_TAG FTRUN_TAG('S', 'T', 'R', '1')
/** The table. One instance per rank; all calls but create and destroy are [rank-thread]. Since 1.0. */
typedef struct ftrun_strategy {
  ftrun_head head;
  /** [control-thread] */
  ftrun_status (*create)(const ftrun_host *host, const ftrun_options *options, void **strategy);
  /** [control-thread] */
  void (*destroy)(void *strategy);
  /** Once per role, frozen ones too: allocates and binds buffers and loads this rank's share of the weights. */
  ftrun_status (*attach)(void *strategy, ftrun_context *ctx, const ftrun_role_layout *role);
  /** From here to unit_exit the unit's compute buffers must be bound and complete. A unit may be entered again while entered
   * (a tied tensor has several users): brackets nest by count. */
  ftrun_status (*unit_enter)(void *strategy, ftrun_context *ctx, const ftrun_unit_event *event);
  ftrun_status (*unit_exit)(void *strategy, ftrun_context *ctx, const ftrun_unit_event *event);
  /** The unit's gradients of this micro-batch are complete in the bound gradient buffer. Called once per trained unit and
   * micro-batch, in backward order, also when every row was filler. */
  ftrun_status (*grads_ready)(void *strategy, ftrun_context *ctx, const ftrun_unit_event *event);
  /** After the update's last micro-batch: completes reductions; *grad_norm is the global norm, equal on all ranks. */
  ftrun_status (*finish_grads)(void *strategy, ftrun_context *ctx, double *grad_norm);
  /** Updates the weights with gradients times grad_scale and prepares for the next update. */
  ftrun_status (*step)(void *strategy, ftrun_context *ctx, double grad_scale, double learning_rate);
  /** The element range [*begin, *end) of a unit's part that this rank holds in its resident buffers, for saving without
   * gathering. */
  ftrun_status (*owned_range)(void *strategy, ftrun_context *ctx, int32_t role, int32_t unit, ftrun_part part,
                              int64_t *begin, int64_t *end);
  /** Copies this rank's elements [begin, end) (inside owned_range) to destination, in compute dtype. */
  ftrun_status (*read_range)(void *strategy, ftrun_context *ctx, int32_t role, int32_t unit, ftrun_part part, int64_t begin,
                             int64_t end, ftrun_tensor *destination);
  /** The inverse: this rank's elements [begin, end) (inside owned_range) become `source` (compute dtype), in every copy of them
   * that the strategy keeps on this rank. Called by all ranks for all they own, between updates: a resumed checkpoint, the best
   * model, initial weights again. Master weights are the host's. */
  ftrun_status (*write_range)(void *strategy, ftrun_context *ctx, int32_t role, int32_t unit, ftrun_part part, int64_t begin,
                              int64_t end, ftrun_tensor *source);
} ftrun_strategy;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_KINDS_STRATEGY_H_ */
