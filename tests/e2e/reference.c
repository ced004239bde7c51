/* The training of jobs/m1.ini as docs/numbers.md defines it: one loop after the other, nothing of ktrain's sources.
 *     reference FEATURES.npy LABELS.npy TRAIN.npy BATCH_SIZE STEPS >WEIGHTS
 * from float32 [n x 784], int64 [n], uint32 (the training part) to float32: weights and biases of dense1 and output. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { D = 784, H = 128, C = 49, SEED = 1, RUNS = 16, MOST = 8192, HEADER = 128, ORDER = 2, INIT = 3, DROPOUT = 4 };
static const double RATE = 0.001, GAMMA = 0.9, L2 = 0.01, DROP = 0.1, BETA1 = 0.9, BETA2 = 0.999, EPSILON = 1e-8;
static size_t batch_size;
static int64_t label[MOST];
static uint32_t sample[MOST]; /* the training part, in the order of the epoch */
static float features[MOST][D], x[MOST][D], h[MOST][H], z[C], d1[MOST][H], d2[MOST][C];

typedef struct layer {
    size_t n_in, n_out, n_weights;
    float *w, *m, *v; /* weights [n_out x n_in], biases [n_out]; Adam's moments of both */
} layer;

static float flush(float y)
{
    return fabsf(y) < 0x1p-126f ? 0 : y;
}

static double horner(size_t degree, const double *c, double t)
{
    return degree == 0 ? *c : fma(horner(degree - 1, c + 1, t), t, *c);
}

static double exp_of(double y) /* of y <= 0 */
{
    const double E[] = {0x1.000000000000ap-1,  0x1.55555555554fap-3,  0x1.555555555087cp-5,  0x1.1111111127bc1p-7,
                        0x1.6c16c1842a2ddp-10, 0x1.a01a012a61a12p-13, 0x1.a0199a0c19ccfp-16, 0x1.71df253f8af97p-19,
                        0x1.28ad731740566p-22, 0x1.ad7f88b9dd914p-26};
    const double k = fma(y, 0x1.71547652b82fep+0, 0x1.8p52) - 0x1.8p52;
    const double r = fma(-k, 0x1.abc9e3b39803fp-56, fma(-k, 0x1.62e42fefa39efp-1, y));
    return y < -708 ? 0 : ldexp(1 + fma(r * r, horner(9, E, r), r), (int)k);
}

static double log_of(double y) /* of a normal y > 0 */
{
    const double L[] = {0x1.5555555555592p-1, 0x1.999999997fd7bp-2, 0x1.24924941f4d2ep-2, 0x1.c71c52061ea12p-3,
                        0x1.74663f9f5e20ap-3, 0x1.39a1a712f1209p-3, 0x1.2f063502597d9p-3};
    const int k = ilogb(y / 0x1.6a09e667f3bcdp-1);
    const double f = ldexp(y, -k) - 1, s = f / (2 + f), t = s * s, half = 0.5 * f * f;
    const double rest = fma(s, fma(t, horner(6, L, t), half), k * 0x1.ef35793c76730p-45);
    return fma(k, 0x1.62e42fefa3800p-1, f - (half - rest));
}

static double turn(uint32_t u, int is_sine)
{
    const double COS[] = {-0x1.3bd3cc9be45dep-2,  0x1.03c1f081b5aaep-6,  -0x1.55d3c7e3c9287p-12, 0x1.e1f506836859fp-19,
                          -0x1.a6d1ec7e845eep-26, 0x1.f9cc41010ac62p-34, -0x1.b263da19b160dp-42};
    const double SIN[] = {0x1.1a62633145c07p-55, -0x1.4abbce625be46p-4,  0x1.466bc67758cbbp-9, -0x1.32d2cce3249ebp-15,
                          0x1.5078300cb0db7p-22, -0x1.e30098e401c65p-30, 0x1.e3ff3a8413d94p-38};
    const uint32_t q = (u + (1u << 29)) >> 30;
    const double t = (double)(int32_t)(u - (q << 30)) * 0x1p-29;
    const double c = fma(horner(6, COS, t * t), t * t, 1), s = fma(t, 0x1.921fb54442d18p-1, t * horner(6, SIN, t * t));
    const double of[] = {c, -s, -c, s}; /* cos of each quarter; sin is that of the quarter before */
    return of[(q + (is_sine ? 3 : 0)) % 4];
}

