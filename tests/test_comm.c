/* Collective calls against their definition, on any number of ranks. */
#include <string.h>

#include "ktrain/comm.h"
#include "ktrain/memory.h"
#include "ktrain/share.h"
#include "test.h"

const char *const kt_test_suite = "comm";

static int rank(void)
{
    return kt_comm_rank(kt_test_world);
}

static int size(void)
{
    return kt_comm_size(kt_test_world);
}

/* Element i of rank r's vector: its sum over ranks is the same in any order, bit for bit. */
static float element(int r, size_t i)
{
    return (float)((r + 1) * (int)(i % 100));
}

static float element_sum(size_t i)
{
    return (float)(size() * (size() + 1) / 2 * (int)(i % 100));
}

static void agreement_without_failure_is_ok(void)
{
    KT_CHECK(kt_comm_agree(kt_test_world, KT_OK) == KT_OK);
}

static void everyone_hears_of_the_lowest_failing_rank(void)
{
    for (int failing = 0; failing < size(); failing++) {
        kt_status mine = rank() < failing ? KT_OK : kt_fail(rank() == failing ? KT_DATA : KT_IO, "rank %d says no", rank());
        char words[64], place[64];
        snprintf(words, sizeof words, "rank %d says no", failing);
        snprintf(place, sizeof place, "[rank %d on ", failing);
        KT_CHECK(kt_comm_agree(kt_test_world, mine) == KT_DATA);
        KT_CHECK(strstr(kt_error_message(), words) != NULL);
        KT_CHECK(size() == 1 || strstr(kt_error_message(), place) != NULL);
    }
}

static void an_agreed_failure_passes_through_a_second_agreement_unchanged(void)
{
    char first[KT_MESSAGE_BYTES];
    kt_status status = kt_comm_agree(kt_test_world, rank() == size() - 1 ? kt_fail(KT_IO, "disk full") : KT_OK);
    snprintf(first, sizeof first, "%s", kt_error_message());
    KT_CHECK(kt_comm_agree(kt_test_world, status) == KT_IO);
    KT_CHECK(strcmp(first, kt_error_message()) == 0);
}

static void sums_and_broadcasts_reach_everyone(void)
{
    double x[3] = {rank(), 1, 0.5};
    int64_t n[2] = {rank() + 1, (int64_t)1 << 60};
    n[1] /= size();
    kt_comm_sum_f64(kt_test_world, x, 3);
    kt_comm_sum_i64(kt_test_world, n, 2);
    KT_CHECK(x[0] == size() * (size() - 1) / 2.0 && x[1] == size() && x[2] == 0.5 * size());
    KT_CHECK(n[0] == size() * (size() + 1) / 2 && n[1] == ((int64_t)1 << 60) / size() * size());
    for (int root = 0; root < size(); root++) {
        char text[100] = "";
        if (rank() == root)
            memset(text, 'a' + root, sizeof text);
        kt_comm_broadcast(kt_test_world, root, text, sizeof text);
        KT_CHECK(text[0] == 'a' + root && text[99] == 'a' + root);
    }
}

/* All slice operations on n elements; n below, at and above the number of ranks. */
static void check_slices(size_t n, bool ordered)
{
    size_t begin, end, ranks = (size_t)size();
    kt_share(n, (size_t)rank(), ranks, &begin, &end);
    float *vector = kt_memory_new(n, sizeof *vector);
    float *slice = kt_memory_new(end - begin, sizeof *slice);
    float *scratch = kt_memory_new(ranks * (n / ranks + 1), sizeof *scratch);
    for (size_t i = 0; i < n; i++)
        vector[i] = element(rank(), i);
    kt_comm_sum_slices(kt_test_world, n, vector, slice, ordered ? scratch : NULL);
    bool good = true;
    for (size_t i = begin; i < end; i++)
        good = good && slice[i - begin] == element_sum(i);
    KT_CHECK(good);

    memset(vector, 0, n * sizeof *vector);
    memcpy(vector + begin, slice, (end - begin) * sizeof *vector);
    kt_comm_share_slices(kt_test_world, n, vector);
    good = true;
    for (size_t i = 0; i < n; i++)
        good = good && vector[i] == element_sum(i);
    KT_CHECK(good);

    memset(vector, 0, n * sizeof *vector);
    kt_comm_gather_slices(kt_test_world, n, slice, rank() == 0 ? vector : NULL);
    good = true;
    for (size_t i = 0; i < n && rank() == 0; i++)
        good = good && vector[i] == element_sum(i);
    KT_CHECK(good);
    memset(slice, 0, (end - begin) * sizeof *slice);
    kt_comm_scatter_slices(kt_test_world, n, rank() == 0 ? vector : NULL, slice);
    for (size_t i = begin; i < end; i++)
        good = good && slice[i - begin] == element_sum(i);
    KT_CHECK(good);
    kt_memory_free(vector);
    kt_memory_free(slice);
    kt_memory_free(scratch);
}

