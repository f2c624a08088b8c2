/* The descriptor of a plugin and the one function a plugin library exports. */
#ifndef FTRUN_PLUGIN_H_
#define FTRUN_PLUGIN_H_

#include "ftrun/abi.h"
#include "ftrun/host.h"
#include "ftrun/note.h"
#include "ftrun/option.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Kinds; `ftrun_plugin.kind` is one of these. */
#define FTRUN_KIND_PARADIGM "paradigm"
#define FTRUN_KIND_STRATEGY "strategy"
#define FTRUN_KIND_DEVICE "device"
#define FTRUN_KIND_COLLECTIVES "collectives"
#define FTRUN_KIND_NETWORK "network"
#define FTRUN_KIND_REWARD "reward"

#define FTRUN_PLUGIN_TAG FTRUN_TAG('P', 'L', 'U', 'G')
/** Static data of one plugin. Everything it points to lives as long as the library. */
typedef struct ftrun_plugin {
  ftrun_head head;
  uint32_t abi_minor;      /**< FTRUN_ABI_TARGET_MINOR of the build */
  uint32_t min_host_minor; /**< the host must offer at least this minor */
  ftrun_str kind;          /**< FTRUN_KIND_*; equals the note */
  ftrun_str id;            /**< the name users write, [a-z][a-z0-9_]*; unique within the kind; equals the note */
  ftrun_str version;       /**< semantic version; equals the note */
  ftrun_str doc;           /**< one line */
  const ftrun_option_table *options; /**< NULL: no keys */
  /** The table of the kind: ftrun_paradigm, ftrun_strategy, ftrun_device, ftrun_collectives, ftrun_network, ftrun_reward. */
  const void *table;
  /** An optional surface by id, or NULL; NULL for every id it does not know. [any-thread] */
  const void *(*get_extension)(ftrun_str id);
} ftrun_plugin;

/** Describes plugin `index` of this library. Pure: static data, no threads, no device probing, under 100 ms.
 * @return FTRUN_OK, or FTRUN_OUT_OF_RANGE for index >= the number of plugins (then *out is NULL). [control-thread] */
FTRUN_EXPORT ftrun_status ftrun_plugin_query_v1(uint32_t index, const ftrun_plugin **out);
typedef ftrun_status (*ftrun_plugin_query_v1_function)(uint32_t index, const ftrun_plugin **out);

#define FTRUN_IMPORT_CONFIG_EXTENSION "ftrun.import_config/1"
#define FTRUN_IMPORT_CONFIG_TAG FTRUN_TAG('I', 'C', 'F', 'G')
/** Extension of strategy plugins: reads a foreign configuration given under `key` (a DeepSpeed JSON under `deepspeed`, an
 * accelerate FSDP YAML under `fsdp`) and answers with options of its own, or "not mine". [control-thread], since 1.0 */
typedef struct ftrun_import_config {
  ftrun_head head;
  /** `text` is the file's content or the literal value. Calls emit(sink, key, value) once per option; `name` is emitted when
   * the file selects this plugin. @return OK; NOT_FOUND when this configuration is not for this plugin; INVALID_ARGUMENT with
   * detail when it is but has a value that cannot be honoured. */
  ftrun_status (*import_config)(const ftrun_host *host, ftrun_str key, ftrun_str text,
                                ftrun_status (*emit)(void *sink, ftrun_str option, ftrun_str value), void *sink);
} ftrun_import_config;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_PLUGIN_H_ */
