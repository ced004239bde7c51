/* What the parts of kbench share. Functions are collective over `comm` where they take one, else local. */
#ifndef KTRAIN_KBENCH_H
#define KTRAIN_KBENCH_H

#include <stdio.h>
#include <sys/types.h>

#include "ktrain/comm.h"
#include "ktrain/trainer.h"

/* A network, its batch and how it is trained. */
typedef struct kt_bench_shape {
    char name[KT_TEXT_BYTES]; /* "m3", or the shape as it was given */
    size_t n_in, n_classes;
    kt_int_list hidden;
    size_t batch_size; /* over all ranks; 0: full */
    double dropout, l2, rate;
    const char *optimizer;
} kt_bench_shape;

/* "m0", "m1", ... or "784,512,10:16" (widths, then the batch: a number, or full; 16 without it). KT_USAGE. */
kt_status kt_bench_shape_parse(const char *text, kt_bench_shape *out);
/* The names and shapes that have names, a line each. */
void kt_bench_shape_list(FILE *out);

/* Seconds of a step, on rank 0's clock. */
typedef enum kt_bench_time {
    KT_BENCH_STEP, /* all of it; so many samples come out of it */
    KT_BENCH_FORWARD,
    KT_BENCH_BACKWARD,
    KT_BENCH_EXCHANGE, /* sum of the gradients over the ranks, optimizer, the parameters' way back; with waiting for others */
    KT_BENCH_REST,  /* gathering the batch, loss, the sums of loss, the order of the samples */
    KT_BENCH_TORCH, /* PyTorch's whole step */
    KT_BENCH_N_TIMES
} kt_bench_time;

typedef struct kt_bench_case {
    kt_bench_shape shape;
    kt_config config;
    kt_data data;
    kt_log log; /* silent */
    kt_trainer *trainer;
    size_t n_repetitions, steps_each;  /* done; steps of a repetition */
    double *seconds[KT_BENCH_N_TIMES]; /* owned, one a repetition */
} kt_bench_case;

/* A trainer on made-up data, warmed up, with as many steps in a repetition as `seconds` hold. overrides are
 * "section.key=value". */
kt_status kt_bench_case_start(kt_comm *comm, const kt_bench_shape *shape, size_t n_overrides, char *const *overrides,
                              int threads, size_t repetitions, double seconds, kt_bench_case *out);
void kt_bench_case_free(kt_bench_case *c);
/* One repetition. */
kt_status kt_bench_case_repeat(kt_comm *comm, kt_bench_case *c);

/* What a step needs, by counting. */
typedef struct kt_bench_count {
    size_t n_parameters, batch_size;
    double flops;        /* of the products, all ranks */
    double memory_bytes; /* read and written if nothing stays in a cache, all ranks; transport not counted */
    double sent_bytes;   /* by the busiest rank */
} kt_bench_count;
kt_bench_count kt_bench_case_count(const kt_bench_case *c, int n_ranks);

/* What the machine can do: all ranks at the same time, their sum. */
typedef struct kt_bench_machine {
    float *memory;                               /* owned */
    double *flops_per_second, *bytes_per_second; /* owned, one a repetition */
} kt_bench_machine;
kt_status kt_bench_machine_start(kt_comm *comm, size_t repetitions, kt_bench_machine *out);
void kt_bench_machine_free(kt_bench_machine *machine);
void kt_bench_machine_repeat(kt_comm *comm, kt_bench_machine *machine, size_t repetition);

/* A python with PyTorch that trains the same shapes. Local, for rank 0. */
typedef struct kt_bench_torch {
    pid_t pid; /* 0: none */
    FILE *to, *from;
    char version[64]; /* of PyTorch */
    int threads;
} kt_bench_torch;
/* KT_NO_INPUT when `python` cannot be started or has no PyTorch. */
kt_status kt_bench_torch_start(const char *python, int threads, size_t n_cases, const kt_bench_case *cases,
                               kt_bench_torch *out);
void kt_bench_torch_stop(kt_bench_torch *torch);
/* *step_seconds of shape number `which`, from steps that last `seconds` in all. KT_INTERNAL when python has gone. */
kt_status kt_bench_torch_measure(kt_bench_torch *torch, size_t which, double seconds, double *step_seconds);

/* Everything that was measured, for rank 0. */
typedef struct kt_bench_results {
    int n_ranks, threads;
    const char *host;
    size_t repetitions, n_cases;
    const kt_bench_case *cases;
    const kt_bench_machine *machine;
    const kt_bench_torch *torch; /* pid 0 when there is none */
} kt_bench_results;

double kt_bench_median(size_t n, const double *values);
void kt_bench_print(const kt_bench_results *results);
/* KT_IO. */
kt_status kt_bench_write_json(const kt_bench_results *results, const char *path);
/* How long a run's last epochs took next to its first ones, from its history.csv. KT_NO_INPUT, KT_DATA. */
kt_status kt_bench_print_history(const char *path);

#endif
