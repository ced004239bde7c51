/* Collective calls against their definition, on any number of ranks. */
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "edge/comm.h"
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
        kt_status mine =
            rank() < failing ? KT_OK : kt_fail(rank() == failing ? KT_DATA : KT_IO, "rank %d says no", rank());
        char words[64];
        snprintf(words, sizeof words, "rank %d says no", failing);
        KT_CHECK(kt_comm_agree(kt_test_world, mine) == KT_DATA);
        KT_CHECK(strcmp(kt_error_message(), words) == 0);
        KT_CHECK(kt_error_last()->rank == (size() == 1 ? KT_OWN_RANK : failing));
        KT_CHECK(size() == 1 || kt_error_last()->host[0] != '\0');
    }
}

static void an_agreed_failure_passes_through_a_second_agreement_unchanged(void)
{
    kt_status status = kt_comm_agree(kt_test_world, rank() == size() - 1 ? kt_fail(KT_IO, "disk full") : KT_OK);
    const kt_error first = *kt_error_last();
    KT_CHECK(kt_comm_agree(kt_test_world, status) == KT_IO);
    KT_CHECK(first.rank == (size() == 1 ? KT_OWN_RANK : size() - 1));
    KT_CHECK(memcmp(&first, kt_error_last(), sizeof first) == 0);
}

/* A file's name, say. */
static void a_sentence_that_looks_like_a_place_is_none(void)
{
    kt_status status = rank() == size() - 1 ? kt_fail(KT_NO_INPUT, "no file 'a [rank 7 on b]'") : KT_OK;
    KT_CHECK(kt_comm_agree(kt_test_world, status) == KT_NO_INPUT);
    KT_CHECK(kt_error_last()->rank == (size() == 1 ? KT_OWN_RANK : size() - 1));
    KT_CHECK(strcmp(kt_error_message(), "no file 'a [rank 7 on b]'") == 0);
}

/* In groups of every other rank, the last rank of the world fails; then all hear what its group has agreed on. */
static void a_failure_in_a_group_is_told_with_the_rank_in_the_world(void)
{
    kt_comm *group, *alone;
    KT_CHECK(kt_comm_group(kt_test_world, rank() % 2, &group) == KT_OK);
    KT_CHECK(kt_comm_group(group, rank(), &alone) == KT_OK);
    kt_status status = kt_comm_agree(alone, rank() == size() - 1 ? kt_fail(KT_IO, "disk full") : KT_OK);
    status = kt_comm_agree(group, status);
    KT_CHECK(status == (rank() % 2 == (size() - 1) % 2 ? KT_IO : KT_OK));
    KT_CHECK(kt_comm_size(group) == 1 || status == KT_OK || kt_error_last()->rank == size() - 1);
    KT_CHECK(kt_comm_agree(kt_test_world, status) == KT_IO);
    KT_CHECK(size() == 1 || kt_error_last()->rank == size() - 1);
    kt_comm_free(alone);
    kt_comm_free(group);
}

static void the_version_is_one_line(void)
{
    const char *version = kt_comm_version();
    KT_CHECK(version[0] != '\0');
    for (const char *c = version; *c != '\0'; c++)
        if (*c < ' ')
            CU_FAIL("a control character in the version");
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

enum { MAX_RANKS = 16 };

/* Bounds of the slices: even shares; all for the last rank; or none for every other rank. */
static void cut(size_t n, int way, size_t bounds[MAX_RANKS + 1])
{
    const size_t ranks = (size_t)size();
    bounds[0] = 0;
    for (size_t r = 0; r < ranks; r++) {
        if (way == 0)
            bounds[r + 1] = kt_share(n, r, ranks).end;
        else if (way == 1)
            bounds[r + 1] = r + 1 == ranks ? n : 0;
        else
            bounds[r + 1] = r + 1 == ranks ? n : (r | 1) * n / (ranks + 1);
    }
}

/* Elements of vector in [begin, end) are the sum over ranks, the others 0. */
static bool holds_sums(const float *vector, size_t n, size_t begin, size_t end)
{
    bool good = true;
    for (size_t i = 0; i < n; i++)
        good = good && vector[i] == (i >= begin && i < end ? element_sum(i) : 0);
    return good;
}

static void check_slices(size_t n, int way)
{
    size_t bounds[MAX_RANKS + 1];
    cut(n, way, bounds);
    size_t begin = bounds[rank()], end = bounds[rank() + 1];
    float *vector = kt_memory_new(n, sizeof *vector);
    float *sum = kt_memory_new(n, sizeof *sum);
    for (size_t i = 0; i < n; i++)
        vector[i] = element(rank(), i);
    kt_comm_reduce_slices(kt_test_world, bounds, vector, sum + begin);
    KT_CHECK(holds_sums(sum, n, begin, end));
    memcpy(vector, sum, n * sizeof *vector);
    kt_comm_gather_all_slices(kt_test_world, bounds, vector);
    KT_CHECK(holds_sums(vector, n, 0, n));
    memcpy(vector, sum, n * sizeof *vector);
    kt_comm_gather_slices(kt_test_world, bounds, vector);
    KT_CHECK(rank() == 0 ? holds_sums(vector, n, 0, n) : holds_sums(vector, n, begin, end));
    kt_memory_free(vector);
    kt_memory_free(sum);
}

static void slices_are_summed_and_gathered(void)
{
    const size_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 1000, 100003};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int way = 0; way < 3; way++)
            check_slices(sizes[i], way);
}

