/* Our steps next to those of PyTorch and JAX, told apart by how far the cores were from each other. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kbench.h"

/* A shape in the rounds with one distance from core to core: medians; NAN and NULL for what was not measured. */
typedef struct comparison {
    kt_bench_distance distance;
    size_t n_rounds;
    double before, after, one_rank, all_ranks;
    double others; /* in the loudest round */
    const kt_bench_peer *best, *best_of_one_thread;
    double best_seconds, one_thread_seconds;
} comparison;

/* ---- medians of some rounds ---- */

static bool is_of(const kt_bench_results *r, size_t shape, size_t round, kt_bench_distance distance)
{
    const size_t at = shape * (size_t)r->settings->repetitions + round;
    return kt_bench_distance_of(r->before[at], r->after[at]) == distance;
}

/* values: a number for each round; NAN when one of these rounds has none. */
static double median_of(const kt_bench_results *r, size_t shape, kt_bench_distance distance, const double *values)
{
    const size_t n_rounds = (size_t)r->settings->repetitions;
    double *some, median = NAN;
    size_t n = 0;
    bool complete = true;
    if (values == NULL || KT_NEW(some, n_rounds) != KT_OK)
        return median;
    for (size_t i = 0; i < n_rounds; i++)
        if (is_of(r, shape, i, distance)) {
            complete = complete && !isnan(values[i]);
            some[n++] = values[i];
        }
    if (complete)
        median = kt_bench_median(n, some);
    kt_memory_free(some);
    return median;
}

/* The steps of the default on so many ranks. */
static const double *steps_of(const kt_bench_results *r, size_t shape, int n_ranks)
{
    for (size_t i = 0; i < r->n_cases; i++) {
        const kt_bench_case *c = &r->cases[i];
        if (c->shape == &r->shapes[shape] && c->group->n_ranks == n_ranks && c->variant == &kt_bench_variants[0])
            return c->seconds[KT_BENCH_STEP];
    }
    return NULL;
}

static const double *steps_of_peer(const kt_bench_results *r, size_t shape, const kt_bench_peer *peer)
{
    return peer->seconds + shape * (size_t)r->settings->repetitions;
}

static const kt_bench_peer *find_best(const kt_bench_results *r, size_t shape, kt_bench_distance distance,
                                      int most_threads, double *seconds)
{
    const kt_bench_peer *best = NULL;
    *seconds = NAN;
    for (size_t i = 0; i < r->peers.n; i++) {
        const kt_bench_peer *peer = &r->peers.peers[i];
        const double step = median_of(r, shape, distance, steps_of_peer(r, shape, peer));
        if (peer->threads > most_threads || isnan(step) || (best != NULL && step >= *seconds))
            continue;
        best = peer;
        *seconds = step;
    }
    return best;
}

static int most_ranks(const kt_bench_results *r)
{
    return r->groups[r->n_groups - 1].n_ranks;
}

/* False: no round was of this distance. */
static bool make_row(const kt_bench_results *r, size_t shape, kt_bench_distance distance, comparison *out)
{
    const size_t n_rounds = (size_t)r->settings->repetitions;
    *out = (comparison){.distance = distance};
    for (size_t i = 0; i < n_rounds; i++)
        if (is_of(r, shape, i, distance)) {
            out->n_rounds++;
            out->others = fmax(out->others, r->others[shape * n_rounds + i]);
        }
    if (out->n_rounds == 0)
        return false;
    out->before = median_of(r, shape, distance, r->before + shape * n_rounds);
    out->after = median_of(r, shape, distance, r->after + shape * n_rounds);
    out->one_rank = median_of(r, shape, distance, steps_of(r, shape, 1));
    out->all_ranks = median_of(r, shape, distance, steps_of(r, shape, most_ranks(r)));
    out->best = find_best(r, shape, distance, INT32_MAX, &out->best_seconds);
    out->best_of_one_thread = find_best(r, shape, distance, 1, &out->one_thread_seconds);
    return true;
}

/* ---- tables ---- */

/* What is not known is a dash. */
static void print_number(double value, int width, int digits)
{
    if (isnan(value))
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, digits, value);
}

static void print_peer(const kt_bench_peer *peer, double seconds)
{
    char name[KT_BENCH_PEER_BYTES] = "none";
    if (peer != NULL)
        kt_bench_peer_name(peer, name);
    printf("   %-40s", name);
    print_number(1e3 * seconds, 9, 4);
}

static void print_row(const kt_bench_results *r, const kt_bench_shape *s, const comparison *row)
{
    printf("%-24s %5.0f%% %7g  %-8s", s->name, 100 * s->density, s->dropout, kt_bench_distance_names[row->distance]);
    print_number(1e9 * row->before, 6, 0);
    print_number(1e9 * row->after, 6, 0);
    printf(" %6zu %5.0f%%", row->n_rounds, 100 * row->others);
    print_number(1e3 * row->one_rank, 9, 4);
    print_number(1e3 * row->all_ranks, 9, 4);
    if (r->peers.n > 0) {
        print_peer(row->best, row->best_seconds);
        print_number(row->best_seconds / row->one_rank, 7, 2);
        print_number(row->best_seconds / row->all_ranks, 7, 2);
        print_peer(row->best_of_one_thread, row->one_thread_seconds);
        print_number(row->one_thread_seconds / row->one_rank, 7, 2);
    }
    printf("\n");
}

