/* kbench: the time of a training step on more and more ranks, next to what the machine could do and to PyTorch
 * and JAX. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "build.h"
#include "edge/linalg.h"
#include "kbench.h"

enum { FEW_RANKS = 8 };

/* ---- what is measured ---- */

/* All numbers of ranks up to a few; of more, the powers of two and the last. */
static kt_status choose_ranks(const kt_comm *world, kt_bench_counts *ranks)
{
    const int size = kt_comm_size(world);
    if (ranks->n > 0 && ranks->values[ranks->n - 1] > size)
        return kt_fail(KT_USAGE, "--ranks: %lld are more than the %d that mpirun has started",
                       (long long)ranks->values[ranks->n - 1], size);
    if (ranks->n > 0)
        return KT_OK;
    for (int n = 1; n < size; n = size <= FEW_RANKS ? n + 1 : 2 * n)
        ranks->values[ranks->n++] = n;
    ranks->values[ranks->n++] = size;
    return KT_OK;
}

static kt_status choose_shapes(const kt_bench_settings *s, kt_bench_results *r)
{
    static const char *const all[] = {"m0", "m1", "m3", "m4", "s16", "s256", "q128", "m1-dense", "s256-dense"};
    r->n_shapes = s->n_shapes > 0 ? s->n_shapes : sizeof all / sizeof all[0];
    KT_TRY(KT_NEW(r->shapes, r->n_shapes));
    for (size_t i = 0; i < r->n_shapes; i++) {
        KT_TRY(kt_bench_shape_parse(s->n_shapes > 0 ? s->shapes[i] : all[i], &r->shapes[i]));
        if (s->density >= 0)
            r->shapes[i].density = s->density;
        if (s->dropout >= 0)
            r->shapes[i].dropout = s->dropout;
    }
    KT_TRY(KT_NEW(r->before, r->n_shapes * (size_t)s->repetitions));
    KT_TRY(KT_NEW(r->after, r->n_shapes * (size_t)s->repetitions));
    return KT_NEW(r->others, r->n_shapes * (size_t)s->repetitions);
}

/* Each shape on each number of ranks; on the most, in each variant. */
static kt_status choose_cases(const kt_bench_settings *s, kt_bench_results *r)
{
    const kt_bench_variant *variants[KT_BENCH_MOST_VARIANTS];
    size_t n_variants;
    KT_TRY(kt_bench_variants_parse(s->variants, variants, &n_variants));
    r->n_groups = s->ranks.n;
    KT_TRY(KT_NEW(r->groups, r->n_groups));
    KT_TRY(KT_NEW(r->cases, r->n_shapes * (r->n_groups - 1 + n_variants)));
    for (size_t i = 0; i < r->n_shapes; i++)
        for (size_t g = 0; g < r->n_groups; g++)
            for (size_t v = 0; v < (g + 1 < r->n_groups ? 1 : n_variants); v++) {
                kt_bench_case *c = &r->cases[r->n_cases++];
                c->shape = &r->shapes[i];
                c->group = &r->groups[g];
                c->variant = g + 1 < r->n_groups ? &kt_bench_variants[0] : variants[v];
            }
    return KT_OK;
}

/* ---- in turns: who has no part sleeps ---- */

/* All ranks learn how it went for those who did something. */
static kt_status wait_for_all(kt_comm *world, kt_status status)
{
    kt_comm_barrier_asleep(world);
    return kt_comm_agree(world, status);
}

static kt_status start_groups(kt_comm *world, kt_bench_results *r)
{
    for (size_t g = 0; g < r->n_groups; g++) {
        kt_bench_group *group = &r->groups[g];
        kt_comm *half;
        group->n_ranks = (int)r->settings->ranks.values[g];
        const bool member = kt_comm_rank(world) < group->n_ranks;
        kt_status status = kt_comm_group(world, member ? 0 : 1, &half);
        KT_TRY(kt_comm_agree(world, status));
        if (member)
            group->comm = half;
        else
            kt_comm_free(half);
        if (member)
            status = kt_bench_machine_start(half, (size_t)r->settings->repetitions, &group->machine);
        KT_TRY(wait_for_all(world, status));
    }
    return KT_OK;
}

static kt_status start_peers(kt_comm *world, kt_bench_results *r)
{
    if (r->settings->peers == NULL)
        return KT_OK;
    return wait_for_all(
        world, kt_comm_rank(world) != 0 ? KT_OK : kt_bench_peers_start(r->settings, r->n_shapes, r->shapes, &r->peers));
}

/* Peers first: what is missing there is said at once. */
static kt_status start(kt_comm *world, kt_bench_results *r)
{
    KT_TRY(start_peers(world, r));
    KT_TRY(start_groups(world, r));
    for (size_t i = 0; i < r->n_cases; i++) {
        kt_bench_case *c = &r->cases[i];
        KT_TRY(wait_for_all(world, c->group->comm != NULL ? kt_bench_case_start(r->settings, c) : KT_OK));
    }
    return KT_OK;
}

