/* A slice of a sweep's points: every n-th of them. Starts of a sweep that share nothing but a directory take one each.
 * Local and pure. */
#ifndef KTRAIN_SLICE_H
#define KTRAIN_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct kt_slice {
    size_t i, n; /* i < n; n = 1: the slice is all of them */
} kt_slice;

/* "2/8", counted from 0 or from 1: slice 8 of 8 is slice 0. KT_USAGE. */
kt_status kt_slice_parse(const char *text, kt_slice *out);

/* Whether proposal `number` is in the slice, and how many of n are. */
bool kt_slice_has(kt_slice slice, uint64_t number);
uint64_t kt_slice_count(kt_slice slice, uint64_t n);

/* What the slice's files have in their names: "-8-of-8", as people count; "" for all. */
enum { KT_SLICE_BYTES = 48 };
void kt_slice_suffix(kt_slice slice, char text[KT_SLICE_BYTES]);

#endif