/* As many as go in one message, and more: tests/edge/test_comm_pieces.c has this with small messages. */
static void check_bytes(size_t n)
{
    size_t bounds[MAX_RANKS + 1], n_wrong = 0;
    cut(n, 0, bounds);
    unsigned char *bytes = kt_memory_new(n, 1);
    for (size_t i = bounds[rank()]; i < bounds[rank() + 1]; i++)
        bytes[i] = (unsigned char)(i * 7 + 1);
    kt_comm_gather_all_bytes(kt_test_world, bounds, bytes);
    for (size_t i = 0; i < n; i++)
        n_wrong += bytes[i] != (unsigned char)(i * 7 + 1);
    KT_CHECK(n_wrong == 0);
    memset(bytes, rank() == 0 ? 5 : 0, n);
    kt_comm_broadcast(kt_test_world, 0, bytes, n);
    for (size_t i = 0; i < n; i++)
        n_wrong += bytes[i] != 5;
    KT_CHECK(n_wrong == 0);
    kt_memory_free(bytes);
}

static void any_number_of_bytes_is_gathered_at_all(void)
{
    const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100003};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_bytes(sizes[i]);
}

static void slices_of_bytes_are_gathered_at_all(void)
{
    size_t bounds[MAX_RANKS + 1];
    double x[3 * MAX_RANKS] = {0};
    for (size_t r = 0; r <= (size_t)size(); r++)
        bounds[r] = r * 3 * sizeof *x;
    for (int i = 0; i < 3; i++)
        x[3 * rank() + i] = 1.0 / (1 + 3 * rank() + i);
    kt_comm_gather_all_bytes(kt_test_world, bounds, x);
    bool good = true;
    for (int i = 0; i < 3 * size(); i++)
        good = good && x[i] == 1.0 / (1 + i);
    KT_CHECK(good);
}

/* Rank r brings n_parts[r] vectors; element i of its k-th is known to all. */
static float part_element(int r, size_t k, size_t i)
{
    return (float)(r * 1000 + (int)k * 100) + (float)i / 128;
}

static void check_parts(size_t n, int way, size_t most_parts)
{
    size_t bounds[MAX_RANKS + 1], n_parts[MAX_RANKS], n_all = 0, stride = n + 5;
    cut(n, way, bounds);
    for (size_t r = 0; r < (size_t)size(); r++)
        n_all += n_parts[r] = (r * 5 + 1) % (most_parts + 1);
    size_t begin = bounds[rank()], own = bounds[rank() + 1] - begin;
    float *parts = kt_memory_new(n_parts[rank()] * stride, sizeof *parts);
    float *received = kt_memory_new(n_all * own + 1, sizeof *received);
    for (size_t k = 0; k < n_parts[rank()]; k++)
        for (size_t i = 0; i < n; i++)
            parts[k * stride + i] = part_element(rank(), k, i);
    received[n_all * own] = -1;
    kt_comm_exchange_sums(kt_test_world, bounds, n_parts, parts, stride, received);
    bool good = received[n_all * own] == -1;
    const float *at = received;
    for (int r = 0; r < size(); r++)
        for (size_t k = 0; k < n_parts[r]; k++, at += own)
            for (size_t i = 0; i < own; i++)
                good = good && at[i] == part_element(r, k, begin + i);
    KT_CHECK(good);
    kt_memory_free(parts);
    kt_memory_free(received);
}

