/* The canonical order of every sum over a batch. Local and pure.
 *
 * A batch of M rows is cut by position into V shards (V a power of two, set by the configuration): shard v is
 * kt_share(M, v, V). A shard is summed in row order, and the shards' sums are added along a binary tree:
 *
 *     sum(v, 1) = shard v,   sum(v, 2c) = sum(v, c) + sum(v + c, c)      total = sum(0, V)
 *
 * A node of the tree is (first, count), count a power of two that divides first. Who owns consecutive shards can add
 * all nodes within them before anything is sent, so 1, 2, 4, ... owners send one partial sum each, and the bits of the
 * total are the same for every number of owners. */
#ifndef KTRAIN_SHARDS_H
#define KTRAIN_SHARDS_H

#include <stddef.h>

/* Levels of the tree: of 1, 2, 4, ... shards. Nodes: 2 log2(V) at most. */
enum {
    KT_SHARD_LEVELS = 7,
    KT_MAX_SHARDS = 1 << (KT_SHARD_LEVELS - 1),
    KT_MAX_SHARD_NODES = 2 * (KT_SHARD_LEVELS - 1)
};

typedef struct kt_shard_node {
    size_t first, count;
} kt_shard_node;

/* The fewest nodes that make up shards [begin, end), in order. Returns their number (0 when begin = end). */
size_t kt_shards_nodes(size_t begin, size_t end, kt_shard_node nodes[KT_MAX_SHARD_NODES]);

/* Sums of the tree that are complete when leaf k's is there, leaf by leaf from 0 on: to so many before it, it is
 * added. */
static inline size_t kt_shards_adds(size_t k)
{
    size_t n = 0;
    while (k >> n & 1)
        n++;
    return n;
}

/* Rows of the shards of a node: row[i], row[i + 1] bound shard first + i of M rows; row[count + 1]. */
void kt_shards_rows(size_t M, size_t V, kt_shard_node node, size_t row[KT_MAX_SHARDS + 1]);

/* Adds partial sums that together make up the node (0, V): nodes[n_nodes] in order, the i-th's values at
 * sums + i * stride. total[n] may be sums itself. The sums are overwritten. */
void kt_shards_add_f32(const kt_shard_node *nodes, size_t n_nodes, size_t n, size_t stride, float *sums, float *total);

/* The same for the single shards' sums, in double: shard v's at sums + v * stride. They are left as they are; total[n]
 * may not alias them. */
void kt_shards_add_f64(size_t V, size_t n, size_t stride, const double *sums, double *total);

#endif
