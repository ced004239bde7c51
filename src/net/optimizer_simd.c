/* The optimizers: a row and its loop each, for one instruction set. */
#include <float.h>
#include <string.h>

#include "net/optimizer.h"

#include "net/products_vector.h"

/* Constants of an update in all lanes. Roots and divisions are correctly rounded: the divider works beside the
 * multiply-adds of other elements, so they cost little. */
typedef struct constants {
    vector scale, l2, keep, minus_rate, momentum, beta1, rest1, beta2, rest2, epsilon, zero, least, most;
} constants;

KT_INLINE constants constants_of(const kt_update *u)
{
    return (constants){splat(u->scale), splat(u->l2),    splat(u->keep),  splat(-u->rate), splat(u->momentum),
                       splat(u->beta1), splat(u->rest1), splat(u->beta2), splat(u->rest2), splat(u->epsilon),
                       splat(0),        splat(FLT_MIN),  splat(FLT_MAX)};
}

/* Weights, and their state; what a kind has fewer of is not used. */
typedef struct cells {
    vector w, first, second;
} cells;

/* The gradient takes the coupled decay at the weight as it was. */
KT_INLINE vector with_decay(const constants *u, vector w, vector g)
{
    return multiply_add(u->l2, w, multiply_add(u->scale, g, u->zero));
}

/* The decoupled decay shrinks the weight. */
KT_INLINE vector descend(const constants *u, vector w, vector direction)
{
    return multiply_add(u->minus_rate, direction, multiply(u->keep, w));
}

KT_INLINE vector average(vector beta, vector rest, vector old, vector new)
{
    return multiply_add(rest, new, multiply(beta, old));
}

KT_INLINE vector normalized(const constants *u, vector m, vector v)
{
    return divide(m, add(root(at_least(u->least, v)), u->epsilon));
}

/* What each optimizer does to some weights, of which g is the gradient, and to their state. */

KT_INLINE cells sgd(const constants *u, vector g, cells c)
{
    c.w = descend(u, c.w, with_decay(u, c.w, g));
    return c;
}

KT_INLINE cells momentum(const constants *u, vector g, cells c)
{
    c.first = multiply_add(u->momentum, c.first, with_decay(u, c.w, g));
    c.w = descend(u, c.w, c.first);
    return c;
}

KT_INLINE cells nesterov(const constants *u, vector g, cells c)
{
    const vector gradient = with_decay(u, c.w, g);
    c.first = multiply_add(u->momentum, c.first, gradient);
    c.w = descend(u, c.w, multiply_add(u->momentum, c.first, gradient));
    return c;
}

KT_INLINE cells rmsprop(const constants *u, vector g, cells c)
{
    const vector gradient = with_decay(u, c.w, g);
    c.first = at_most(u->most, average(u->beta2, u->rest2, c.first, multiply(gradient, gradient)));
    c.w = descend(u, c.w, normalized(u, gradient, c.first));
    return c;
}

KT_INLINE cells adam(const constants *u, vector g, cells c)
{
    const vector gradient = with_decay(u, c.w, g);
    c.first = average(u->beta1, u->rest1, c.first, gradient);
    c.second = at_most(u->most, average(u->beta2, u->rest2, c.second, multiply(gradient, gradient)));
    c.w = descend(u, c.w, normalized(u, c.first, c.second));
    return c;
}

typedef cells step_function(const constants *u, vector g, cells c);

/* ---- loops ---- */

/* One vector of weights, from `at` on. */
KT_INLINE void step_at(step_function *step, size_t n_slots, const constants *u, vector g, float *const *values,
                       size_t at)
{
    cells c = {.w = load_any(values[0] + at)};
    c.first = n_slots > 0 ? load_any(values[1] + at) : u->zero;
    c.second = n_slots > 1 ? load_any(values[2] + at) : u->zero;
    c = step(u, g, c);
    store_any(values[0] + at, c.w);
    if (n_slots > 0)
        store_any(values[1] + at, c.first);
    if (n_slots > 1)
        store_any(values[2] + at, c.second);
}

/* The last elements, fewer than a vector has, by way of whole ones. */
KT_INLINE void step_rest(step_function *step, size_t n_slots, const constants *u, size_t n, const float *g,
                         float *const *values)
{
    float whole[2 + KT_MAX_SLOTS][LANES] = {{0}};
    float *const in[1 + KT_MAX_SLOTS] = {whole[1], whole[2], whole[3]};
    memcpy(whole[0], g, n * sizeof *g);
    for (size_t k = 0; k <= n_slots; k++)
        memcpy(whole[1 + k], values[k], n * sizeof *g);
    step_at(step, n_slots, u, load_any(whole[0]), in, 0);
    for (size_t k = 0; k <= n_slots; k++)
        memcpy(values[k], whole[1 + k], n * sizeof *g);
}

