/* Values that stay: equal bytes are kept once, at one address, for as long as the process lives. A struct with pointers
 * to them is copied, compared and dropped like one of numbers. For settings, which are few: nothing is given back.
 * Local; several threads may call it. */
#ifndef KTRAIN_INTERN_H
#define KTRAIN_INTERN_H

#include <stddef.h>

#include "base/status.h"

/* The kept copy of bytes[n_bytes], aligned for any number; NULL, with the error recorded, when there is no memory. */
const void *kt_intern(const void *bytes, size_t n_bytes);

/* The same of a NUL-terminated text. */
const char *kt_intern_text(const char *text);

#endif
