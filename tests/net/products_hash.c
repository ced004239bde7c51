/* Prints, for each row of products that this processor supports, a hash of what each function makes of the same random
 * layers: "row function hash". Zeros count without their sign. */
#include <inttypes.h>
#include <stdio.h>

#include "net/products_cases.h"

KT_SIMD_DECLARE(const kt_products, kt_products, );
static const kt_products *const rows[KT_N_SIMD] = KT_SIMD_EACH(&kt_products);

enum { NOTE, FORWARD, BACKWARD, GRADIENT, BIAS_GRADIENT, TO_COLUMNS, TO_PANELS, N_FUNCTIONS };
static const char *const names[N_FUNCTIONS] = {"note",          "forward",    "backward", "gradient",
                                               "bias_gradient", "to_columns", "to_panels"};

/* FNV-1a over the bytes of n words, the same on all processors of one byte order. */
static void add(uint64_t *hash, size_t n, const uint32_t *words)
{
    for (size_t k = 0; k < n; k++)
        for (size_t b = 0; b < 32; b += 8)
            *hash = (*hash ^ (words[k] >> b & 0xff)) * 1099511628211u;
}

static void add_floats(uint64_t *hash, size_t n, const float *x)
{
    for (size_t k = 0; k < n; k++) {
        const float value = x[k] == 0 ? 0 : x[k];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        add(hash, 1, &bits);
    }
}

static void add_panels(uint64_t *hash, const kt_panels *a, size_t begin, size_t end)
{
    for (size_t p = 0; p < a->n; p++)
        add_floats(hash, (end - begin) * KT_PANEL, a->at + p * a->stride + begin * KT_PANEL);
}

static void add_columns(uint64_t *hash, size_t n, const kt_columns *a, kt_range samples)
{
    for (size_t r = 0; r < n; r++)
        add_floats(hash, samples.end - samples.begin, a->at + r * a->ld + samples.begin);
}

static void add_note(uint64_t *hash, const kt_inputs *x, kt_range samples)
{
    const bool listed = samples.end - samples.begin <= KT_LISTED_SAMPLES;
    for (size_t s = samples.begin; s < samples.end && listed; s++) {
        const uint32_t *start = x->start + s * x->n_starts;
        add(hash, x->n_starts, start);
        add(hash, start[x->n_starts - 1], x->index + s * x->room);
        add_floats(hash, start[x->n_starts - 1], x->value + s * x->room);
    }
    for (size_t s = samples.begin; s < samples.end && !listed; s++)
        for (size_t k = 0; k < (x->n + 63) / 64; k++)
            add(hash, 2, (const uint32_t *)&x->bits[k * x->M + s]);
    for (size_t i = 0; i < x->n * x->words; i++)
        add(hash, 2, (const uint32_t[]){(uint32_t)x->mask[i], (uint32_t)(x->mask[i] >> 32)});
}

static void add_case(const kt_products *row, const products_case *c, uint64_t hash[N_FUNCTIONS])
{
    const size_t n_units = c->n_panels * KT_PANEL;
    products_run(row, c);
    add_note(&hash[NOTE], &c->x, c->rows);
    add_panels(&hash[FORWARD], &c->y, 0, c->M);
    add_columns(&hash[BACKWARD], c->n, &c->dx, c->rows);
    add_panels(&hash[GRADIENT], &c->g, 0, c->n);
    add_floats(&hash[BIAS_GRADIENT], n_units, c->g_bias);
    add_columns(&hash[TO_COLUMNS], n_units, &c->columns, c->rows);
    add_panels(&hash[TO_PANELS], &c->back, c->rows.begin, c->rows.end);
}

static bool add_cases(const kt_products *row, uint64_t hash[N_FUNCTIONS])
{
    products_state = 1;
    for (size_t k = 0; k < 60; k++) {
        const size_t M = 1 + products_draw(140), n = 1 + products_draw(200);
        products_case c = products_new(M, n, 1 + products_draw(9), k % 11);
        if (c.memory == NULL)
            return false;
        add_case(row, &c, hash);
        free(c.memory);
    }
    return true;
}

int main(void)
{
    for (size_t k = 0; k < KT_N_SIMD; k++) {
        uint64_t hash[N_FUNCTIONS];
        for (size_t f = 0; f < N_FUNCTIONS; f++)
            hash[f] = 14695981039346656037u;
        if (!kt_simd_rows[k].supported())
            continue;
        if (!add_cases(rows[k], hash))
            return 1;
        for (size_t f = 0; f < N_FUNCTIONS; f++)
            printf("%s %s %016" PRIx64 "\n", kt_simd_rows[k].name, names[f], hash[f]);
    }
    return 0;
}
