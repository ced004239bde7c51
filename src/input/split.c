/* Dealing shuffled samples to parts, class by class. */
#include "input/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/options_rows.h"
#include "base/random.h"

const char *const kt_part_names[KT_N_PARTS] = {
    [KT_TRAIN] = "train", [KT_VALIDATION] = "validation", [KT_TEST] = "test"};

#define AT(field) offsetof(kt_split_spec, field)

static const kt_option option_rows[] = {
    {"data", "split", KT_OPTION_REALS, AT(fractions), "0.70, 0.15, 0.15", 0, 1, NULL, DEF,
     "fractions of training, validation and test; their sum is 1"},
    {"data", "split_seed", KT_OPTION_INT, AT(seed), "1", 0, MANY, NULL, DEF,
     "seed of the split, which depends on nothing else"},
    {"data", "shuffle", KT_OPTION_BOOL, AT(shuffle), "true", 0, 0, NULL, DEF, "shuffle before splitting"},
    {"data", "stratify", KT_OPTION_BOOL, AT(stratify), "true", 0, 0, NULL, DEF,
     "spread every class over the parts in proportion"},
};
const kt_option_rows kt_split_options = KT_OPTION_ROWS(option_rows);

/* The two kinds of shuffles; the place's `layer` then tells the class, or the part. */
enum { STAGE_CLASS = 0, STAGE_PART = 1 };

/* Letters: n samples, c class, p part. */

kt_status kt_split_allocate(kt_split *out, const size_t n[KT_N_PARTS])
{
    *out = (kt_split){0};
    for (size_t p = 0; p < KT_N_PARTS; p++) {
        if (KT_NEW(out->index[p], n[p]) != KT_OK) {
            kt_split_free(out);
            return KT_NO_MEMORY;
        }
        out->n[p] = n[p];
    }
    return KT_OK;
}

void kt_split_free(kt_split *split)
{
    for (size_t p = 0; p < KT_N_PARTS; p++)
        kt_memory_free(split->index[p]);
    *split = (kt_split){0};
}

static kt_status check_fractions(const double fractions[KT_N_PARTS])
{
    double sum = 0;
    for (size_t p = 0; p < KT_N_PARTS; p++) {
        if (!(fractions[p] >= 0 && fractions[p] <= 1))
            return kt_fail(KT_CONFIG, "the split's fraction for %s is %g; fractions are from 0 to 1", kt_part_names[p],
                           fractions[p]);
        sum += fractions[p];
    }
    if (fabs(sum - 1) > 1e-6)
        return kt_fail(KT_CONFIG, "the split's fractions %g, %g, %g sum to %.9g; they must sum to 1",
                       fractions[KT_TRAIN], fractions[KT_VALIDATION], fractions[KT_TEST], sum);
    return KT_OK;
}

/* sizes[p] = n * fractions[p] rounded down, and the rest to the largest remainders, the first of equals. */
static void largest_remainders(size_t n, const double fractions[KT_N_PARTS], size_t sizes[KT_N_PARTS])
{
    double sum = 0, remainder[KT_N_PARTS];
    size_t total = 0;
    for (size_t p = 0; p < KT_N_PARTS; p++)
        sum += fractions[p];
    for (size_t p = 0; p < KT_N_PARTS; p++) {
        double exact = (double)n * fractions[p] / sum;
        sizes[p] = (size_t)exact;
        remainder[p] = exact - floor(exact);
        total += sizes[p];
    }
    for (; total < n; total++) {
        size_t most = 0;
        for (size_t p = 1; p < KT_N_PARTS; p++)
            if (remainder[p] > remainder[most])
                most = p;
        sizes[most]++;
        remainder[most] = -1;
    }
}

static kt_status check_sizes(size_t n, const double fractions[KT_N_PARTS], const size_t sizes[KT_N_PARTS])
{
    for (size_t p = 0; p < KT_N_PARTS; p++)
        if (fractions[p] > 0 && sizes[p] == 0)
            return kt_fail(KT_DATA,
                           "%zu samples are too few: the fraction %g for %s would be none; must be more samples, or a "
                           "fraction of 0",
                           n, fractions[p], kt_part_names[p]);
    return KT_OK;
}

/* ---- how many of each class go to each part ---- */

/* A table of n_classes x KT_N_PARTS. Its exact entry is counts[c] * sizes[p] / n; it is rounded down or up so that the
 * rows still sum to counts[c] and the columns to sizes[p]. Such a rounding always exists: it is a flow problem with an
 * exact fractional solution. */
