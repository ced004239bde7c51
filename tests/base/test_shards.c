/* The canonical order of a sum: whoever adds which nodes first, the bits are those of the whole tree. */
#include <stdint.h>
#include <string.h>

#include "base/shards.h"
#include "base/share.h"
#include "test.h"

const char *const kt_test_suite = "shards";

enum { N = 1100, STRIDE = N + 3 }; /* more than are added at once, and a remainder */

/* The definition: sum(v, 2c) = sum(v, c) + sum(v + c, c). */
static float tree_f32(const float *x, size_t v, size_t count)
{
    return count == 1 ? x[v * STRIDE] : tree_f32(x, v, count / 2) + tree_f32(x, v + count / 2, count / 2);
}

static double tree_f64(const double *x, size_t v, size_t count)
{
    return count == 1 ? x[v * N] : tree_f64(x, v, count / 2) + tree_f64(x, v + count / 2, count / 2);
}

/* Numbers of many magnitudes, whose sum depends on the order. */
static double number(size_t i)
{
    uint32_t bits = (uint32_t)(i * 2654435761u) ^ (uint32_t)(i >> 3) * 40503u;
    double magnitude = (double)(1u << (bits >> 27));
    return ((double)(bits & 0xffff) - 32768.5) / 3 * magnitude;
}

static bool same_f32(const float *a, const float *b)
{
    return memcmp(a, b, N * sizeof *a) == 0;
}

/* The nodes of all owners' shards, in order, and the sum of each. Returns the number of nodes. */
static size_t owners_parts(size_t V, size_t owners, const float *shards, kt_shard_node *nodes, float *parts)
{
    size_t n = 0;
    for (size_t r = 0; r < owners; r++) {
        const kt_range own = kt_share(V, r, owners);
        n += kt_shards_nodes(own.begin, own.end, nodes + n);
    }
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < N; i++)
            parts[k * STRIDE + i] = tree_f32(shards + i, nodes[k].first, nodes[k].count);
    return n;
}

static void any_owners_partial_sums_give_the_bits_of_the_whole_tree(void)
{
    static float shards[KT_MAX_SHARDS * STRIDE], parts[KT_MAX_SHARDS * STRIDE], expected[N], total[N];
    kt_shard_node nodes[KT_MAX_SHARDS + KT_MAX_SHARD_NODES];
    bool apart = true, in_place = true, order_matters = false;
    for (size_t i = 0; i < KT_MAX_SHARDS * STRIDE; i++)
        shards[i] = (float)number(i);
    for (size_t V = 1; V <= KT_MAX_SHARDS; V *= 2) {
        for (size_t i = 0; i < N; i++) {
            float forward = shards[i];
            expected[i] = tree_f32(shards + i, 0, V);
            for (size_t v = 1; v < V; v++)
                forward += shards[v * STRIDE + i];
            order_matters = order_matters || memcmp(&forward, &expected[i], sizeof forward) != 0;
        }
        for (size_t owners = 1; owners <= 9; owners++) {
            size_t n_nodes = owners_parts(V, owners, shards, nodes, parts);
            kt_shards_add_f32(nodes, n_nodes, N, STRIDE, parts, total);
            apart = apart && same_f32(total, expected);
            owners_parts(V, owners, shards, nodes, parts);
            kt_shards_add_f32(nodes, n_nodes, N, STRIDE, parts, parts);
            in_place = in_place && same_f32(parts, expected);
        }
    }
    CU_ASSERT(apart);
    CU_ASSERT(in_place);
    CU_ASSERT(order_matters);
}

static void single_shards_in_double_are_added_along_the_tree(void)
{
    static double shards[KT_MAX_SHARDS * N], copy[KT_MAX_SHARDS * N], total[N];
    bool same = true;
    for (size_t i = 0; i < KT_MAX_SHARDS * N; i++)
        shards[i] = number(i) / 3;
    memcpy(copy, shards, sizeof copy);
    for (size_t V = 1; V <= KT_MAX_SHARDS; V *= 2) {
        kt_shards_add_f64(V, N, N, shards, total);
        for (size_t i = 0; i < N; i++) {
            double expected = tree_f64(shards + i, 0, V);
            same = same && memcmp(&total[i], &expected, sizeof expected) == 0;
        }
    }
    CU_ASSERT(same);
    CU_ASSERT(memcmp(copy, shards, sizeof copy) == 0);
}