static void print_rows(const kt_bench_results *r)
{
    const int n = most_ranks(r);
    printf(
        "\nmilliseconds a step by the time from core to core, before and after it in nanoseconds (near: below 60; far: "
        "above 100);\nmedians of the rounds with that distance; others: what they used of the machine in the "
        "loudest%s\n",
        r->peers.n > 0 ? "; how many times as fast as the best peer, and one rank as the best of one thread" : "");
    printf("%-24s %6s %7s  %-8s %6s %6s %6s %6s %9s %6d %s", "shape", "inputs", "dropout", "cores", "before", "after",
           "rounds", "others", "1 rank", n, n == 1 ? "rk" : "rks");
    if (r->peers.n > 0)
        printf("   %-40s %9s %7s %4d %s   %-40s %9s %7s", "best peer", "ms", "1 rank", n, n == 1 ? "rk" : "rks",
               "best of one thread", "ms", "1 rank");
    printf("\n");
    for (size_t i = 0; i < r->n_shapes; i++)
        for (int d = 0; d < KT_BENCH_N_DISTANCES; d++) {
            comparison row;
            if (make_row(r, i, (kt_bench_distance)d, &row))
                print_row(r, &r->shapes[i], &row);
        }
}

/* Of all rounds that it has made. */
static double peer_step(const kt_bench_results *r, size_t shape, const kt_bench_peer *peer)
{
    const double *steps = steps_of_peer(r, shape, peer);
    size_t n = 0;
    while (n < (size_t)r->settings->repetitions && !isnan(steps[n]))
        n++;
    return kt_bench_median(n, steps);
}

void kt_bench_print_peers(const kt_bench_results *r)
{
    print_rows(r);
    if (r->peers.n == 0)
        return;
    printf("\nevery peer, milliseconds a step, medians of all rounds\n%-40s", "");
    for (size_t i = 0; i < r->n_shapes; i++)
        printf(" %*s", (int)(strlen(r->shapes[i].name) > 10 ? strlen(r->shapes[i].name) : 10), r->shapes[i].name);
    printf("\n");
    for (size_t p = 0; p < r->peers.n; p++) {
        char name[KT_BENCH_PEER_BYTES];
        kt_bench_peer_name(&r->peers.peers[p], name);
        printf("%-40s", name);
        for (size_t i = 0; i < r->n_shapes; i++)
            print_number(1e3 * peer_step(r, i, &r->peers.peers[p]),
                         (int)(strlen(r->shapes[i].name) > 10 ? strlen(r->shapes[i].name) : 10), 4);
        printf("%s%s\n", r->peers.peers[p].failure[0] != '\0' ? "   " : "", r->peers.peers[p].failure);
    }
}

/* ---- JSON ---- */

static json_t *number(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *numbers(const kt_bench_results *r, const double *values)
{
    json_t *array = json_array();
    for (size_t i = 0; i < (size_t)r->settings->repetitions; i++)
        json_array_append_new(array, number(values[i]));
    return array;
}

/* "PyTorch 2.9" in two. */
static json_t *peer_json(const kt_bench_peer *peer, double step)
{
    const size_t length = strcspn(peer->version, " ");
    const char *version = peer->version + length + (peer->version[length] == ' ');
    return json_pack("{s:s%, s:s, s:s, s:i, s:o}", "name", peer->version, length, "version", version, "mode",
                     peer->mode, "threads", peer->threads, "step", number(step));
}

static json_t *row_json(const kt_bench_results *r, const comparison *row)
{
    json_t *object = json_pack("{s:s, s:I, s:f, s:o, s:o, s:o, s:i, s:o}", "cores",
                               kt_bench_distance_names[row->distance], "rounds", (json_int_t)row->n_rounds, "others",
                               row->others, "before", number(row->before), "after", number(row->after), "one_rank",
                               number(row->one_rank), "ranks", most_ranks(r), "all_ranks", number(row->all_ranks));
    if (row->best != NULL)
        json_object_set_new(object, "best", peer_json(row->best, row->best_seconds));
    if (row->best_of_one_thread != NULL)
        json_object_set_new(object, "best_of_one_thread", peer_json(row->best_of_one_thread, row->one_thread_seconds));
    return object;
}

static json_t *shape_json(const kt_bench_results *r, size_t shape)
{
    const kt_bench_shape *s = &r->shapes[shape];
    const size_t first = shape * (size_t)r->settings->repetitions;
    json_t *rows = json_array(), *peers = json_array();
    for (int d = 0; d < KT_BENCH_N_DISTANCES; d++) {
        comparison row;
        if (make_row(r, shape, (kt_bench_distance)d, &row))
            json_array_append_new(rows, row_json(r, &row));
    }
    for (size_t i = 0; i < r->peers.n; i++) {
        const kt_bench_peer *peer = &r->peers.peers[i];
        json_t *one = peer_json(peer, peer_step(r, shape, peer));
        json_object_set_new(one, "repetitions", numbers(r, steps_of_peer(r, shape, peer)));
        if (peer->failure[0] != '\0')
            json_object_set_new(one, "failure", json_string(peer->failure));
        json_array_append_new(peers, one);
    }
    return json_pack("{s:s, s:f, s:f, s:o, s:o, s:o, s:o, s:o}", "shape", s->name, "density", s->density, "dropout",
                     s->dropout, "before", numbers(r, r->before + first), "after", numbers(r, r->after + first),
                     "others", numbers(r, r->others + first), "rows", rows, "peers", peers);
}

json_t *kt_bench_peers_json(const kt_bench_results *results)
{
    json_t *array = json_array();
    for (size_t i = 0; i < results->n_shapes; i++)
        json_array_append_new(array, shape_json(results, i));
    return array;
}
