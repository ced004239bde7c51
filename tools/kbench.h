/* What the parts of kbench share. Functions are collective over `comm` (or the group in what they are given) where they
 * say so, else local. Rank 0 is in every group: what is measured counts there. */
#ifndef KTRAIN_KBENCH_H
#define KTRAIN_KBENCH_H

#include <stdio.h>
#include <sys/types.h>

#include "edge/comm.h"
#include "edge/comm_pool.h"
#include "run/trainer.h"

/* ---- what is asked for (kbench_options.c) ---- */

enum { KT_BENCH_OVERRIDES = 32, KT_BENCH_NAME_BYTES = 160 };

typedef struct kt_bench_counts {
    size_t n;
    int64_t values[KT_MAX_INTS];
} kt_bench_counts;

typedef struct kt_bench_settings {
    int repetitions, threads;
    double seconds, quiet;
    kt_bench_counts ranks;        /* n = 0: all numbers */
    kt_bench_counts peer_threads; /* n = 0: 1 and all */
    double density, dropout;      /* of every shape; negative: as the shape has them */
    const char *variants, *json, *peers, *history;
    size_t n_overrides, n_shapes;
    char *overrides[KT_BENCH_OVERRIDES], **shapes;
    bool help, version;
} kt_bench_settings;

/* KT_USAGE. */
kt_status kt_bench_settings_parse(int argc, char **argv, kt_bench_settings *out);
void kt_bench_help(void);

/* ---- shapes and variants (kbench_shape.c) ---- */

/* A network, its batch and how it is trained. */
typedef struct kt_bench_shape {
    char name[KT_BENCH_NAME_BYTES]; /* "m3", or the shape as it was given */
    size_t n_in, n_classes;
    kt_int_list hidden;
    size_t batch_size;                 /* over all ranks; 0: full */
    double dropout, l2, rate, density; /* density: part of the inputs that are not 0 */
    const char *optimizer;
} kt_bench_shape;

/* "m0", "m3:64" (a name with another batch), or "784,512,10:16" (widths, then the batch: a number, or full; 16 without
 * it). KT_USAGE. */
kt_status kt_bench_shape_parse(const char *text, kt_bench_shape *out);
/* The names and shapes that have names, a line each. */
void kt_bench_shape_list(FILE *out);
/* Training samples: those of k49, or more when the batch is larger. */
size_t kt_bench_shape_samples(const kt_bench_shape *shape);
size_t kt_bench_shape_batch(const kt_bench_shape *shape);

/* A way to train the same: keys of the configuration. */
typedef struct kt_bench_variant {
    const char *name, *note;
    char *overrides[4]; /* "section.key=value", NULL after the last */
} kt_bench_variant;

enum { KT_BENCH_MOST_VARIANTS = 16 };
/* Names with commas, or all; the first row of the table is the default. KT_USAGE. */
kt_status kt_bench_variants_parse(const char *names, const kt_bench_variant *out[KT_BENCH_MOST_VARIANTS], size_t *n);
void kt_bench_variant_list(FILE *out);
extern const kt_bench_variant kt_bench_variants[];

/* ---- the machine (kbench_machine.c, kbench_peak.c) ---- */

/* Per second, all ranks of a group at the same time, together. */
typedef enum kt_bench_speed {
    KT_BENCH_AVX512, /* flops of multiply-adds in registers; 0 where the processor lacks the instructions */
    KT_BENCH_AVX2,
    KT_BENCH_BASELINE,
    KT_BENCH_SGEMM,  /* flops of a large product by OpenBLAS */
    KT_BENCH_READ,   /* bytes read */
    KT_BENCH_UPDATE, /* bytes read and written, of three streams as Adam's */
    KT_BENCH_N_SPEEDS
} kt_bench_speed;

typedef struct kt_bench_machine {
    kt_comm *host;   /* the group's ranks of this host */
    kt_pool *pool;   /* of host, as a replica's: the three streams */
    size_t n_floats; /* of a stream */
    float *matrices; /* owned */
    size_t n_repetitions;
    double *speeds[KT_BENCH_N_SPEEDS]; /* owned, one a repetition */
} kt_bench_machine;

/* Collective. */
kt_status kt_bench_machine_start(kt_comm *comm, size_t repetitions, kt_bench_machine *out);
void kt_bench_machine_free(kt_bench_machine *machine);
void kt_bench_machine_repeat(kt_comm *comm, kt_bench_machine *machine);

