/* What the strategies share, for strategy*.c only. */
#ifndef KTRAIN_STRATEGY_PRIVATE_H
#define KTRAIN_STRATEGY_PRIVATE_H

#include "sweep/strategy.h"

typedef struct kt_costly_point {
    uint64_t point;
    double cost;
} kt_costly_point;

/* Sets the costs of points[n], and sorts by them: the longest first, then by number. */
void kt_strategy_sort(const kt_search *search, size_t n, kt_costly_point *points);

/* The draws of random and halving in their order; owned by the caller (kt_memory_free). KT_NO_MEMORY. */
kt_status kt_strategy_draw(const kt_search *search, size_t *n, uint64_t **points);

/* KT_NO_MEMORY, with what would help, when n_points * bytes_each do not fit in this machine's memory. */
kt_status kt_strategy_check_size(uint64_t n_points, size_t bytes_each);

#define KT_DECLARE_STRATEGY(name, help) extern const kt_strategy_kind kt_strategy_##name;
KT_STRATEGIES(KT_DECLARE_STRATEGY)

#endif
