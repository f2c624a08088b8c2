/* Status codes: what every call of the C ABI returns. Numbering follows absl::StatusCode.
 * Leaves out: the message, which travels through ftrun_host.fail into host storage. */
#ifndef FTRUN_STATUS_H_
#define FTRUN_STATUS_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** 0 on success, otherwise one of the constants below. Readers map codes they do not know to FTRUN_UNKNOWN. */
typedef int32_t ftrun_status;

#define FTRUN_OK ((ftrun_status)0)
/** Stopped on request (signal, stop file); not a fault. */
#define FTRUN_CANCELLED ((ftrun_status)1)
#define FTRUN_UNKNOWN ((ftrun_status)2)
/** The user's input is wrong whatever the state: a value, a file's content, a shape. */
#define FTRUN_INVALID_ARGUMENT ((ftrun_status)3)
#define FTRUN_DEADLINE_EXCEEDED ((ftrun_status)4)
#define FTRUN_NOT_FOUND ((ftrun_status)5)
#define FTRUN_ALREADY_EXISTS ((ftrun_status)6)
#define FTRUN_PERMISSION_DENIED ((ftrun_status)7)
/** Out of device memory, host memory or disk. */
#define FTRUN_RESOURCE_EXHAUSTED ((ftrun_status)8)
/** The call is legal but not in this state. */
#define FTRUN_FAILED_PRECONDITION ((ftrun_status)9)
/** A peer failed and the communicator was aborted. */
#define FTRUN_ABORTED ((ftrun_status)10)
/** Past the end: an index equal to a count, the end of a sequence. */
#define FTRUN_OUT_OF_RANGE ((ftrun_status)11)
/** The table slot is absent or the combination is not supported. */
#define FTRUN_UNIMPLEMENTED ((ftrun_status)12)
/** A bug on the side that returns it. */
#define FTRUN_INTERNAL ((ftrun_status)13)
#define FTRUN_UNAVAILABLE ((ftrun_status)14)
/** The system lost data: short read, disk full, non-finite numbers. */
#define FTRUN_DATA_LOSS ((ftrun_status)15)

#ifdef __cplusplus
}
#endif

#endif /* FTRUN_STATUS_H_ */
