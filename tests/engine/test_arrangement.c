/* arrangement.h: what may be tried, in which order, and which one is chosen by times that are made up. */
#include "engine/arrangement.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "test.h"

const char *const kt_test_suite = "arrangement";

/* "2/host 2/1 1/1": so many ranks, so many of them to a copy of the weights, in the order in which they are tried. */
static const char *listed(int64_t ranks, int64_t per_replica, kt_arrangement_job job)
{
    static char text[400];
    const kt_arrangement_spec spec = {ranks, per_replica};
    kt_arrangement each[KT_MOST_ARRANGEMENTS];
    const size_t n = kt_arrangements(&spec, &job, each);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        char shares[24];
        snprintf(shares, sizeof shares, "%zu", each[i].ranks_per_replica);
        if (each[i].ranks_per_replica == KT_RANKS_OF_A_HOST)
            strcpy(shares, "host");
        if (each[i].ranks_per_replica == KT_RANKS_OF_ALL_HOSTS)
            strcpy(shares, "all");
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%zu/%s", i > 0 ? " " : "", each[i].n_ranks, shares);
    }
    return text;
}

/* So many ranks on so many hosts, batches of 16 in one shard, panels for all. */
static kt_arrangement_job thin(size_t n_ranks, size_t n_hosts)
{
    return (kt_arrangement_job){n_ranks, n_hosts, .batch_size = 16, .n_shards = 1, .most_seats = 16};
}

static void thin_batch(void)
{
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, KT_RANKS_AUTO, thin(1, 1)), "1/1");
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, KT_RANKS_AUTO, thin(2, 1)), "2/host 1/1");
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, KT_RANKS_AUTO, thin(5, 1)), "5/host 2/host 1/1");
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, KT_RANKS_AUTO, thin(8, 1)), "8/host 4/host 2/host 1/1");
}

static void batch_of_shards(void)
{
    kt_arrangement_job job = thin(4, 1);
    job.batch_size = 256;
    job.n_shards = 4;
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, KT_RANKS_AUTO, job), "4/host 4/1 2/host 2/1 1/1");
    job.batch_size = 512; /* copies first: a large batch costs more than the weights */
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, KT_RANKS_AUTO, job), "4/1 4/host 2/1 2/host 1/1");
}

static void several_hosts(void)
{
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, KT_RANKS_AUTO, thin(4, 2)), "4/host 4/all 2/host 2/all 1/1");
}

static void more_ranks_than_panels(void)
{
    kt_arrangement_job job = thin(8, 1);
    job.most_seats = 3;
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, KT_RANKS_AUTO, job), "3/host 8/host 4/host 2/host 1/1");
    CU_ASSERT_STRING_EQUAL(listed(8, KT_RANKS_AUTO, job), "8/host");
}

static void keys_leave_nothing_open(void)
{
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, 1, thin(4, 1)), "4/1");
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, KT_RANKS_NODE, thin(4, 2)), "4/host");
    CU_ASSERT_STRING_EQUAL(listed(KT_AUTO, KT_RANKS_ALL, thin(4, 2)), "4/all");
    CU_ASSERT_STRING_EQUAL(listed(3, KT_RANKS_NODE, thin(4, 1)), "3/host");
    CU_ASSERT_STRING_EQUAL(listed(8, KT_RANKS_NODE, thin(1, 1)), "1/1"); /* a forecast's one rank */
}

static void many_ranks_fit_the_list(void)
{
    kt_arrangement_job job = thin(4096, 2);
    job.n_shards = 8;
    job.batch_size = 1000;
    kt_arrangement each[KT_MOST_ARRANGEMENTS];
    const kt_arrangement_spec spec = {KT_AUTO, KT_RANKS_AUTO};
    CU_ASSERT(kt_arrangements(&spec, &job, each) == KT_MOST_ARRANGEMENTS);
}