KT_INLINE void update_all(step_function *step, size_t n_slots, const kt_update *update, size_t n, const float *g,
                          float *const *values)
{
    const constants u = constants_of(update);
    float *v[1 + KT_MAX_SLOTS];
    size_t i = 0;
    for (size_t k = 0; k <= n_slots; k++)
        v[k] = values[k];
    for (; i + LANES <= n; i += LANES)
        step_at(step, n_slots, &u, load_any(g + i), v, i);
    for (size_t k = 0; k <= n_slots; k++)
        v[k] += i;
    if (i < n)
        step_rest(step, n_slots, &u, n - i, g + i, v);
}

/* Where at least so many of 100 inputs are not 0, it is faster not to look where zeros are. */
enum { FEW_ZEROS_PERCENT = 75 };

static bool has_few_zeros(const kt_gradient_of *of)
{
    const kt_inputs *x = of->x;
    size_t n = 0;
    if (of->n_samples <= KT_LISTED_SAMPLES)
        for (size_t s = 0; s < of->n_samples; s++)
            n += x->start[(s + 1) * x->n_starts - 1];
    else
        for (size_t i = 0; i < x->n; i++)
            n += (size_t)__builtin_popcountll(x->mask[i * x->words]);
    return n * 100 >= of->n_samples * of->x->n * FEW_ZEROS_PERCENT;
}

/* A few panels, and samples of which the masks have one word: their deltas stay in the first-level cache while inputs
 * pass. */
typedef struct gradient_block {
    const kt_inputs *in;
    const float *d; /* of the first panel */
    size_t stride_d;
    uint64_t samples; /* bits */
    bool few_zeros;
} gradient_block;

/* The gradient of input i and n panels. */
KT_INLINE void gradient_line(size_t n, const gradient_block *b, size_t i, float *to, size_t stride_to)
{
    const float *x = b->in->x + i, *d = b->d;
    const size_t stride = b->stride_d, ld = b->in->ld;
    vector sum[LIST_PANELS * PARTS];
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        sum[v] = splat(0);
    for (uint64_t bits = b->in->mask[i * b->in->words] & b->samples; bits != 0; bits &= bits - 1) {
        const size_t s = (size_t)__builtin_ctzll(bits);
        const vector factor = splat(x[s * ld]);
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++)
            sum[v] = multiply_add(factor, load(d + s * KT_PANEL + vector_at(v, stride)), sum[v]);
    }
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        store(to + vector_at(v, stride_to), sum[v]);
}

/* The same of two inputs, zeros and all: where these are few that is faster than to look for them. */
KT_INLINE void gradient_two_lines(size_t n, const gradient_block *b, size_t i, float *to, size_t stride_to)
{
    const float *x = b->in->x + i, *d = b->d;
    const size_t stride = b->stride_d, ld = b->in->ld, end = 64 - (size_t)__builtin_clzll(b->samples);
    vector sum[2][LIST_PANELS * PARTS];
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++)
        sum[0][v] = sum[1][v] = splat(0);
    for (size_t s = (size_t)__builtin_ctzll(b->samples); s < end; s++) {
        const vector factor[2] = {splat(x[s * ld]), splat(x[s * ld + 1])};
        KT_UNROLL
        for (size_t v = 0; v < n * PARTS; v++) {
            const vector delta = load(d + s * KT_PANEL + vector_at(v, stride));
            sum[0][v] = multiply_add(factor[0], delta, sum[0][v]);
            sum[1][v] = multiply_add(factor[1], delta, sum[1][v]);
        }
    }
    KT_UNROLL
    for (size_t v = 0; v < n * PARTS; v++) {
        store(to + vector_at(v, stride_to), sum[0][v]);
        store(to + KT_PANEL + vector_at(v, stride_to), sum[1][v]);
    }
}

/* The gradient of one line is formed in registers, and goes straight into the optimizer: while the divider is busy with
 * it the next line's multiply-adds are on their way. */