static double power(double b, uint64_t exponent) /* where all are above 2^-900 */
{
    double a = 1, a_low = 0, b_low = 0;
    for (; exponent > 0; exponent >>= 1) {
        const double p = a * b, e = fma(a, b_low, fma(a_low, b, fma(a, b, -p)));
        const double square = b * b, rest = fma(2 * b, b_low, fma(b, b, -square));
        if (exponent & 1)
            a = p + e, a_low = e - (a - p);
        b = square + rest, b_low = rest - (b - square);
    }
    return a;
}

static uint32_t draw(uint32_t purpose, uint32_t number_of_layer, uint32_t epoch, uint32_t of_sample, uint32_t number)
{
    uint32_t c[] = {number / 4, of_sample, epoch, purpose << 24 | number_of_layer}, key[] = {SEED, 0};
    for (int round = 0; round < 10; round++, key[0] += 0x9E3779B9u, key[1] += 0xBB67AE85u) {
        const uint64_t p = (uint64_t)0xD2511F53u * c[0], q = (uint64_t)0xCD9E8D57u * c[2];
        c[0] = (uint32_t)(q >> 32) ^ c[1] ^ key[0], c[1] = (uint32_t)q;
        c[2] = (uint32_t)(p >> 32) ^ c[3] ^ key[1], c[3] = (uint32_t)p;
    }
    return c[number % 4];
}

static void shuffle(uint32_t epoch, size_t n, uint32_t *items)
{
    for (size_t i = n; i-- > 0;) {
        const size_t other = (size_t)((uint64_t)draw(ORDER, 0, epoch, 0, (uint32_t)i) * (i + 1) >> 32);
        const uint32_t item = items[i];
        items[i] = items[other], items[other] = item;
    }
}

static void initialize(const layer *l, uint32_t number)
{
    for (uint32_t e = 0; e < l->n_weights; e++) {
        const double r = sqrt(-2 * log_of(((double)draw(INIT, number, 0, 0, e & ~1u) + 1) * 0x1p-32));
        const float normal = (float)(r * turn(draw(INIT, number, 0, 0, e | 1), e & 1));
        l->w[e] = (float)(sqrt(2 / (double)l->n_in) * (double)normal);
    }
}

static float chain(float sum, size_t length, const float *a, size_t step_a, const float *b, size_t step_b)
{
    for (size_t i = 0; i < length; i++)
        sum = flush(fmaf(a[i * step_a], b[i * step_b], sum));
    return sum;
}

/* The tree over the chains of [bound[k], bound[k + 1]), k < n. */
static float tree(size_t n, const size_t *bound, const float *a, size_t step_a, const float *b, size_t step_b)
{
    if (n == 1)
        return chain(0, bound[1] - bound[0], a + bound[0] * step_a, step_a, b + bound[0] * step_b, step_b);
    return flush(tree(n / 2, bound, a, step_a, b, step_b) + tree(n / 2, bound + n / 2, a, step_a, b, step_b));
}

static void derive_loss(size_t M, int64_t y, float *d)
{
    double most = (double)z[0], sum = 0, e[C];
    for (size_t c = 0; c < C; c++)
        most = fmax(most, (double)z[c]);
    for (size_t c = 0; c < C; c++)
        sum += e[c] = exp_of((double)z[c] - most);
    for (size_t c = 0; c < C; c++)
        d[c] = flush((float)(1 / (double)M * (e[c] * (1 / sum) - ((int64_t)c == y))));
}

