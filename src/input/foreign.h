/* Files that are none of ours, told by how they begin, and what to do with each. Everything here is local. */
#ifndef KTRAIN_FOREIGN_H
#define KTRAIN_FOREIGN_H

#include <stddef.h>

#include "base/status.h"

enum { KT_FOREIGN_BYTES = 512 }; /* of a file's beginning are enough */

/* KT_DATA, saying what the file `path` is and how to get at its data, when head[n], its first bytes, are those of a
 * known format that is not read; KT_OK otherwise. */
kt_status kt_foreign_check(const char *path, const unsigned char *head, size_t n);

/* The same for a zip archive, by one of its members' names: call it for each. */
kt_status kt_foreign_check_member(const char *path, const char *member);

#endif
