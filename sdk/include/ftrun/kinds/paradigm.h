/* Kind `paradigm`: what is learned. An iterator of updates plus a loss; the loop never learns which paradigm it runs.
 */
#ifndef FTRUN_KINDS_PARADIGM_H_
#define FTRUN_KINDS_PARADIGM_H_

#include "ftrun/context.h"
#include "ftrun/data.h"
#include "ftrun/generate.h"
#include "ftrun/host.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t ftrun_role_flags;
#define FTRUN_ROLE_TRAINED ((ftrun_role_flags)1)
#define FTRUN_ROLE_FROZEN ((ftrun_role_flags)2)
/** Shares the weights of the trained role with its adapters switched off. */
#define FTRUN_ROLE_ADAPTER_OFF ((ftrun_role_flags)4)
/** Shares what is frozen of the trained role; what is trained stands at the values that the run started with, adapters
 * included. Kept in copies of what is trained; resumed runs keep the first start. */
#define FTRUN_ROLE_AT_START ((ftrun_role_flags)8)

#define FTRUN_ROLE_REQUEST_TAG FTRUN_TAG('R', 'O', 'L', 'E')
typedef struct ftrun_role_request {
  ftrun_head head;
  ftrun_str name; /**< "policy", "reference", "reward", "value" */
  ftrun_role_flags flags;
  int32_t infer_walks;    /**< walks of the role without gradients, head included, per micro-batch of an update: what
                               strategies announce counts them */
  ftrun_str model_key;    /**< configuration key that holds the model folder, e.g. "model_name_or_path" */
  ftrun_str scalar_heads; /**< comma-separated names of scalar heads, or empty */
} ftrun_role_request;

#define FTRUN_DECLARATION_TAG FTRUN_TAG('D', 'E', 'C', 'L')
/** Given to declare; copies what it is handed. */
typedef struct ftrun_declaration {
  ftrun_head head;
  void* self;
  /** Role indices count up from 0. */
  ftrun_status (*add_role)(const struct ftrun_declaration* declaration, const ftrun_role_request* role, int32_t* index);
  /** A quantity of an update that losses are normalised by ("tokens", "pairs"); indices count up from 0. A zero global
   * value is an error that names it. */
  ftrun_status (*add_denominator)(const struct ftrun_declaration* declaration, ftrun_str name, int32_t* index);
} ftrun_declaration;

#define FTRUN_MAX_DENOMINATORS 8

#define FTRUN_PLAN_TAG FTRUN_TAG('P', 'L', 'A', 'N')
/** What begin tells the loop. */
typedef struct ftrun_paradigm_plan {
  ftrun_head head;
  int64_t num_examples; /**< rows (items) per epoch over all ranks */
  int64_t updates_per_epoch;
  int64_t eval_examples;
  int64_t eval_updates;           /**< 0: no evaluation data */
  int64_t max_micro_batch_tokens; /**< the longest micro-batch that will come, for planning memory */
  /** Comma-separated names of the numbers that losses give to host->metric, so that `metric_for_best_model` may name
   * them; valid as long as the instance. */
  ftrun_str metrics;
} ftrun_paradigm_plan;

#define FTRUN_UPDATE_REQUEST_TAG FTRUN_TAG('U', 'R', 'E', 'Q')
typedef struct ftrun_update_request {
  ftrun_head head;
  ftrun_split split;
  int32_t reserved;
  int64_t epoch;
  int64_t update; /**< within the epoch (train) or the evaluation (eval) */
} ftrun_update_request;

#define FTRUN_UPDATE_TAG FTRUN_TAG('U', 'P', 'D', 'T')
/** One update: micro-batches held by the paradigm, and this rank's denominators. */
typedef struct ftrun_update {
  ftrun_head head;
  void* state;             /**< the paradigm's, freed by release_update */
  int32_t n_micro_batches; /**< equal on all ranks */
  int32_t reserved;
  double denominators[FTRUN_MAX_DENOMINATORS];
  int64_t num_input_tokens; /**< this rank's, for throughput */
} ftrun_update;

typedef int32_t ftrun_evaluation_phase;
/** From the initial weights, run after training so that nothing delays the first step. */
#define FTRUN_EVALUATION_INITIAL ((ftrun_evaluation_phase)0)
#define FTRUN_EVALUATION_PERIODIC ((ftrun_evaluation_phase)1)
#define FTRUN_EVALUATION_FINAL ((ftrun_evaluation_phase)2)

#define FTRUN_PARADIGM_TAG FTRUN_TAG('P', 'A', 'R', '1')
/** The table. One instance per rank; all calls but create, destroy and declare are [rank-thread]. Since 1.0. */
typedef struct ftrun_paradigm {
  ftrun_head head;
  /** Reads its options and refuses combinations. [control-thread] */
  ftrun_status (*create)(const ftrun_host* host, const ftrun_options* options, void** paradigm);
  /** [control-thread] */
  void (*destroy)(void* paradigm);
  /** Which models it needs, and what losses are divided by. [control-thread] */
  ftrun_status (*declare)(void* paradigm, const ftrun_declaration* declaration);
  /** Opens data (and generation, as needed) and plans. */
  ftrun_status (*begin)(void* paradigm, ftrun_context* ctx, ftrun_paradigm_plan* out);
  /** The update at a position: a pure function of the request and the paradigm's saved state. */
  ftrun_status (*next_update)(void* paradigm, ftrun_context* ctx, const ftrun_update_request* request,
                              ftrun_update* out);
  /** Numbers given to host->metric until the update ends (after its last loss) are the update's: the log shows their
   * means over updates, weighted by the first denominator, evaluations the same as "eval_..." over the evaluation data.
   * They must be what all ranks together measured; the first rank's are taken. Scalar loss f32[1] of one micro-batch,
   * already divided by the global denominators (summed over ranks): the losses of all micro-batches on all ranks add up
   * to the update's loss. */
  ftrun_status (*loss)(void* paradigm, ftrun_context* ctx, const ftrun_update* update, int32_t micro_batch,
                       const double* denominators, ftrun_tensor** out_loss);
  void (*release_update)(void* paradigm, ftrun_update* update);
  /** Further measures of a model (generation-based ones), reported through host->metric as "eval_..." names. May be
   * NULL. *wanted = 1 with ctx NULL asks only whether it would measure anything in this phase. */
  ftrun_status (*evaluate)(void* paradigm, ftrun_context* ctx, ftrun_evaluation_phase phase, int32_t* wanted);
  /** State beyond the position: written to and restored from checkpoints through a byte sink. May be NULL. */
  ftrun_status (*save_state)(void* paradigm, ftrun_status (*write)(void* sink, const void* data, uint64_t bytes),
                             void* sink);
  ftrun_status (*load_state)(void* paradigm, const void* data, uint64_t bytes);
  /** Once, after begin on every rank and before a resumed run restores its weights: forwards with the initial weights,
   * and collectives, are possible here. Only runs that train call it. May be NULL. */
  ftrun_status (*prepare)(void* paradigm, ftrun_context* ctx);
  /** The rows it reads, as ftrun_data_spec.format names them, for what a host has to know before data is opened: texts
   * of "plain" have no turns, so that a chat template means little to them. Static; empty: not said. */
  ftrun_str data_format;
} ftrun_paradigm;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_KINDS_PARADIGM_H_ */
