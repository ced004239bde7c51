/* Adding sums of shards along the binary tree, however they are spread over ranks. */
#include "base/shards.h"

#include <string.h>

#include "base/share.h"

/* Elements of a sum at a time: what the terms have of them stays in the first-level cache while the tree is walked. */
enum { F32_AT_ONCE = 512, F64_AT_ONCE = 64 };

size_t kt_shards_nodes(size_t begin, size_t end, kt_shard_node nodes[KT_MAX_SHARD_NODES])
{
    size_t n = 0;
    while (begin < end) {
        size_t count = begin == 0 ? KT_MAX_SHARDS : begin & -begin; /* the largest power of two that divides it */
        while (count > end - begin)
            count /= 2;
        nodes[n++] = (kt_shard_node){begin, count};
        begin += count;
    }
    return n;
}

void kt_shards_rows(size_t M, size_t V, kt_shard_node node, size_t row[KT_MAX_SHARDS + 1])
{
    for (size_t i = 0; i < node.count; i++) {
        const kt_range rows = kt_share(M, node.first + i, V);
        row[i] = rows.begin;
        row[i + 1] = rows.end;
    }
}

static void add_f32(size_t n, const float *left, const float *right, float *sum)
{
    for (size_t i = 0; i < n; i++)
        sum[i] = left[i] + right[i];
}

static void add_f64(size_t n, const double *left, const double *right, double *sum)
{
    for (size_t i = 0; i < n; i++)
        sum[i] = left[i] + right[i];
}

/* Nodes come in order and start at 0, so the sums that wait for their right half are of ever smaller counts: only the
 * last of them can be the left half of the next node. A sum lies where its first part was. */
static void add_nodes(const kt_shard_node *nodes, size_t n_nodes, size_t n, size_t stride, float *sums)
{
    size_t part[KT_SHARD_LEVELS], count[KT_SHARD_LEVELS], n_waiting = 0;
    for (size_t i = 0; i < n_nodes; i++) {
        size_t right = i, c = nodes[i].count;
        while (n_waiting > 0 && count[n_waiting - 1] == c) {
            float *left = sums + part[--n_waiting] * stride;
            add_f32(n, left, sums + right * stride, left);
            right = part[n_waiting];
            c *= 2;
        }
        part[n_waiting] = right;
        count[n_waiting++] = c;
    }
}

void kt_shards_add_f32(const kt_shard_node *nodes, size_t n_nodes, size_t n, size_t stride, float *sums, float *total)
{
    for (size_t first = 0; first < n; first += F32_AT_ONCE) {
        size_t some = n - first < F32_AT_ONCE ? n - first : F32_AT_ONCE;
        add_nodes(nodes, n_nodes, some, stride, sums + first);
        if (total != sums)
            memcpy(total + first, sums + first, some * sizeof *total);
    }
}

void kt_shards_add_f64(size_t V, size_t n, size_t stride, const double *sums, double *total)
{
    double waiting[KT_SHARD_LEVELS][F64_AT_ONCE];
    for (size_t first = 0; first < n; first += F64_AT_ONCE) {
        size_t some = n - first < F64_AT_ONCE ? n - first : F64_AT_ONCE;
        double *sum = total + first;
        for (size_t v = 0; v < V; v++) {
            size_t level = 0;
            memcpy(sum, sums + v * stride + first, some * sizeof *sum);
            for (; v >> level & 1; level++)
                add_f64(some, waiting[level], sum, sum);
            memcpy(waiting[level], sum, some * sizeof *sum);
        }
    }
}
