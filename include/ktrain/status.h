/* How a call went. Every function that can fail returns a status, and leaves a sentence that says what is wrong and
 * what would be right. The library never exits, aborts or prints. Its numbers are the exit codes of the program
 * ktrain. */
#ifndef KTRAIN_PUBLIC_STATUS_H
#define KTRAIN_PUBLIC_STATUS_H

#include "ktrain/version.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ktrain_status {
    KTRAIN_OK = 0,
    KTRAIN_USAGE = 2,      /* a wrong call: NULL, a size or name that cannot be */
    KTRAIN_DIVERGED = 3,   /* training came to NaN or Inf; the last good checkpoint stays */
    KTRAIN_DATA = 65,      /* malformed or inconsistent data, or a file that is no model */
    KTRAIN_NO_INPUT = 66,  /* a file that is not there or cannot be read */
    KTRAIN_INTERNAL = 70,  /* a fault of ktrain or of a library */
    KTRAIN_NO_MEMORY = 71, /* out of memory */
    KTRAIN_IO = 74,        /* reading or writing failed: full disk, read-only directory */
    KTRAIN_PREEMPTED = 75, /* asked to stop, with a checkpoint: the same call goes on */
    KTRAIN_CONFIG = 78     /* a configuration that cannot be used */
} ktrain_status;

/* A few words: "bad data". Never NULL. Local, any thread. */
KTRAIN_API const char *ktrain_status_name(ktrain_status status);

/* The sentence of this thread's last failure, "" when nothing has failed; valid until this thread's next failure.
 * Local, any thread. */
KTRAIN_API const char *ktrain_message(void);

/* Where it failed, when several ranks have agreed on that (ktrain_train): the lowest failing rank of the communicator
 * and its host; the message is that rank's on all of them. -1 and "": in this process alone. */
KTRAIN_API int ktrain_message_rank(void);
KTRAIN_API const char *ktrain_message_host(void);

#ifdef __cplusplus
}
#endif

#endif