static bool are_nodes(size_t begin, size_t end, size_t n_expected, const kt_shard_node *expected)
{
    kt_shard_node nodes[KT_MAX_SHARD_NODES];
    size_t n = kt_shards_nodes(begin, end, nodes);
    bool equal = n == n_expected;
    for (size_t i = 0; i < n && equal; i++)
        equal = nodes[i].first == expected[i].first && nodes[i].count == expected[i].count;
    return equal;
}

static void the_fewest_nodes_make_up_a_range(void)
{
    CU_ASSERT(are_nodes(0, 64, 1, (kt_shard_node[]){{0, 64}}));
    CU_ASSERT(are_nodes(0, 6, 2, (kt_shard_node[]){{0, 4}, {4, 2}}));
    CU_ASSERT(are_nodes(3, 8, 2, (kt_shard_node[]){{3, 1}, {4, 4}}));
    CU_ASSERT(are_nodes(2, 6, 2, (kt_shard_node[]){{2, 2}, {4, 2}}));
    CU_ASSERT(are_nodes(63, 64, 1, (kt_shard_node[]){{63, 1}}));
    CU_ASSERT(are_nodes(5, 5, 0, NULL));
    CU_ASSERT(are_nodes(0, 0, 0, NULL));
    CU_ASSERT(are_nodes(
        1, 63, 10,
        (kt_shard_node[]){{1, 1}, {2, 2}, {4, 4}, {8, 8}, {16, 16}, {32, 16}, {48, 8}, {56, 4}, {60, 2}, {62, 1}}));
}

/* By dynamic programming over all covers: fewest[e] nodes make up [begin, e). */
static void no_other_nodes_are_fewer(void)
{
    bool fewest_always = true, in_order = true;
    for (size_t begin = 0; begin < KT_MAX_SHARDS; begin++) {
        size_t fewest[KT_MAX_SHARDS + 1] = {0};
        for (size_t end = begin + 1; end <= KT_MAX_SHARDS; end++) {
            fewest[end] = KT_MAX_SHARDS;
            for (size_t c = 1; c <= end - begin; c *= 2)
                if ((end - c) % c == 0 && fewest[end - c] + 1 < fewest[end])
                    fewest[end] = fewest[end - c] + 1;
            kt_shard_node nodes[KT_MAX_SHARD_NODES];
            size_t n = kt_shards_nodes(begin, end, nodes), next = begin;
            fewest_always = fewest_always && n == fewest[end] && n <= KT_MAX_SHARD_NODES;
            for (size_t i = 0; i < n; next += nodes[i++].count)
                in_order = in_order && nodes[i].first == next && next % nodes[i].count == 0;
            in_order = in_order && next == end;
        }
    }
    CU_ASSERT(fewest_always);
    CU_ASSERT(in_order);
}

static void rows_of_a_node_are_the_shares_of_its_shards(void)
{
    bool good = true, all = true;
    for (size_t V = 1; V <= KT_MAX_SHARDS; V *= 2)
        for (size_t M = 0; M < 200; M += M < 70 ? 1 : 37) { /* also fewer rows than shards: the last ones are empty */
            size_t row[KT_MAX_SHARDS + 1];
            kt_shards_rows(M, V, (kt_shard_node){0, V}, row);
            all = all && row[0] == 0 && row[V] == M;
            for (size_t c = 1; c <= V; c *= 2)
                for (size_t first = 0; first < V; first += c) {
                    kt_shards_rows(M, V, (kt_shard_node){first, c}, row);
                    for (size_t i = 0; i < c; i++) {
                        const kt_range rows = kt_share(M, first + i, V);
                        good = good && row[i] == rows.begin && row[i + 1] == rows.end;
                    }
                }
        }
    CU_ASSERT(all);
    CU_ASSERT(good);
}

const kt_test kt_tests[] = {
    {"any owners' partial sums give the bits of the whole tree",
     any_owners_partial_sums_give_the_bits_of_the_whole_tree},
    {"single shards in double are added along the tree", single_shards_in_double_are_added_along_the_tree},
    {"the fewest nodes make up a range", the_fewest_nodes_make_up_a_range},
    {"no other nodes are fewer", no_other_nodes_are_fewer},
    {"rows of a node are the shares of its shards", rows_of_a_node_are_the_shares_of_its_shards},
    {NULL, NULL},
};