const char *kt_bench_speed_name(kt_bench_speed speed); /* "flops_avx512", "read_bytes" */
/* Medians; peak: flops of the fastest instruction set. */
double kt_bench_machine_speed(const kt_bench_machine *machine, kt_bench_speed speed);
double kt_bench_machine_peak(const kt_bench_machine *machine);
/* Level 2 of n_ranks cores and level 3 once; 0 where the system does not say. */
double kt_bench_cache_bytes(size_t n_ranks);

/* n rounds of multiply-adds by one instruction set; returns the flops made, 0 when the processor lacks it. Local. */
double kt_bench_peak(kt_bench_speed set, size_t n);

/* ---- a shape on some ranks (kbench_case.c) ---- */

/* Ranks 0 ... n_ranks - 1 of the world. */
typedef struct kt_bench_group {
    int n_ranks;
    kt_comm *comm; /* NULL on all other ranks */
    kt_bench_machine machine;
} kt_bench_group;

/* Seconds of a step, on rank 0's clock. */
typedef enum kt_bench_time {
    KT_BENCH_STEP, /* all of it; so many samples come out of it */
    KT_BENCH_FORWARD,
    KT_BENCH_BACKWARD,
    KT_BENCH_EXCHANGE, /* gradients, what replicas exchange, and update; with waiting for others */
    KT_BENCH_REST,     /* gathering the batch, loss, the sums of loss, the order of the samples */
    KT_BENCH_N_TIMES
} kt_bench_time;

/* What a step has to do at least. */
typedef struct kt_bench_need {
    size_t n_parameters, n_replicas, ranks_per_replica, n_layers;
    size_t layers_by[KT_MOST_EXCHANGE_KINDS];                /* as kt_exchange_kinds */
    double flops[KT_BENCH_N_TIMES], bytes[KT_BENCH_N_TIMES]; /* of FORWARD, BACKWARD, EXCHANGE; of all ranks */
    double data_bytes;                                       /* that a step comes by again and again, of all ranks */
    double sent_bytes;                                       /* between replicas, all together */
} kt_bench_need;

typedef struct kt_bench_case {
    const kt_bench_shape *shape; /* borrowed, as are variant and group */
    const kt_bench_variant *variant;
    const kt_bench_group *group;
    kt_config config;
    kt_data data;
    kt_log log; /* silent */
    kt_trainer *trainer;
    kt_bench_need need;
    size_t n_repetitions, steps_each;  /* done; steps of a repetition */
    double *seconds[KT_BENCH_N_TIMES]; /* owned, one a repetition */
} kt_bench_case;

/* A trainer on made-up data, warmed up, with as many steps in a repetition as settings->seconds hold. shape, variant
 * and group must be set; what there is of it on failure is freed by kt_bench_case_free. Collective over the group. */
kt_status kt_bench_case_start(const kt_bench_settings *settings, kt_bench_case *c);
void kt_bench_case_free(kt_bench_case *c);
/* One repetition. Collective over the group. */
kt_status kt_bench_case_repeat(kt_bench_case *c);
/* Median. Local. */
double kt_bench_case_seconds(const kt_bench_case *c, kt_bench_time time);

/* ---- what it could be (kbench_roofline.c) ---- */

kt_bench_need kt_bench_case_need(const kt_bench_case *c);

/* A step in which each phase is as fast as arithmetic or memory, whichever is slower, lets it be. */
typedef struct kt_bench_roofline {
    double seconds[KT_BENCH_N_TIMES]; /* FORWARD, BACKWARD, EXCHANGE; STEP is their sum */
    bool by_memory[KT_BENCH_N_TIMES];
    bool cached; /* all data fit the caches: memory does not count */
} kt_bench_roofline;
kt_bench_roofline kt_bench_case_roofline(const kt_bench_case *c);

/* ---- from core to core (kbench_pingpong.c) ---- */

/* Which cores a virtual machine gets changes within seconds: some share a cache, others do not. */
typedef enum kt_bench_distance {
    KT_BENCH_NEAR,    /* below 60 ns before and after */
    KT_BENCH_BETWEEN, /* neither, or not the same before and after */
    KT_BENCH_FAR,     /* above 100 ns */
    KT_BENCH_ALONE,   /* there is one core */
    KT_BENCH_N_DISTANCES
} kt_bench_distance;