static void update(const layer *l, size_t M, const float *d, const float *in, uint64_t step, double eta)
{
    const double b = sqrt(1 - power(BETA2, step));
    const float rate = (float)(eta * b / (1 - power(BETA1, step))), epsilon = (float)(EPSILON * b), one = 1;
    const size_t V = batch_size < 128 ? 1 : batch_size < 256 ? 2 : batch_size < 512 ? 4 : 8;
    size_t row[9] = {0};
    for (size_t v = 0; v < V; v++)
        row[v + 1] = row[v] + M / V + (v < M % V);
    for (size_t e = 0; e < l->n_weights + l->n_out; e++) {
        const int is_weight = e < l->n_weights;
        float g = is_weight ? tree(V, row, d + e / l->n_in, l->n_out, in + e % l->n_in, l->n_in)
                            : tree(V, row, d + e - l->n_weights, l->n_out, &one, 0);
        g = is_weight ? flush(fmaf((float)(L2 / (double)M), l->w[e], g)) : g;
        l->m[e] = flush(fmaf((float)(1 - BETA1), g, flush((float)BETA1 * l->m[e])));
        l->v[e] = flush(fmaf((float)(1 - BETA2), flush(g * g), flush((float)BETA2 * l->v[e])));
        const float direction = flush(l->m[e] / (sqrtf(fmaxf(l->v[e], 0x1p-126f)) + epsilon));
        l->w[e] = flush(fmaf(-rate, direction, l->w[e]));
    }
}

static void train(const layer *first, const layer *last, size_t M, const uint32_t *of, uint32_t epoch, uint64_t step)
{
    const float scale = (float)(1 / (1 - DROP));
    size_t bound[RUNS + 1] = {[RUNS] = C};
    for (size_t k = 0; k < RUNS; k++)
        bound[k] = k * 4 / RUNS * 16; /* of the 4 panels of the last layer */
    for (size_t r = 0; r < M; r++) {
        for (size_t i = 0; i < D; i++)
            x[r][i] = flush(features[of[r]][i] / 255);
        for (size_t u = 0; u < H; u++) {
            const float y = chain(first->w[D * H + u], D, x[r], 1, first->w + u * D, 1);
            h[r][u] = y > 0 && (draw(DROPOUT, 1, epoch, of[r], (uint32_t)u) >> 8) * 0x1p-24 >= DROP ? y * scale : 0;
        }
        for (size_t u = 0; u < C; u++)
            z[u] = chain(last->w[H * C + u], H, h[r], 1, last->w + u * H, 1);
        derive_loss(M, label[of[r]], d2[r]);
        for (size_t i = 0; i < H; i++)
            d1[r][i] = h[r][i] > 0 ? tree(RUNS, bound, d2[r], 1, last->w + i, H) * scale : 0;
    }
    update(first, M, d1[0], x[0], step, RATE * power(GAMMA, epoch));
    update(last, M, d2[0], h[0], step, RATE * power(GAMMA, epoch));
}

static size_t read_npy(const char *path, size_t n_bytes, void *items)
{
    FILE *file = fopen(path, "rb");
    return file == NULL || fseek(file, HEADER, SEEK_SET) != 0 ? 0 : fread(items, n_bytes, MOST, file);
}

int main(int argc, char **argv)
{
    static float w[2][3][(D + 1) * H];
    const layer first = {D, H, D * H, w[0][0], w[0][1], w[0][2]}, last = {H, C, H * C, w[1][0], w[1][1], w[1][2]};
    if (argc != 6 || read_npy(argv[1], sizeof *features, features) != read_npy(argv[2], sizeof *label, label))
        return 1;
    batch_size = strtoul(argv[4], NULL, 10);
    initialize(&first, 1);
    initialize(&last, 2);
    for (size_t step = 0, at = 0, epoch = 0, n = 0; step < strtoul(argv[5], NULL, 10); step++, at += batch_size) {
        if (at >= n) {
            n = read_npy(argv[3], sizeof *sample, sample);
            epoch += step > 0, at = 0;
            shuffle((uint32_t)epoch, n, sample);
        }
        train(&first, &last, n - at < batch_size ? n - at : batch_size, sample + at, (uint32_t)epoch, step + 1);
    }
    fwrite(first.w, sizeof(float), (D + 1) * H, stdout);
    return fwrite(last.w, sizeof(float), (H + 1) * C, stdout) == 0;
}
