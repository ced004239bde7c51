/* The keys, and what they leave to be tried. */
#include "engine/arrangement.h"

#include <math.h>
#include <stdio.h>

#include "base/options_rows.h"
#include "base/share.h"

KT_WORDS(ranks_word, "auto", "all")
KT_WORDS(replica_word, "auto", "node", "all")

enum { ALL_RANKS = KT_WORD(1) };

#define AT(field) offsetof(kt_arrangement_spec, field)

static const kt_option option_rows[] = {
    {"parallel", "ranks", KT_OPTION_INT, AT(ranks), "auto", 1, 1e6, ranks_word, 0,
     "ranks that work on a step while the others sleep; all = every rank; auto = what steps of this run show to be "
     "fastest"},
    {"parallel", "ranks_per_replica", KT_OPTION_INT, AT(ranks_per_replica), "auto", 1, 4096, replica_word, 0,
     "ranks of a host that share one copy of the weights, at most; node = all of a host; all = of all hosts together; "
     "1 = "
     "every rank has its own; auto = what steps of this run show to be fastest"},
};
const kt_option_rows kt_arrangement_options = KT_OPTION_ROWS(option_rows);

/* Batches up to this are small: reading the weights costs more than multiplying by them. */
enum { SMALL_BATCH = 256 };

size_t kt_arrangement_seats(const kt_network_spec *spec)
{
    size_t widest = kt_panels_count(spec->n_classes);
    for (size_t l = 0; l < spec->hidden.n; l++)
        widest = kt_larger(widest, kt_panels_count((size_t)spec->hidden.values[l]));
    return kt_smaller(widest, (size_t)spec->unit_shards);
}

typedef struct list {
    size_t n;
    kt_arrangement *each;
} list;

static void add(list *to, size_t n_ranks, size_t ranks_per_replica)
{
    const size_t per_replica = n_ranks == 1 ? 1 : ranks_per_replica;
    for (size_t i = 0; i < to->n; i++)
        if (to->each[i].n_ranks == n_ranks && to->each[i].ranks_per_replica == per_replica)
            return;
    if (to->n < KT_MOST_ARRANGEMENTS)
        to->each[to->n++] = (kt_arrangement){n_ranks, per_replica};
}

/* Teams of so many ranks, of one host or across hosts; or each with a copy of its own. */
static void add_ways(list *to, const kt_arrangement_job *job, size_t n_ranks)
{
    const bool splits = job->n_shards > 1 && n_ranks > 1;
    if (splits && job->batch_size > SMALL_BATCH)
        add(to, n_ranks, 1);
    add(to, n_ranks, KT_RANKS_OF_A_HOST);
    if (splits)
        add(to, n_ranks, 1);
    if (job->n_hosts > 1 && n_ranks > 1)
        add(to, n_ranks, KT_RANKS_OF_ALL_HOSTS);
}

static size_t per_replica(int64_t given)
{
    if (given == KT_RANKS_ALL)
        return KT_RANKS_OF_ALL_HOSTS;
    return given == KT_RANKS_NODE ? KT_RANKS_OF_A_HOST : (size_t)given;
}

size_t kt_arrangements(const kt_arrangement_spec *spec, const kt_arrangement_job *job,
                       kt_arrangement out[KT_MOST_ARRANGEMENTS])
{
    list all = {0, out};
    const size_t most = spec->ranks > 0 ? kt_smaller((size_t)spec->ranks, job->n_ranks) : job->n_ranks;
    if (spec->ranks_per_replica != KT_RANKS_AUTO) {
        add(&all, most, per_replica(spec->ranks_per_replica));
        return all.n;
    }
    if (spec->ranks == KT_AUTO && job->n_hosts == 1 && job->batch_size <= SMALL_BATCH)
        add_ways(&all, job, kt_smaller(most, job->most_seats));
    add_ways(&all, job, most);
    for (size_t n = most / 2; n > 0 && spec->ranks == KT_AUTO; n /= 2)
        add_ways(&all, job, n);
    return all.n;
}

void kt_arrangement_note(kt_arrangement_times *times, double seconds)
{
    double *least = &times->seconds[times->current];
    *least = *least > 0 ? fmin(*least, seconds) : seconds;
    times->n_looks[times->current]++;
}

static size_t fastest(const kt_arrangement_times *times)
{
    size_t best = times->current;
    for (size_t i = 0; i < times->n; i++)
        if (times->seconds[i] < times->seconds[best])
            best = i;
    return best;
}

/* What takes more than twice as long does not do so by chance. */
static bool is_close(const kt_arrangement_times *times, size_t i, size_t best)
{
    return times->seconds[i] < 2 * times->seconds[best];
}

size_t kt_arrangement_next(const kt_arrangement_times *times, bool *found)
{
    const size_t best = fastest(times);
    size_t n_close = 0;
    *found = false;
    for (size_t i = 0; i < times->n; i++)
        if (times->seconds[i] == 0)
            return i;
    for (size_t i = 0; i < times->n; i++)
        n_close += is_close(times, i, best);
    for (size_t i = 0; i < times->n && n_close > 1; i++)
        if (is_close(times, i, best) && times->n_looks[i] < 2)
            return i;
    *found = true;
    return best;
}

void kt_arrangement_forget(kt_arrangement_times *times)
{
    for (size_t i = 0; i < times->n; i++) {
        times->n_looks[i] = 0;
        if (!isinf(times->seconds[i]))
            times->seconds[i] = 0;
    }
}

kt_status kt_arrangement_check(const kt_arrangement_spec *spec, size_t n_ranks)
{
    if (spec->ranks <= (int64_t)n_ranks)
        return KT_OK;
    return kt_fail(KT_CONFIG, "parallel.ranks = %lld with %zu rank%s started: must be at most that, all or auto",
                   (long long)spec->ranks, n_ranks, n_ranks == 1 ? "" : "s");
}

void kt_arrangement_describe(const kt_arrangement *a, char *text, size_t size)
{
    if (a->n_ranks == 1)
        snprintf(text, size, "1 rank");
    else if (a->ranks_per_replica == 1)
        snprintf(text, size, "%zu ranks with a copy of the weights each", a->n_ranks);
    else if (a->ranks_per_replica == KT_RANKS_OF_ALL_HOSTS || a->ranks_per_replica == KT_RANKS_OF_A_HOST)
        snprintf(text, size, "%zu ranks as one team%s", a->n_ranks,
                 a->ranks_per_replica == KT_RANKS_OF_A_HOST ? " a host" : "");
    else
        snprintf(text, size, "%zu ranks in teams of at most %zu", a->n_ranks, a->ranks_per_replica);
}
