/* Kind `device`: where tensors live and ops run. Enumerates, allocates, copies, has streams and events, executes ops of
 * ops.h by name and reports memory. Leaves out: what is composed from primitive ops (the host does that). */
#ifndef FTRUN_KINDS_DEVICE_H_
#define FTRUN_KINDS_DEVICE_H_

#include "ftrun/host.h"
#include "ftrun/ops.h"
#include "ftrun/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t ftrun_device_flags;
/** Addresses are numbers, nothing is stored or computed; allocations, costs and clock are as in a real run. */
#define FTRUN_DEVICE_SHAPES_ONLY ((ftrun_device_flags)1)

#define FTRUN_DEVICE_OPEN_TAG FTRUN_TAG('D', 'O', 'P', 'N')
typedef struct ftrun_device_open_args {
  ftrun_head head;
  const ftrun_host *host;
  const ftrun_options *options; /**< the plugin's resolved keys */
  int32_t ordinal;              /**< 0 <= ordinal < count() */
  ftrun_device_flags flags;
} ftrun_device_open_args;

#define FTRUN_DEVICE_PROPERTIES_TAG FTRUN_TAG('D', 'P', 'R', 'P')
typedef struct ftrun_device_properties {
  ftrun_head head;
  ftrun_str name;             /**< as a person knows it; static */
  ftrun_device_type type;     /**< CPU: the host may dereference its memory */
  int32_t ordinal;
  uint64_t total_bytes;       /**< hard limit of allocations */
  uint64_t alignment_bytes;   /**< of every allocation */
  double peak_flops_f32;      /**< per second, 0 when unknown */
  double peak_flops_bf16;
  double memory_bandwidth;    /**< bytes per second, 0 when unknown */
  ftrun_str isa;              /**< instruction set in use, for logs; static */
} ftrun_device_properties;

#define FTRUN_MEMORY_STATS_TAG FTRUN_TAG('M', 'S', 'T', 'A')
/** All in bytes. allocated: handed out (rounded as the device rounds); reserved: taken from the device by its cache. */
typedef struct ftrun_memory_stats {
  ftrun_head head;
  uint64_t total_bytes;
  uint64_t allocated_bytes;
  uint64_t peak_allocated_bytes;
  uint64_t reserved_bytes;
  uint64_t peak_reserved_bytes;
  uint64_t allocation_count; /**< live allocations */
  uint64_t category_bytes[16];      /**< by ftrun_memory_category, live */
  uint64_t category_peak_bytes[16]; /**< each category's own peak */
} ftrun_memory_stats;

typedef int32_t ftrun_copy_kind;
#define FTRUN_COPY_HOST_TO_DEVICE ((ftrun_copy_kind)0)
#define FTRUN_COPY_DEVICE_TO_HOST ((ftrun_copy_kind)1)
#define FTRUN_COPY_DEVICE_TO_DEVICE ((ftrun_copy_kind)2)

#define FTRUN_OP_CALL_TAG FTRUN_TAG('O', 'P', 'C', 'L')
/** One op. The device copies views and attributes before returning; data stays alive by stream order. */
typedef struct ftrun_op_call {
  ftrun_head head;
  uint64_t op; /**< from find_op */
  int32_t n_inputs;
  int32_t n_outputs;
  const ftrun_view *inputs;
  const ftrun_view *outputs; /**< an output the caller does not want has data NULL */
  const void *attributes;    /**< the op's attribute struct, or NULL where it has none */
} ftrun_op_call;

typedef int32_t ftrun_collective_kind;
#define FTRUN_COLLECTIVE_ALL_REDUCE ((ftrun_collective_kind)0)
#define FTRUN_COLLECTIVE_REDUCE_SCATTER ((ftrun_collective_kind)1)
#define FTRUN_COLLECTIVE_ALL_GATHER ((ftrun_collective_kind)2)
#define FTRUN_COLLECTIVE_BROADCAST ((ftrun_collective_kind)3)
#define FTRUN_COLLECTIVE_ALL_TO_ALL ((ftrun_collective_kind)4)
#define FTRUN_COLLECTIVE_SEND_RECV ((ftrun_collective_kind)5)
#define FTRUN_COLLECTIVE_BARRIER ((ftrun_collective_kind)6)