static void slices_are_summed_shared_gathered_and_scattered(void)
{
    const size_t sizes[] = {1, 2, 3, 7, 8, 9, 1000, 100003};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        check_slices(sizes[i], true);
        check_slices(sizes[i], false);
    }
}

static void ordered_sums_add_in_rank_order(void)
{
    enum { N = 64 };
    float vector[N], slice[N], scratch[N + 64];
    size_t begin, end;
    kt_share(N, (size_t)rank(), (size_t)size(), &begin, &end);
    float expected = 0;
    for (int r = 0; r < size(); r++) /* 1/3 and 1e8 do not commute with each other's roundings */
        expected = r == 0 ? 1.0f / 3 : expected + (r % 2 ? 1e8f : 1.0f / 7);
    for (size_t i = 0; i < N; i++)
        vector[i] = rank() == 0 ? 1.0f / 3 : rank() % 2 ? 1e8f : 1.0f / 7;
    kt_comm_sum_slices(kt_test_world, N, vector, slice, scratch);
    bool same = true;
    for (size_t i = begin; i < end; i++)
        same = same && memcmp(&slice[i - begin], &expected, sizeof expected) == 0;
    KT_CHECK(same);
}

static void sums_of_doubles_add_in_rank_order(void)
{
    enum { N = 1300 }; /* more than go at once */
    static double values[N];
    double expected = 1.0 / 3;
    for (int r = 1; r < size(); r++)
        expected += r % 2 ? 1e17 : 1.0 / 7;
    for (size_t i = 0; i < N; i++)
        values[i] = rank() == 0 ? 1.0 / 3 : rank() % 2 ? 1e17 : 1.0 / 7;
    kt_comm_sum_f64(kt_test_world, values, N);
    bool same = true;
    for (size_t i = 0; i < N; i++)
        same = same && memcmp(&values[i], &expected, sizeof expected) == 0;
    KT_CHECK(same);
}

static void a_vector_is_summed_in_place(void)
{
    float vector[1001];
    bool good = true;
    for (size_t i = 0; i < 1001; i++)
        vector[i] = element(rank(), i);
    kt_comm_sum_f32(kt_test_world, 1001, vector);
    for (size_t i = 0; i < 1001; i++)
        good = good && vector[i] == element_sum(i);
    KT_CHECK(good);
}

static void rows_are_gathered_in_rank_order(void)
{
    size_t own = (size_t)rank() % 3; /* some ranks have none */
    float rows[6], all[100];
    for (size_t i = 0; i < 2 * own; i++)
        rows[i] = (float)(100 * rank() + (int)i);
    kt_comm_gather_rows(kt_test_world, own, 2, rows, rank() == 0 ? all : NULL);
    bool good = true;
    size_t at = 0;
    for (int r = 0; r < size() && rank() == 0; r++)
        for (size_t i = 0; i < 2 * ((size_t)r % 3); i++)
            good = good && all[at++] == (float)(100 * r + (int)i);
    KT_CHECK(good);
}

static void a_group_splits_in_groups_of_its_own(void)
{
    kt_comm *half;
    KT_CHECK(kt_comm_split(kt_test_world, rank() % 2, &half) == KT_OK);
    KT_CHECK(kt_comm_size(half) == (size() + 1 - rank() % 2) / 2);
    KT_CHECK(kt_comm_rank(half) == rank() / 2);
    int64_t n = 1;
    kt_comm_sum_i64(half, &n, 1);
    KT_CHECK(n == kt_comm_size(half));
    kt_comm_free(half);
}

const kt_test kt_tests[] = {
    {"agreement without failure is KT_OK", agreement_without_failure_is_ok},
    {"everyone hears of the lowest failing rank", everyone_hears_of_the_lowest_failing_rank},
    {"an agreed failure passes through a second agreement unchanged", an_agreed_failure_passes_through_a_second_agreement_unchanged},
    {"sums and broadcasts reach everyone", sums_and_broadcasts_reach_everyone},
    {"slices are summed, shared, gathered and scattered", slices_are_summed_shared_gathered_and_scattered},
    {"ordered sums add in rank order", ordered_sums_add_in_rank_order},
    {"sums of doubles add in rank order", sums_of_doubles_add_in_rank_order},
    {"a vector is summed in place", a_vector_is_summed_in_place},
    {"rows are gathered in rank order, also from ranks with none", rows_are_gathered_in_rank_order},
    {"a group splits in groups of its own", a_group_splits_in_groups_of_its_own},
    {NULL, NULL},
};