/* Seconds that a store of the first core takes to be seen by the last; NAN where there is one only. Takes 20 ms. Local,
 * with the other ranks asleep. */
double kt_bench_core_to_core(void);
kt_bench_distance kt_bench_distance_of(double before, double after);
extern const char *const kt_bench_distance_names[KT_BENCH_N_DISTANCES];
/* Cores that a program may use here, whatever this one has been bound to. */
int kt_bench_cores(void);

/* ---- others (kbench_quiet.c) ---- */

#define KT_BENCH_LOUD 0.1 /* from this part of the machine on */

/* The part of all cores that others use, while this program sleeps for a moment; NAN where the system does not say.
 * Local, with the other ranks asleep. */
double kt_bench_others(void);
/* The same again and again for at most so many seconds, until it is quiet. */
double kt_bench_wait_for_quiet(double seconds);

/* ---- PyTorch and JAX (kbench_peers.c, kbench_peers_report.c) ---- */

enum { KT_BENCH_LINE_BYTES = 512, KT_BENCH_PEER_BYTES = 128 };

/* A python that trains the same shapes in one mode. Local, for rank 0. What goes wrong with one is a line on stderr,
 * and it is not measured then. */
typedef struct kt_bench_peer {
    pid_t pid; /* 0: it has gone */
    FILE *to, *from;
    char version[64]; /* "PyTorch 2.9" */
    const char *mode;
    int threads;
    bool hangs;
    bool *is_ready;                    /* owned: [shape] */
    double *seconds;                   /* owned: of a step, [shape x repetitions]; NAN: not measured */
    char failure[KT_BENCH_LINE_BYTES]; /* the first; "": none */
} kt_bench_peer;

typedef struct kt_bench_peers {
    size_t n, n_repetitions;
    kt_bench_peer *peers; /* owned */
} kt_bench_peers;

/* Every mode with each number of threads, compiled and warm. KT_NO_INPUT when settings->peers has no python, or one
 * without any of the libraries. */
kt_status kt_bench_peers_start(const kt_bench_settings *settings, size_t n_shapes, const kt_bench_shape *shapes,
                               kt_bench_peers *out);
void kt_bench_peers_stop(kt_bench_peers *peers);
/* A repetition of shape number `which`, in steps that last `seconds` in all. */
void kt_bench_peers_measure(kt_bench_peers *peers, const kt_bench_shape *shape, size_t which, size_t repetition,
                            double seconds);
/* "PyTorch 2.9 eager, 2 threads" */
void kt_bench_peer_name(const kt_bench_peer *peer, char name[KT_BENCH_PEER_BYTES]);

/* ---- what it says (kbench_report.c, kbench_json.c, kbench_history.c) ---- */

/* Everything that was measured, on rank 0. */
typedef struct kt_bench_results {
    const kt_bench_settings *settings;
    const char *host;
    size_t n_groups, n_shapes, n_cases;
    kt_bench_group *groups; /* all of it owned by kbench.c */
    kt_bench_shape *shapes;
    kt_bench_case *cases;
    double *before, *after; /* from core to core around a shape, [shape x repetitions] */
    double *others;         /* around it: the part of the machine that they use */
    kt_bench_peers peers;
} kt_bench_results;

double kt_bench_median(size_t n, const double *values);
/* The step of the same shape and variant on one rank, or of the default on as many ranks; NULL when not measured. */
const kt_bench_case *kt_bench_one_rank(const kt_bench_results *results, const kt_bench_case *c);
const kt_bench_case *kt_bench_default(const kt_bench_results *results, const kt_bench_case *c);
void kt_bench_print(const kt_bench_results *results);
/* A row of each shape for each distance from core to core that it met, next to its best peer; then every peer. */
void kt_bench_print_peers(const kt_bench_results *results);
/* The same for programs: an array of shapes. */
struct json_t *kt_bench_peers_json(const kt_bench_results *results);
/* KT_IO. */
kt_status kt_bench_write_json(const kt_bench_results *results, const char *path);
/* How long a run's last epochs took next to its first ones, from its history.csv. KT_NO_INPUT, KT_DATA. */
kt_status kt_bench_print_history(const char *path);

#endif