#define FTRUN_DEVICE_TAG FTRUN_TAG('D', 'E', 'V', '1')
/** The table. `device` is what open returned. stream and event are the device's handles; NULL is the default stream.
 * Unless said otherwise [rank-thread] and since 1.0. execute and copy may return before the work is done; errors of that work
 * come from the next synchronize or event wait and name the op.
 * Beside the rank thread its communication thread calls copy, the event and stream waits, collective_cost and execute with
 * sum_ranks, on streams of its own: a device guards what its streams share, and should not let that op wait for others. */
typedef struct ftrun_device {
  ftrun_head head;
  /** Usable devices (environment variables such as a visible-devices list applied). [control-thread] */
  ftrun_status (*count)(const ftrun_host *host, const ftrun_options *options, int32_t *out);
  /** [control-thread] */
  ftrun_status (*open)(const ftrun_device_open_args *args, void **device);
  /** All work is done and all memory returned before. [control-thread] */
  void (*close)(void *device);
  /** Strings live as long as the device. [any-thread] */
  ftrun_status (*properties)(void *device, ftrun_device_properties *out);
  /** bytes may be 0 (a unique non-NULL address). RESOURCE_EXHAUSTED with the device's own message when it does not fit. */
  ftrun_status (*allocate)(void *device, void *stream, uint64_t bytes, ftrun_memory_category category, void **out);
  /** Stream-ordered: the memory is reused only after the work queued on `stream` so far. */
  ftrun_status (*deallocate)(void *device, void *stream, void *data);
  /** `data` is also used by `stream`: deallocation waits for that too. */
  ftrun_status (*record_stream)(void *device, void *data, void *stream);
  /** Plain bytes. Out of an allocation's bounds is INVALID_ARGUMENT. */
  ftrun_status (*copy)(void *device, void *stream, void *destination, const void *source, uint64_t bytes,
                       ftrun_copy_kind kind);
  ftrun_status (*stream_create)(void *device, void **stream);
  void (*stream_destroy)(void *device, void *stream);
  /** Waits for the stream's work; returns its first error. */
  ftrun_status (*stream_synchronize)(void *device, void *stream);
  ftrun_status (*event_create)(void *device, void **event);
  void (*event_destroy)(void *device, void *event);
  /** The event now stands for the work queued on `stream` so far. */
  ftrun_status (*event_record)(void *device, void *event, void *stream);
  /** Later work of `stream` starts after what the event stands for at this call. */
  ftrun_status (*stream_wait_event)(void *device, void *stream, void *event);
  ftrun_status (*event_synchronize)(void *device, void *event);
  /** *done = 1 when the event's work is complete. */
  ftrun_status (*event_query)(void *device, void *event, int32_t *done);
  /** Does the device have the op for operands of this dtype (its first float operand)? *op is the handle for execute, the same
   * for every dtype. NOT_FOUND when absent: the host composes a fused op, and a missing primitive is an error. [any-thread] */
  ftrun_status (*find_op)(void *device, ftrun_str name, ftrun_dtype dtype, uint64_t *op);
  ftrun_status (*execute)(void *device, void *stream, const ftrun_op_call *call);
  ftrun_status (*memory_stats)(void *device, ftrun_memory_stats *out);
  /** Sets the peaks to the current values. */
  ftrun_status (*reset_peak)(void *device);
  /** Advances the stream's simulated clock by what the collective costs among the group; a no-op without a simulated clock.
   * ranks are device ordinals. */
  ftrun_status (*collective_cost)(void *device, void *stream, ftrun_collective_kind kind, uint64_t bytes,
                                  const int32_t *ranks, int32_t n_ranks);
  /** Charges work done on the host device for this one (offload): bytes over the link and flops on the host. */
  ftrun_status (*host_cost)(void *device, void *stream, uint64_t link_bytes, double host_flops);
  /** Simulated seconds on `stream` since open; UNIMPLEMENTED without a simulated clock. */
  ftrun_status (*simulated_time)(void *device, void *stream, double *seconds);
} ftrun_device;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_KINDS_DEVICE_H_ */
