/* Element types, the tensor handle, its view, and the calls that make, read and combine tensors.
 * Leaves out: what the ops compute (ops.h) and everything that is addressed by parameter id (context.h). */
#ifndef FTRUN_TENSOR_H_
#define FTRUN_TENSOR_H_

#include "ftrun/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Element type, the four bytes of a DLDataType: code | bits << 8 | lanes << 16. */
typedef uint32_t ftrun_dtype;
#define FTRUN_F64 ((ftrun_dtype)0x00014002u)
#define FTRUN_F32 ((ftrun_dtype)0x00012002u)
#define FTRUN_F16 ((ftrun_dtype)0x00011002u)
#define FTRUN_BF16 ((ftrun_dtype)0x00011004u)
#define FTRUN_I64 ((ftrun_dtype)0x00014000u)
#define FTRUN_I32 ((ftrun_dtype)0x00012000u)
#define FTRUN_U8 ((ftrun_dtype)0x00010801u)
#define FTRUN_U32 ((ftrun_dtype)0x00012001u)
#define FTRUN_U64 ((ftrun_dtype)0x00014001u)
/** Bytes of one element. */
#define FTRUN_DTYPE_BYTES(dtype) ((uint64_t)(((dtype) >> 8) & 0xffu) / 8u)

/** Device types of a view; DLPack's codes. An accelerator's memory may not be dereferenced by the host. */
typedef int32_t ftrun_device_type;
#define FTRUN_DEVICE_TYPE_CPU ((ftrun_device_type)1)
#define FTRUN_DEVICE_TYPE_ACCELERATOR ((ftrun_device_type)12)

#define FTRUN_MAX_DIMS 4

/** What a tensor is made of; layout-identical to DLPack's DLTensor. Element (i, j, ..) lies at
 * data + byte_offset + (i * strides[0] + j * strides[1] + ..) * FTRUN_DTYPE_BYTES(dtype).
 * shape and strides (in elements) have ndim entries, are never NULL and are borrowed for the call. */
typedef struct ftrun_view {
  void *data;
  ftrun_device_type device_type;
  int32_t device_id;
  int32_t ndim;
  ftrun_dtype dtype;
  const int64_t *shape;
  const int64_t *strides;
  uint64_t byte_offset;
} ftrun_view;
FTRUN_STATIC_ASSERT(sizeof(ftrun_view) == 48, "layout of DLTensor");

/** What an allocation is for; memory statistics are kept by category. */
typedef int32_t ftrun_memory_category;
#define FTRUN_MEMORY_OTHER ((ftrun_memory_category)0)
#define FTRUN_MEMORY_WEIGHTS ((ftrun_memory_category)1)
#define FTRUN_MEMORY_GRADIENTS ((ftrun_memory_category)2)
#define FTRUN_MEMORY_OPTIMIZER ((ftrun_memory_category)3)
#define FTRUN_MEMORY_ACTIVATIONS ((ftrun_memory_category)4)
#define FTRUN_MEMORY_WORKSPACE ((ftrun_memory_category)5)
#define FTRUN_MEMORY_GATHER ((ftrun_memory_category)6)
#define FTRUN_MEMORY_COMMUNICATION ((ftrun_memory_category)7)
#define FTRUN_MEMORY_KV_CACHE ((ftrun_memory_category)8)
#define FTRUN_MEMORY_CATEGORY_COUNT 9

/** Where a tensor lives: the rank's device, or the host device (`cpu`) beside it. */
typedef int32_t ftrun_placement;
#define FTRUN_PLACEMENT_DEVICE ((ftrun_placement)0)
#define FTRUN_PLACEMENT_HOST ((ftrun_placement)1)

/** Reference-counted host-side handle of a tensor. */
typedef struct ftrun_tensor ftrun_tensor;
/** A rank's context: its device, tape, roles and position in the run. Given to every [rank-thread] call. */
typedef struct ftrun_context ftrun_context;