KT_INLINE void learn_lines(step_function *step, size_t n_slots, size_t n_panels, const kt_update *update,
                           const gradient_block *block, float *const *values, size_t stride)
{
    const constants u = constants_of(update);
    const gradient_block b = *block;
    float *v[1 + KT_MAX_SLOTS];
    for (size_t k = 0; k <= n_slots; k++)
        v[k] = values[k];
    size_t i = 0;
    for (; i + 2 <= b.in->n && b.few_zeros; i += 2) {
        _Alignas(64) float g[2 * LIST_PANELS * KT_PANEL];
        gradient_two_lines(n_panels, &b, i, g, 2 * KT_PANEL);
        KT_UNROLL
        for (size_t k = 0; k < n_panels * PARTS; k++)
            KT_UNROLL
        for (size_t r = 0; r < 2; r++)
            step_at(step, n_slots, &u, load(g + r * KT_PANEL + vector_at(k, 2 * KT_PANEL)), v,
                    (i + r) * KT_PANEL + vector_at(k, stride));
    }
    for (; i < b.in->n; i++) {
        _Alignas(64) float g[LIST_PANELS * KT_PANEL];
        gradient_line(n_panels, &b, i, g, KT_PANEL);
        KT_UNROLL
        for (size_t k = 0; k < n_panels * PARTS; k++)
            step_at(step, n_slots, &u, load(g + k * LANES), v, i * KT_PANEL + vector_at(k, stride));
    }
}

enum { LINE_PANELS = LIST_PANELS < 4 ? LIST_PANELS : 4 };

typedef void learn_function(const kt_update *update, const gradient_block *b, float *const *values, size_t stride);

static void learn(learn_function *const *lines, size_t n_slots, const kt_update *update, const kt_gradient_of *of,
                  float *const *values, size_t stride)
{
    gradient_block b = {.in = of->x,
                        .stride_d = of->d->stride,
                        .samples = bits_between(0, of->n_samples),
                        .few_zeros = has_few_zeros(of)};
    for (size_t p = 0; p < of->d->n; p += (size_t)LINE_PANELS) {
        float *at[1 + KT_MAX_SLOTS];
        for (size_t k = 0; k <= n_slots; k++)
            at[k] = values[k] + p * stride;
        b.d = of->d->at + p * b.stride_d;
        lines[kt_smaller(of->d->n - p, (size_t)LINE_PANELS) - 1](update, &b, at, stride);
    }
}

/* update_x and learn_x of optimizer x. */
#define OPTIMIZER(name, n_slots)                                                                                     \
    static void update_##name(const kt_update *update, size_t n, const float *g, float *const *values)               \
    {                                                                                                                \
        update_all(name, n_slots, update, n, g, values);                                                             \
    }                                                                                                                \
    EACH_LINE(LEARN_LINES, name, n_slots)                                                                            \
    static void learn_##name(const kt_update *update, const kt_gradient_of *of, float *const *values, size_t stride) \
    {                                                                                                                \
        static learn_function *const lines[] = {EACH_LINE(LEARN_NAME, name, n_slots)};                               \
        learn(lines, n_slots, update, of, values, stride);                                                           \
    }
#define LEARN_LINES(name, n_slots, panels)                                                                      \
    static void learn_##name##_##panels(const kt_update *update, const gradient_block *b, float *const *values, \
                                        size_t stride)                                                          \
    {                                                                                                           \
        learn_lines(name, n_slots, panels, update, b, values, stride);                                          \
    }
#define LEARN_NAME(name, n_slots, panels) learn_##name##_##panels,
#if defined(KT_SIMD_LAST)
#define EACH_LINE(f, name, n_slots) f(name, n_slots, 1)
#else
#define EACH_LINE(f, name, n_slots) f(name, n_slots, 1) f(name, n_slots, 2) f(name, n_slots, 3) f(name, n_slots, 4)
#endif

OPTIMIZER(sgd, 0)
OPTIMIZER(momentum, 1)
OPTIMIZER(nesterov, 1)
OPTIMIZER(rmsprop, 1)
OPTIMIZER(adam, 2)

const kt_optimizer_kind KT_SIMD_NAME(kt_optimizers)[] = {
    {"sgd", 0, {NULL}, update_sgd, learn_sgd, false, false},
    {"momentum", 1, {"velocity"}, update_momentum, learn_momentum, false, false},
    {"nesterov", 1, {"velocity"}, update_nesterov, learn_nesterov, false, false},
    {"rmsprop", 1, {"square_average"}, update_rmsprop, learn_rmsprop, false, false},
    {"adam", 2, {"first_moment", "second_moment"}, update_adam, learn_adam, false, true},
    {"adamw", 2, {"first_moment", "second_moment"}, update_adam, learn_adam, true, true},
};
#ifdef KT_SIMD_LAST
const size_t kt_n_optimizers = sizeof KT_SIMD_NAME(kt_optimizers) / sizeof KT_SIMD_NAME(kt_optimizers)[0];
#endif
