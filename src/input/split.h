/* Which samples train, validate and test. Local and pure. */
#ifndef KTRAIN_SPLIT_H
#define KTRAIN_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/options.h"

typedef enum kt_part { KT_TRAIN, KT_VALIDATION, KT_TEST, KT_N_PARTS } kt_part;
extern const char *const kt_part_names[KT_N_PARTS]; /* "train", "validation", "test" */

typedef struct kt_split {
    size_t n[KT_N_PARTS];
    uint32_t *index[KT_N_PARTS]; /* owned; rows of the data set, in the split's order */
} kt_split;

typedef struct kt_split_spec {
    kt_real_list fractions; /* KT_N_PARTS of them */
    int64_t seed;
    bool shuffle, stratify;
} kt_split_spec;

extern const kt_option_rows kt_split_options; /* of kt_split_spec */

/* Cuts samples 0..n-1 by `fractions` (each >= 0, sum 1 within 1e-6; the part sizes are the largest-remainder rounding
 * of n * fraction). shuffle: which samples, and their order in a part, are drawn from the seed alone; without it the
 * order is the data set's. stratify (needs labels, NULL otherwise allowed): of a class with c samples, part p gets c *
 * n[p] / n rounded down or up; the sizes stay exact. A part with fraction > 0 that would get no sample, or when
 * stratifying a class with fewer samples than non-empty parts (but not none), is KT_DATA; bad fractions are
 * KT_CONFIG. */
kt_status kt_split_create(kt_split *out, size_t n, const int32_t *labels, size_t n_classes, const kt_split_spec *spec);

/* Allocates the three index arrays with the given sizes, all zero. */
kt_status kt_split_allocate(kt_split *out, const size_t n[KT_N_PARTS]);

void kt_split_free(kt_split *split);

#endif