/* Ours and every peer's, between two looks at what others do and at the time from core to core. */
static kt_status repeat_shape(kt_comm *world, kt_bench_results *r, size_t shape, size_t repetition)
{
    const bool speaks = kt_comm_rank(world) == 0;
    const size_t at = shape * (size_t)r->settings->repetitions + repetition;
    if (speaks) {
        r->others[at] = kt_bench_wait_for_quiet(r->settings->quiet);
        r->before[at] = kt_bench_core_to_core();
    }
    kt_comm_barrier_asleep(world);
    for (size_t i = 0; i < r->n_cases; i++) {
        kt_bench_case *c = &r->cases[i];
        if (c->shape == &r->shapes[shape])
            KT_TRY(wait_for_all(world, c->group->comm != NULL ? kt_bench_case_repeat(c) : KT_OK));
    }
    if (speaks) {
        kt_bench_peers_measure(&r->peers, &r->shapes[shape], shape, repetition, r->settings->seconds);
        r->after[at] = kt_bench_core_to_core();
        r->others[at] = fmax(r->others[at], kt_bench_others());
    }
    kt_comm_barrier_asleep(world);
    return KT_OK;
}

/* One repetition of everything. */
static kt_status repeat(kt_comm *world, kt_bench_results *r, size_t repetition)
{
    for (size_t g = 0; g < r->n_groups; g++) {
        if (r->groups[g].comm != NULL)
            kt_bench_machine_repeat(r->groups[g].comm, &r->groups[g].machine);
        kt_comm_barrier_asleep(world);
    }
    for (size_t i = 0; i < r->n_shapes; i++)
        KT_TRY(repeat_shape(world, r, i, repetition));
    return KT_OK;
}

static kt_status measure(kt_comm *world, kt_bench_results *r)
{
    KT_TRY(start(world, r));
    for (size_t repetition = 0; repetition < (size_t)r->settings->repetitions; repetition++)
        KT_TRY(repeat(world, r, repetition));
    if (kt_comm_rank(world) == 0)
        kt_bench_print(r);
    if (r->settings->json == NULL)
        return KT_OK;
    return kt_comm_agree(world, kt_comm_rank(world) == 0 ? kt_bench_write_json(r, r->settings->json) : KT_OK);
}

static void free_all(kt_bench_results *r)
{
    kt_bench_peers_stop(&r->peers);
    for (size_t i = 0; i < r->n_cases; i++)
        kt_bench_case_free(&r->cases[i]);
    for (size_t g = 0; g < r->n_groups && r->groups != NULL; g++) {
        kt_bench_machine_free(&r->groups[g].machine);
        kt_comm_free(r->groups[g].comm);
    }
    kt_memory_free(r->before);
    kt_memory_free(r->after);
    kt_memory_free(r->others);
    kt_memory_free(r->cases);
    kt_memory_free(r->groups);
    kt_memory_free(r->shapes);
}

static kt_status bench(kt_comm *world, kt_bench_settings *s)
{
    kt_bench_results r = {.settings = s, .host = kt_comm_host(world)};
    kt_status status = choose_ranks(world, &s->ranks);
    if (status == KT_OK)
        status = choose_shapes(s, &r);
    if (status == KT_OK)
        status = choose_cases(s, &r);
    status = kt_comm_agree(world, status);
    kt_linalg_start(s->threads);
    if (status == KT_OK)
        status = measure(world, &r);
    free_all(&r);
    return status;
}

static kt_status run(kt_comm *world, int argc, char **argv)
{
    kt_bench_settings s;
    bool speaks = kt_comm_rank(world) == 0;
    KT_TRY(kt_bench_settings_parse(argc, argv, &s));
    if (s.help || s.version) {
        if (speaks && s.help)
            kt_bench_help();
        else if (speaks)
            printf("kbench (ktrain) %s\n", KT_VERSION);
        return KT_OK;
    }
    if (s.peer_threads.n == 0) {
        const int n_cores = kt_bench_cores();
        s.peer_threads = (kt_bench_counts){.n = n_cores > 1 ? 2 : 1, .values = {1, n_cores}};
    }
    if (s.history != NULL)
        return kt_comm_agree(world, speaks ? kt_bench_print_history(s.history) : KT_OK);
    return bench(world, &s);
}

int main(int argc, char **argv)
{
    kt_comm *world;
    kt_status status = kt_comm_world_start(&argc, &argv, &world);
    if (status != KT_OK) {
        fprintf(stderr, "kbench: %s\n", kt_error_message());
        return (int)status;
    }
    status = run(world, argc, argv);
    if (status != KT_OK && kt_comm_rank(world) == 0)
        fprintf(stderr, "kbench: %s\n", kt_error_message());
    kt_comm_world_stop(world);
    return (int)status;
}
