/* Readers of files that anybody may have made, with bytes that nobody has made on purpose. A reader refuses them or
 * takes them; it does not crash, hang, leak, or take memory that the file does not justify. Here for libFuzzer
 * (fuzzer.c, by tools/fuzz.sh) and for mutants by the same rule each time (test_fuzz.c). Local. */
#ifndef KTRAIN_TEST_FUZZ_TARGETS_H
#define KTRAIN_TEST_FUZZ_TARGETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct kt_fuzz_input {
    const char *folder, *path; /* of the file, which is there */
    const unsigned char *bytes;
    size_t n; /* as they came */
} kt_fuzz_input;

typedef struct kt_fuzz_target {
    const char *name;
    const char *file;                               /* the name that the input gets: its ending may tell the format */
    kt_status (*write)(const kt_fuzz_input *input); /* the file that the bytes stand for; NULL: they are the file */
    kt_status (*read)(const kt_fuzz_input *input);
    bool forks; /* each time: it takes many times longer */
} kt_fuzz_target;

extern const kt_fuzz_target kt_fuzz_targets[];
extern const size_t kt_n_fuzz_targets;

/* NULL when there is no such target. */
const kt_fuzz_target *kt_fuzz_find(const char *name);

/* What the reader says of bytes[n], put into a file of `folder`. Ends the process, with the input in that file, when
 * the reader lacked memory or found a fault of ktrain's own. */
kt_status kt_fuzz_read(const kt_fuzz_target *target, const char *folder, const unsigned char *bytes, size_t n);

/* The small network that checkpoints and snapshots of the good files are of; lives as long as the process. */
struct kt_network *kt_fuzz_network(void);
extern const char kt_fuzz_job[]; /* its INI text */
enum { KT_FUZZ_FEATURES = 4, KT_FUZZ_CLASSES = 3, KT_FUZZ_RUN = 0x1234, KT_FUZZ_JOB = 77 };

#endif