typedef struct quota {
    size_t n, n_classes;
    const size_t *counts, *sizes;
    size_t *taken;           /* owned, n_classes x KT_N_PARTS */
    size_t left[KT_N_PARTS]; /* room in the parts */
} quota;

static size_t rounded_down(const quota *q, size_t c, size_t p)
{
    return (size_t)((uint64_t)q->counts[c] * q->sizes[p] / q->n); /* both below 2^32 */
}

static uint64_t remainder_of(const quota *q, size_t c, size_t p)
{
    return (uint64_t)q->counts[c] * q->sizes[p] % q->n;
}

static size_t *taken(const quota *q, size_t c, size_t p)
{
    return &q->taken[c * KT_N_PARTS + p];
}

static bool is_up(const quota *q, size_t c, size_t p)
{
    return *taken(q, c, p) > rounded_down(q, c, p);
}

static bool may_go_up(const quota *q, size_t c, size_t p)
{
    return !is_up(q, c, p) && remainder_of(q, c, p) > 0;
}

/* The part of class c that may go up, with room if needed, and has the largest remainder; KT_N_PARTS for none. */
static size_t best_part(const quota *q, size_t c, bool with_room)
{
    size_t best = KT_N_PARTS;
    for (size_t p = 0; p < KT_N_PARTS; p++)
        if (may_go_up(q, c, p) && (!with_room || q->left[p] > 0) &&
            (best == KT_N_PARTS || remainder_of(q, c, p) > remainder_of(q, c, best)))
            best = p;
    return best;
}

/* A class that is rounded up in part `from` and may be in `to` instead. */
static bool find_mover(const quota *q, size_t from, size_t to, size_t *mover)
{
    for (size_t c = 0; c < q->n_classes; c++)
        if (is_up(q, c, from) && may_go_up(q, c, to)) {
            *mover = c;
            return true;
        }
    return false;
}

static bool move(quota *q, size_t from, size_t to)
{
    size_t mover;
    if (!find_mover(q, from, to, &mover))
        return false;
    --*taken(q, mover, from);
    ++*taken(q, mover, to);
    q->left[from]++;
    q->left[to]--;
    return true;
}

/* Moves other classes until part p has room: directly into the part with room, or over the third. */
static bool make_room(quota *q, size_t p)
{
    for (size_t to = 0; to < KT_N_PARTS; to++)
        if (q->left[to] > 0 && move(q, p, to))
            return true;
    for (size_t to = 0; to < KT_N_PARTS; to++) {
        size_t between = KT_N_PARTS - p - to; /* the indices sum to 3 */
        size_t mover;
        if (to == p || q->left[to] == 0 || !find_mover(q, p, between, &mover) || !move(q, between, to))
            continue;
        return move(q, p, between);
    }
    return false;
}

/* Rounds one more part of class c up. */
static bool place_one(quota *q, size_t c)
{
    size_t p = best_part(q, c, true);
    if (p == KT_N_PARTS)
        for (p = 0; p < KT_N_PARTS && !(may_go_up(q, c, p) && make_room(q, p)); p++)
            ;
    if (p == KT_N_PARTS)
        return false;
    ++*taken(q, c, p);
    q->left[p]--;
    return true;
}

static kt_status fill_quota(quota *q)
{
    KT_TRY(KT_NEW(q->taken, q->n_classes * KT_N_PARTS));
    memcpy(q->left, q->sizes, sizeof q->left);
    for (size_t c = 0; c < q->n_classes; c++)
        for (size_t p = 0; p < KT_N_PARTS; p++) {
            *taken(q, c, p) = rounded_down(q, c, p);
            q->left[p] -= *taken(q, c, p);
        }
    for (size_t c = 0; c < q->n_classes; c++) {
        size_t n_placed = 0;
        for (size_t p = 0; p < KT_N_PARTS; p++)
            n_placed += *taken(q, c, p);
        for (; n_placed < q->counts[c]; n_placed++)
            if (!place_one(q, c))
                return kt_fail(KT_INTERNAL, "no stratified split of class %zu was found", c);
    }
    return KT_OK;
}

/* ---- who goes where ---- */

/* rows[n]: the samples, class by class, in the data set's order within a class. */
static void sort_by_class(size_t n, const int32_t *labels, size_t n_classes, const size_t *counts, size_t *next,
                          uint32_t *rows)
{
    size_t begin = 0;
    for (size_t c = 0; c < n_classes; begin += counts[c++])
        next[c] = begin;
    for (size_t i = 0; i < n; i++)
        rows[next[labels[i]]++] = (uint32_t)i;
}

