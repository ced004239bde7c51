/* The table of initializers. */
#include "net/initializer.h"

#include <math.h>

#include "base/random.h"

enum { CHUNK = 4096 }; /* divides 2^32: a chunk never lies in two epochs */

typedef void draw_function(const kt_random_place *place, uint32_t first, size_t n, float *out);

/* w[] = offset + factor * draw for the elements of the range, which begins at a multiple of 4 */
static void fill(draw_function *draw, const kt_drawn_weight *weight, kt_range range, double factor, double offset,
                 float *w)
{
    size_t n_now;
    for (size_t e = range.begin; e < range.end; e += n_now) {
        const size_t left = range.end - e, room = CHUNK - e % CHUNK;
        n_now = left < room ? left : room;
        const kt_random_place place = {.seed = weight->seed,
                                       .purpose = KT_RANDOM_INIT,
                                       .layer = weight->layer,
                                       .epoch = (uint32_t)((uint64_t)e >> 32)};
        draw(&place, (uint32_t)e, n_now, w);
        for (size_t i = 0; i < n_now; i++)
            w[i] = (float)(offset + factor * (double)w[i]);
        w += n_now;
    }
}

static void fill_normal(const kt_drawn_weight *weight, kt_range range, double deviation, float *w)
{
    fill(kt_random_normal, weight, range, deviation, 0, w);
}

static void fill_uniform(const kt_drawn_weight *weight, kt_range range, double half_width, float *w)
{
    fill(kt_random_uniform, weight, range, 2 * half_width, -half_width, w);
}

#define INITIALIZER(name, draws, size)                                               \
    static void name(const kt_drawn_weight *weight, kt_range range, float *w)        \
    {                                                                                \
        const double fan_in = (double)weight->n_in, fan_out = (double)weight->n_out; \
        (void)fan_in, (void)fan_out;                                                 \
        draws(weight, range, size, w);                                               \
    }

INITIALIZER(he, fill_normal, sqrt(2 / fan_in))
INITIALIZER(glorot, fill_normal, sqrt(2 / (fan_in + fan_out)))
INITIALIZER(lecun, fill_normal, sqrt(1 / fan_in))
INITIALIZER(he_uniform, fill_uniform, sqrt(6 / fan_in))
INITIALIZER(glorot_uniform, fill_uniform, sqrt(6 / (fan_in + fan_out)))
INITIALIZER(lecun_uniform, fill_uniform, sqrt(3 / fan_in))
INITIALIZER(normal, fill_normal, weight->scale)
INITIALIZER(uniform, fill_uniform, weight->scale)

const kt_initializer kt_initializers[] = {
    {"he", he},
    {"glorot", glorot},
    {"lecun", lecun},
    {"he_uniform", he_uniform},
    {"glorot_uniform", glorot_uniform},
    {"lecun_uniform", lecun_uniform},
    {"normal", normal},
    {"uniform", uniform},
};
const size_t kt_n_initializers = sizeof kt_initializers / sizeof kt_initializers[0];