/** A gradient of a plugin's own. forward has already produced `outputs`; when a gradient is needed, backward is called
 * once with the gradients of the outputs (NULL where none) and writes those of the inputs (NULL where not needed).
 * `state` is released with `destroy` when the node dies. [rank-thread] */
typedef ftrun_status (*ftrun_custom_backward)(void *state, ftrun_context *ctx, ftrun_tensor *const *output_gradients,
                                              int32_t n_outputs, ftrun_tensor **input_gradients, int32_t n_inputs);

#define FTRUN_TENSOR_API_TAG FTRUN_TAG('T', 'E', 'N', 'S')
/** Tensor calls of the host. All [rank-thread], since 1.0. A returned tensor is owned by the caller: release it.
 * On failure outputs are NULL and nothing is leaked. */
typedef struct ftrun_tensor_api {
  ftrun_head head;
  /** New reference to the same tensor. */
  void (*retain)(ftrun_tensor *tensor);
  /** Drops a reference; NULL is allowed. Memory is returned stream-ordered. */
  void (*release)(ftrun_tensor *tensor);
  /** Fills *out; its pointers stay valid while `tensor` is alive. Reading device memory through it may fault. */
  ftrun_status (*view)(ftrun_tensor *tensor, ftrun_view *out);
  /** Uninitialised contiguous tensor. shape has ndim (0..4) entries >= 0. RESOURCE_EXHAUSTED when the device is full. */
  ftrun_status (*empty)(ftrun_context *ctx, ftrun_dtype dtype, int32_t ndim, const int64_t *shape,
                        ftrun_memory_category category, ftrun_placement placement, ftrun_tensor **out);
  /** Contiguous tensor with a copy of `bytes` = product(shape) * element size bytes from host memory. */
  ftrun_status (*from_host)(ftrun_context *ctx, ftrun_dtype dtype, int32_t ndim, const int64_t *shape, const void *data,
                            uint64_t bytes, ftrun_tensor **out);
  /** Copies a contiguous tensor's elements to host memory; waits for the device and returns its pending errors.
   * *no_value is 1 when the device only keeps shapes: the bytes are zeros and must not steer control flow. */
  ftrun_status (*read)(ftrun_context *ctx, ftrun_tensor *tensor, void *data, uint64_t bytes, int32_t *no_value);
  /** Same storage, other shape; the tensor must be contiguous and the element count equal. Differentiable. */
  ftrun_status (*reshape)(ftrun_context *ctx, ftrun_tensor *tensor, int32_t ndim, const int64_t *shape,
                          ftrun_tensor **out);
  /** Same storage: elements [begin, end) of `axis`. Not differentiable unless axis is 0. */
  ftrun_status (*slice)(ftrun_context *ctx, ftrun_tensor *tensor, int32_t axis, int64_t begin, int64_t end,
                        ftrun_tensor **out);
  /** Same values, no history. */
  ftrun_status (*detach)(ftrun_context *ctx, ftrun_tensor *tensor, ftrun_tensor **out);
  /** Runs a differentiable op of ops.h by name on tensors of this context; `attributes` is the op's attribute struct or
   * NULL. Writes n_outputs new tensors. Records on the tape where gradients are on.
   * INVALID_ARGUMENT names the op and the shape or dtype that does not fit. */
  ftrun_status (*op)(ftrun_context *ctx, ftrun_str name, ftrun_tensor *const *inputs, int32_t n_inputs,
                     const void *attributes, ftrun_tensor **outputs, int32_t n_outputs);
  /** Puts a plugin's own gradient on the tape between `inputs` and already computed `outputs`; takes `state`. */
  ftrun_status (*custom_op)(ftrun_context *ctx, ftrun_str name, ftrun_tensor *const *inputs, int32_t n_inputs,
                            ftrun_tensor *const *outputs, int32_t n_outputs, ftrun_custom_backward backward, void *state,
                            void (*destroy)(void *state));
} ftrun_tensor_api;

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_TENSOR_H_ */
