/* Kind `network`: an architecture. Declares its parameters and units once and computes a unit from the context's calls.
 * Leaves out: parallelism, recompute, adapters, caches, loading; none of it appears in a network. */
#ifndef FTRUN_KINDS_NETWORK_H_
#define FTRUN_KINDS_NETWORK_H_

#include "ftrun/context.h"
#include "ftrun/host.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t ftrun_parameter_role;
#define FTRUN_PARAMETER_LINEAR ((ftrun_parameter_role)0)
#define FTRUN_PARAMETER_EMBEDDING ((ftrun_parameter_role)1)
#define FTRUN_PARAMETER_NORM ((ftrun_parameter_role)2) /**< no weight decay */
#define FTRUN_PARAMETER_BIAS ((ftrun_parameter_role)3) /**< no weight decay */
#define FTRUN_PARAMETER_HEAD ((ftrun_parameter_role)4)

typedef int32_t ftrun_unit_kind;
#define FTRUN_UNIT_EMBEDDING ((ftrun_unit_kind)0)
#define FTRUN_UNIT_BLOCK ((ftrun_unit_kind)1)
#define FTRUN_UNIT_FINAL_NORM ((ftrun_unit_kind)2)
#define FTRUN_UNIT_HEAD ((ftrun_unit_kind)3)

typedef int32_t ftrun_initializer;
#define FTRUN_INITIALIZER_NORMAL ((ftrun_initializer)0) /**< mean 0, standard deviation `initializer_std` */
#define FTRUN_INITIALIZER_ZEROS ((ftrun_initializer)1)
#define FTRUN_INITIALIZER_ONES ((ftrun_initializer)2)
#define FTRUN_INITIALIZER_UNIFORM ((ftrun_initializer)3) /**< between -`initializer_std` and +`initializer_std` */

#define FTRUN_PARAMETER_INFO_TAG FTRUN_TAG('P', 'A', 'R', 'M')
typedef struct ftrun_parameter_info {
  ftrun_head head;
  ftrun_str name; /**< the Hugging Face name */
  ftrun_parameter_role role;
  int32_t unit;
  int32_t ndim;
  ftrun_initializer initializer;
  int64_t shape[FTRUN_MAX_DIMS];
  double initializer_std;
} ftrun_parameter_info;

#define FTRUN_UNIT_INFO_TAG FTRUN_TAG('U', 'N', 'I', 'T')
typedef struct ftrun_unit_info {
  ftrun_head head;
  ftrun_str name; /**< for logs, e.g. "model.layers.3" */
  ftrun_unit_kind kind;
  int32_t reserved;
} ftrun_unit_info;

#define FTRUN_NETWORK_BUILDER_TAG FTRUN_TAG('N', 'B', 'L', 'D')
/** Given to declare; copies what it is handed. Units in the order they are walked: one EMBEDDING, BLOCKs, one
 * FINAL_NORM, one HEAD. Ids count up from 0. */
typedef struct ftrun_network_builder {
  ftrun_head head;
  void* self;
  ftrun_status (*add_unit)(const struct ftrun_network_builder* builder, const ftrun_unit_info* unit, int32_t* id);
  ftrun_status (*add_parameter)(const struct ftrun_network_builder* builder, const ftrun_parameter_info* parameter,
                                int32_t* id);
  /** `unit` also uses `parameter`, under a second name that files may carry (tied weights; saved under the first name
   * only). */
  ftrun_status (*tie_parameter)(const struct ftrun_network_builder* builder, int32_t parameter, int32_t unit,
                                ftrun_str tied_name);
} ftrun_network_builder;

#define FTRUN_NETWORK_INFO_TAG FTRUN_TAG('N', 'I', 'N', 'F')
/** Dimensions the host needs. Pointers live as long as the instance. */
typedef struct ftrun_network_info {
  ftrun_head head;
  int64_t hidden_size;
  int64_t vocab_size;
  int64_t max_position_embeddings;
  int32_t n_layers;
  int32_t n_heads;
  int32_t n_kv_heads;
  int32_t head_dim;
  int32_t head_parameter; /**< id of the [V, D] matrix of the head */
  int32_t reserved;
  const float* rope_inv_freq; /**< [head_dim / 2] */
  double rope_scaling;        /**< factor on cos and sin */
} ftrun_network_info;

#define FTRUN_NETWORK_CREATE_TAG FTRUN_TAG('N', 'C', 'R', 'E')
typedef struct ftrun_network_create_args {
  ftrun_head head;
  const ftrun_host* host;
  const ftrun_options* options;
  ftrun_str config_json; /**< the whole config.json; transformers 4 or 5 dialect */
  ftrun_str config_path; /**< for error messages */
} ftrun_network_create_args;

#define FTRUN_NETWORK_TAG FTRUN_TAG('N', 'E', 'T', '1')
/** The table. Since 1.0. Networks hold no tensors: an instance may serve several roles and ranks. */
typedef struct ftrun_network {
  ftrun_head head;
  /** Comma-separated names of config.json's `architectures` that this network is. Static. */
  ftrun_str architectures;
  /** Reads config.json. INVALID_ARGUMENT names file, key, expectation for a value it cannot honour. [control-thread] */
  ftrun_status (*create)(const ftrun_network_create_args* args, void** network);
  /** [control-thread] */
  void (*destroy)(void* network);
  /** [control-thread] */
  ftrun_status (*declare)(void* network, const ftrun_network_builder* builder);
  /** After declare. [any-thread] */
  ftrun_status (*info)(void* network, ftrun_network_info* out);
  /** Computes one EMBEDDING (in is NULL), BLOCK or FINAL_NORM unit: in[T, D] borrowed, *out[T, D] owned by the caller.
   * A pure function of its input, the batch and the parameters: the host may call it again to recompute. [rank-thread]
   */
  ftrun_status (*unit_forward)(void* network, ftrun_context* ctx, int32_t unit, ftrun_tensor* in, ftrun_tensor** out);
} ftrun_network;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_KINDS_NETWORK_H_ */