static void untried_then_fastest(void)
{
    kt_arrangement_times times = {.n = 4, .current = 0, .seconds = {30, 0, HUGE_VAL, 0}, .n_looks = {1}};
    bool found = true;
    CU_ASSERT(kt_arrangement_next(&times, &found) == 1 && !found);
    times.current = 1;
    kt_arrangement_note(&times, 2);
    CU_ASSERT(kt_arrangement_next(&times, &found) == 3 && !found);
    times.current = 3;
    kt_arrangement_note(&times, 5); /* nothing is close to 2: no second looks */
    CU_ASSERT(kt_arrangement_next(&times, &found) == 1 && found);
    times.seconds[3] = 2; /* as fast: after second looks nothing changes */
    times.n_looks[1] = times.n_looks[3] = 2;
    CU_ASSERT(kt_arrangement_next(&times, &found) == 3 && found);
}

/* The team was in another program's way at its first look. */
static void close_ones_get_a_second_look(void)
{
    kt_arrangement_times times = {.n = 3, .current = 0};
    static const double looks[][3] = {{6, 4, 9}, {3, 4, 9}};
    static const size_t order[] = {0, 1, 2, 0, 1, 0};
    bool found;
    for (size_t i = 0; i + 1 < sizeof order / sizeof order[0]; i++) {
        times.current = order[i];
        kt_arrangement_note(&times, looks[i / 3][times.current]);
        CU_ASSERT(kt_arrangement_next(&times, &found) == order[i + 1]);
        CU_ASSERT(found == (i == 4));
    }
    CU_ASSERT(times.seconds[0] == 3 && times.seconds[1] == 4);
}

static void forgotten_but_for_what_cannot_be(void)
{
    kt_arrangement_times times = {.n = 3, .current = 1, .seconds = {3, 2, HUGE_VAL}, .n_looks = {2, 2, 0}};
    bool found;
    kt_arrangement_forget(&times);
    kt_arrangement_note(&times, 4);
    CU_ASSERT(times.seconds[0] == 0 && times.seconds[1] == 4 && isinf(times.seconds[2]));
    CU_ASSERT(kt_arrangement_next(&times, &found) == 0 && !found);
}

static void too_many_ranks_wanted(void)
{
    kt_arrangement_spec spec = {.ranks = 4};
    CU_ASSERT(kt_arrangement_check(&spec, 4) == KT_OK);
    CU_ASSERT(kt_arrangement_check(&spec, 3) == KT_CONFIG);
    CU_ASSERT(strstr(kt_error_message(), "parallel.ranks = 4 with 3 ranks started") != NULL);
    spec.ranks = KT_AUTO;
    CU_ASSERT(kt_arrangement_check(&spec, 1) == KT_OK);
}

static void words(void)
{
    char text[80];
    kt_arrangement_describe(&(kt_arrangement){1, 1}, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "1 rank");
    kt_arrangement_describe(&(kt_arrangement){4, 1}, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "4 ranks with a copy of the weights each");
    kt_arrangement_describe(&(kt_arrangement){4, KT_RANKS_OF_ALL_HOSTS}, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "4 ranks as one team");
    kt_arrangement_describe(&(kt_arrangement){4, 2}, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "4 ranks in teams of at most 2");
}

const kt_test kt_tests[] = {
    {"thin batches: one team, then fewer ranks", thin_batch},
    {"batches of several shards: also a copy each, which come first where batches are large", batch_of_shards},
    {"several hosts: also one team across them", several_hosts},
    {"more ranks than a layer has panels: so many of them first", more_ranks_than_panels},
    {"keys that leave nothing open", keys_leave_nothing_open},
    {"thousands of ranks", many_ranks_fit_the_list},
    {"what was not tried comes next, then the fastest", untried_then_fastest},
    {"close ones get a second look, since the first may have met another program", close_ones_get_a_second_look},
    {"all are tried again but what could not be made", forgotten_but_for_what_cannot_be},
    {"more ranks wanted than started", too_many_ranks_wanted},
    {"how an arrangement is told", words},
    {NULL, NULL},
};