/* Deals rows[n], which come class by class, to the parts by the quota. */
static void deal(kt_split *out, const quota *q, bool shuffle, uint64_t seed, uint32_t *rows)
{
    size_t filled[KT_N_PARTS] = {0};
    for (size_t c = 0; c < q->n_classes; c++) {
        const kt_random_place place = {
            .seed = seed, .purpose = KT_RANDOM_SPLIT, .epoch = STAGE_CLASS, .layer = (uint32_t)c};
        if (shuffle)
            kt_random_shuffle(&place, q->counts[c], rows);
        for (size_t p = 0; p < KT_N_PARTS; p++) {
            memcpy(out->index[p] + filled[p], rows, *taken(q, c, p) * sizeof *rows);
            filled[p] += *taken(q, c, p);
            rows += *taken(q, c, p);
        }
    }
}

static int by_row(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void order_parts(kt_split *out, bool shuffle, uint64_t seed)
{
    for (uint32_t p = 0; p < KT_N_PARTS; p++) {
        const kt_random_place place = {.seed = seed, .purpose = KT_RANDOM_SPLIT, .epoch = STAGE_PART, .layer = p};
        if (shuffle)
            kt_random_shuffle(&place, out->n[p], out->index[p]);
        else
            qsort(out->index[p], out->n[p], sizeof *out->index[p], by_row);
    }
}

static kt_status count_classes(size_t n, const int32_t *labels, size_t n_classes, const size_t sizes[KT_N_PARTS],
                               size_t *counts)
{
    size_t n_parts = 0;
    for (size_t p = 0; p < KT_N_PARTS; p++)
        n_parts += sizes[p] > 0;
    for (size_t i = 0; i < n; i++) {
        if (labels[i] < 0 || (size_t)labels[i] >= n_classes)
            return kt_fail(KT_DATA, "sample %zu has label %d, where there are %zu classes", i, (int)labels[i],
                           n_classes);
        counts[labels[i]]++;
    }
    for (size_t c = 0; c < n_classes; c++)
        if (counts[c] > 0 && counts[c] < n_parts)
            return kt_fail(KT_DATA,
                           "class %zu has %zu sample%s, too few for %zu parts: must have %zu at least, or "
                           "data.stratify must be false",
                           c, counts[c], counts[c] == 1 ? "" : "s", n_parts, n_parts);
    return KT_OK;
}

/* labels NULL: all samples are of one class. */
static kt_status split_by_class(kt_split *out, size_t n, const int32_t *labels, size_t n_classes,
                                const size_t sizes[KT_N_PARTS], const kt_split_spec *spec)
{
    const uint64_t seed = (uint64_t)spec->seed;
    size_t *counts = NULL, *next = NULL;
    uint32_t *rows = NULL;
    quota q = {.n = n, .n_classes = n_classes, .sizes = sizes};
    kt_status status = KT_NEW(counts, n_classes);
    if (status == KT_OK)
        status = KT_NEW(next, n_classes);
    if (status == KT_OK)
        status = KT_NEW(rows, n);
    if (status == KT_OK && labels != NULL)
        status = count_classes(n, labels, n_classes, sizes, counts);
    if (status == KT_OK && labels == NULL)
        counts[0] = n;
    q.counts = counts;
    if (status == KT_OK)
        status = fill_quota(&q);
    if (status == KT_OK)
        status = kt_split_allocate(out, sizes);
    if (status == KT_OK) {
        if (labels != NULL)
            sort_by_class(n, labels, n_classes, counts, next, rows);
        for (size_t i = 0; labels == NULL && i < n; i++)
            rows[i] = (uint32_t)i;
        deal(out, &q, spec->shuffle, seed, rows);
        order_parts(out, spec->shuffle, seed);
    }
    kt_memory_free(q.taken);
    kt_memory_free(rows);
    kt_memory_free(next);
    kt_memory_free(counts);
    return status;
}

kt_status kt_split_create(kt_split *out, size_t n, const int32_t *labels, size_t n_classes, const kt_split_spec *spec)
{
    *out = (kt_split){0};
    size_t sizes[KT_N_PARTS];
    const double *fractions = spec->fractions.values;
    const bool stratify = spec->stratify;
    KT_TRY(check_fractions(fractions));
    if (n == 0 || n > UINT32_MAX)
        return kt_fail(KT_DATA, "%zu samples cannot be split; there must be 1 to 2^32 - 1", n);
    if (stratify && labels == NULL)
        return kt_fail(KT_CONFIG, "a stratified split needs labels");
    largest_remainders(n, fractions, sizes);
    KT_TRY(check_sizes(n, fractions, sizes));
    return split_by_class(out, n, stratify ? labels : NULL, stratify ? n_classes : 1, sizes, spec);
}