/* Rank 0 writes to all, who read it only after they have exchanged parts and rows: nobody takes one for the other. */
static void messages_of_different_kinds_do_not_mix(void)
{
    float mail = 77, word[MAX_RANKS] = {0};
    size_t bounds[MAX_RANKS + 1];
    for (size_t r = 0; r <= (size_t)size(); r++)
        bounds[r] = r;
    for (int to = 1; rank() == 0 && to < size(); to++)
        kt_comm_send(kt_test_world, to, &mail, sizeof mail);
    kt_comm_barrier(kt_test_world); /* it has come before all that follows */
    check_parts(1000, 0, 3);
    word[rank()] = (float)rank() + 1;
    kt_comm_gather_all_slices(kt_test_world, bounds, word);
    bool good = true;
    for (int r = 0; r < size(); r++)
        good = good && word[r] == (float)r + 1;
    mail = 0;
    if (rank() > 0)
        kt_comm_receive(kt_test_world, 0, &mail, sizeof mail);
    KT_CHECK(good && mail == (rank() > 0 ? 77 : 0));
}

static void parts_arrive_in_rank_order(void)
{
    const size_t sizes[] = {0, 1, 5, 1000, 40003};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int way = 0; way < 3; way++)
            for (size_t most = 0; most < 13; most += 3)
                check_parts(sizes[i], way, most);
    check_parts(50, 0, 100); /* more messages than are under way at a time */
}

static void sums_of_doubles_add_in_rank_order(void)
{
    enum { N = 5000 }; /* more than go at once */
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
    KT_CHECK(kt_comm_group(kt_test_world, rank() % 2, &half) == KT_OK);
    KT_CHECK(kt_comm_size(half) == (size() + 1 - rank() % 2) / 2);
    KT_CHECK(kt_comm_rank(half) == rank() / 2);
    int64_t n = 1;
    kt_comm_sum_i64(half, &n, 1);
    KT_CHECK(n == kt_comm_size(half));
    kt_comm_free(half);
}

/* Everyone writes to rank 0 while rank 0 answers in the order of arrival. */
static void messages_find_their_rank(void)
{
    enum { ROUNDS = 20, LENGTH = 3000 };
    double letter[LENGTH] = {0};
    bool good = true;
    for (int i = 0; i < ROUNDS && rank() > 0; i++) {
        letter[0] = 100 * rank() + i;
        kt_comm_send(kt_test_world, 0, letter, sizeof letter);
        kt_comm_receive(kt_test_world, 0, letter, sizeof letter);
        good = good && letter[0] == -(100 * rank() + i);
    }
    for (int left = ROUNDS * (size() - 1), from = -1; left > 0 && rank() == 0;) {
        if (!kt_comm_poll(kt_test_world, &from))
            continue;
        kt_comm_receive(kt_test_world, from, letter, sizeof letter);
        good = good && (int)letter[0] / 100 == from;
        letter[0] = -letter[0];
        kt_comm_send(kt_test_world, from, letter, sizeof letter);
        left--;
    }
    KT_CHECK(good);
}

const kt_test kt_tests[] = {
    {"agreement without failure is KT_OK", agreement_without_failure_is_ok},
    {"everyone hears of the lowest failing rank", everyone_hears_of_the_lowest_failing_rank},
    {"an agreed failure passes through a second agreement unchanged",
     an_agreed_failure_passes_through_a_second_agreement_unchanged},
    {"a sentence that looks like a place is none", a_sentence_that_looks_like_a_place_is_none},
    {"a failure in a group is told with the rank in the world",
     a_failure_in_a_group_is_told_with_the_rank_in_the_world},
    {"the version is one line", the_version_is_one_line},
    {"sums and broadcasts reach everyone", sums_and_broadcasts_reach_everyone},
    {"slices are summed, and gathered at all and at rank 0", slices_are_summed_and_gathered},
    {"slices of bytes are gathered at all", slices_of_bytes_are_gathered_at_all},
    {"any number of bytes is gathered at all", any_number_of_bytes_is_gathered_at_all},
    {"messages of different kinds do not mix", messages_of_different_kinds_do_not_mix},
    {"parts arrive in rank order", parts_arrive_in_rank_order},
    {"sums of doubles add in rank order", sums_of_doubles_add_in_rank_order},
    {"rows are gathered in rank order, also from ranks with none", rows_are_gathered_in_rank_order},
    {"a group splits in groups of its own", a_group_splits_in_groups_of_its_own},
    {"messages find their rank", messages_find_their_rank},
    {NULL, NULL},
};
