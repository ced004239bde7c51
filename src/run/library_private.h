/* What the files of libktrain share: library.c (version, status, configuration), library_data.c, library_model.c and
 * library_train.c. They are a thin layer: each public function checks its arguments and calls what the program ktrain
 * calls, too. include/ktrain/ has the promises. */
#ifndef KTRAIN_LIBRARY_PRIVATE_H
#define KTRAIN_LIBRARY_PRIVATE_H

#include "engine/config.h"
#include "engine/data.h"
#include "engine/metrics.h"
#include "ktrain/config.h"
#include "ktrain/data.h"

struct ktrain_config {
    kt_config values;
    char *shown; /* what ktrain_config_get has returned last; owned */
};

struct ktrain_data {
    kt_data data; /* around the caller's arrays */
};

/* KT_USAGE when one of the n pointers is NULL. `call` is the function's name, `names` are the arguments', "a, b". */
kt_status kt_library_check(const char *call, const char *names, size_t n, const void *const *pointers);

#define KT_LIBRARY_CHECK(call, names, ...) \
    kt_library_check(call, names, sizeof((const void *[]){__VA_ARGS__}) / sizeof(void *), (const void *[]){__VA_ARGS__})

/* A data set around the caller's arrays; labels may be NULL, n_classes as in kt_dataset_borrow. KT_USAGE, KT_DATA. */
kt_status kt_library_borrow(const char *call, const ktrain_array *x, const int32_t *labels, size_t n_classes,
                            kt_dataset *out);

ktrain_scores kt_library_scores(const kt_scores *scores);

/* The value of "section.key" in *text, which is replaced (kt_memory_free). KT_CONFIG: no such key. */
kt_status kt_library_show(const kt_config *config, const char *key, char **text);

#endif
