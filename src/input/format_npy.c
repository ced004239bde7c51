/* NumPy's .npy, versions 1 to 3: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "input/format.h"
#include "input/format_stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* A numeric array's header is some 100 bytes; only structured types need more. */
enum { MAX_HEADER_BYTES = 65536 };

typedef struct header {
    kt_type type;
    bool swap, fortran;
    size_t n_dims, dims[KT_ARRAY_MAX_DIMS];
} header;

static bool recognizes(const unsigned char *head, size_t n)
{
    return n >= sizeof magic && memcmp(head, magic, sizeof magic) == 0;
}

/* ---- the header: a Python dictionary with three known keys ---- */

typedef struct cursor {
    const char *name, *p;
} cursor;

static void skip_spaces(cursor *c)
{
    while (*c->p == ' ' || *c->p == '\n' || *c->p == '\t')
        c->p++;
}

/* Whether `word` is next; if so, steps over it. */
static bool next_is(cursor *c, const char *word)
{
    skip_spaces(c);
    size_t n = strlen(word);
    if (strncmp(c->p, word, n) != 0)
        return false;
    c->p += n;
    return true;
}

static kt_status fail_header(const cursor *c, const char *wanted)
{
    char near[25];
    size_t n = 0;
    for (; n < sizeof near - 1 && c->p[n] != '\0'; n++)
        near[n] = c->p[n] >= ' ' && c->p[n] <= '~' ? c->p[n] : '?';
    near[n] = '\0';
    return kt_fail(KT_DATA, "%s: bad npy header: %s was expected at \"%s\"", c->name, wanted, near);
}

static kt_status take_quoted(cursor *c, char *text, size_t size)
{
    skip_spaces(c);
    char quote = *c->p;
    if (quote != '\'' && quote != '"')
        return fail_header(c, "a quoted string");
    const char *begin = c->p + 1;
    const char *end = strchr(begin, quote);
    if (end == NULL || (size_t)(end - begin) >= size)
        return fail_header(c, "a short quoted string");
    memcpy(text, begin, (size_t)(end - begin));
    text[end - begin] = '\0';
    c->p = end + 1;
    return KT_OK;
}

static kt_status find_type(const cursor *c, const char *descr, kt_type *type)
{
    static const struct {
        const char *descr;
        kt_type type;
    } types[] = {
        {"b1", KT_BOOL}, {"i1", KT_I8},  {"u1", KT_U8},    {"i2", KT_I16}, {"u2", KT_U16},
        {"i4", KT_I32},  {"u4", KT_U32}, {"i8", KT_I64},   {"u8", KT_U64}, {"f2", KT_F16},
        {"f4", KT_F32},  {"f8", KT_F64}, {"f16", KT_F128},
    };
    static const struct {
        char kind;
        const char *words, *advice;
    } refused[] = {
        {'c', "complex numbers", "numpy.abs(x), or x.real beside x.imag"},
        {'O', "Python objects", "x.astype(\"float32\"); of a sparse matrix x.item().toarray()"},
        {'S', "strings", "numpy.unique(x, return_inverse=True)[1] numbers them"},
        {'a', "strings", "numpy.unique(x, return_inverse=True)[1] numbers them"},
        {'U', "strings", "numpy.unique(x, return_inverse=True)[1] numbers them"},
        {'M', "dates", "(x - x.min()) / numpy.timedelta64(1, \"D\") is in days"},
        {'m', "time spans", "x / numpy.timedelta64(1, \"s\") is in seconds"},
        {'V', "raw bytes", "x.view(\"u1\")"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(descr, types[i].descr) == 0) {
            *type = types[i].type;
            return KT_OK;
        }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (descr[0] == refused[i].kind)
            return kt_fail(KT_DATA, "%s holds %s (type %.16s), where real numbers are needed: %s", c->name,
                           refused[i].words, descr, refused[i].advice);
    return kt_fail(KT_DATA, "%s: unknown npy type \"%.16s\"", c->name, descr);
}

static kt_status take_descr(cursor *c, header *h)
{
    skip_spaces(c);
    if (*c->p == '[' || *c->p == '(')
        return kt_fail(KT_DATA,
                       "%s holds a structured type, where an array of plain numbers is needed: "
                       "numpy.lib.recfunctions.structured_to_unstructured(x) makes one",
                       c->name);
    char descr[32];
    KT_TRY(take_quoted(c, descr, sizeof descr));
    const char order = strchr("<>|=", descr[0]) != NULL ? descr[0] : '\0';
    const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    h->swap = (order == '<' && !little) || (order == '>' && little);
    return find_type(c, descr + (order != '\0' && descr[0] != '\0'), &h->type);
}

static kt_status take_fortran(cursor *c, header *h)
{
    if (next_is(c, "True"))
        h->fortran = true;
    else if (!next_is(c, "False"))
        return fail_header(c, "True or False");
    return KT_OK;
}

static kt_status take_number(cursor *c, size_t *number)
{
    skip_spaces(c);
    if (*c->p < '0' || *c->p > '9')
        return fail_header(c, "a dimension");
    *number = 0;
    for (; *c->p >= '0' && *c->p <= '9'; c->p++)
        if (__builtin_mul_overflow(*number, (size_t)10, number) ||
            __builtin_add_overflow(*number, (size_t)(*c->p - '0'), number))
            return kt_fail(KT_DATA, "%s: its header says a dimension of more than 64 bits", c->name);
    if (*c->p == 'L') /* written by Python 2 */
        c->p++;
    return KT_OK;
}

static kt_status take_shape(cursor *c, header *h)
{
    if (!next_is(c, "("))
        return fail_header(c, "a shape");
    size_t n = 0;
    while (!next_is(c, ")")) {
        size_t dim = 0;
        KT_TRY(take_number(c, &dim));
        if (n < KT_ARRAY_MAX_DIMS)
            h->dims[n] = dim;
        n++;
        if (!next_is(c, ",") && *c->p != ')')
            return fail_header(c, "a comma or the shape's end");
    }
    if (n == 0 || n > KT_ARRAY_MAX_DIMS)
        return kt_fail(KT_DATA, "%s has %zu dimensions; 1 to %d are understood", c->name, n, KT_ARRAY_MAX_DIMS);
    h->n_dims = n;
    return KT_OK;
}

static kt_status parse_header(const char *name, const char *text, header *h)
{
    static const struct {
        const char *key;
        kt_status (*take)(cursor *c, header *h);
    } keys[] = {{"descr", take_descr}, {"fortran_order", take_fortran}, {"shape", take_shape}};
    enum { N_KEYS = sizeof keys / sizeof keys[0] };
    cursor c = {name, text};
    bool seen[N_KEYS] = {false};
    *h = (header){0};
    if (!next_is(&c, "{"))
        return fail_header(&c, "{");
    for (size_t n = 0; n < N_KEYS; n++) {
        char key[32];
        KT_TRY(take_quoted(&c, key, sizeof key));
        size_t k = 0;
        while (k < N_KEYS && (strcmp(key, keys[k].key) != 0 || seen[k]))
            k++;
        if (k == N_KEYS || !next_is(&c, ":"))
            return fail_header(&c, "one each of descr, fortran_order and shape");
        seen[k] = true;
        KT_TRY(keys[k].take(&c, h));
        if (!next_is(&c, ",") && n < N_KEYS - 1)
            return fail_header(&c, "a comma");
    }
    if (!next_is(&c, "}"))
        return fail_header(&c, "}");
    skip_spaces(&c);
    return *c.p == '\0' ? KT_OK : fail_header(&c, "the header's end");
}

static kt_status take_header(kt_stream *stream, header *h)
{
    unsigned char start[8], size[4] = {0};
    KT_TRY(kt_stream_take(stream, start, sizeof start, "the npy magic"));
    if (!recognizes(start, sizeof start))
        return kt_fail(KT_DATA, "%s does not begin as an npy file", stream->name);
    if (start[6] < 1 || start[6] > 3)
        return kt_fail(KT_DATA, "%s: npy version %d.%d is not known; 1.0, 2.0 and 3.0 are", stream->name, start[6],
                       start[7]);
    KT_TRY(kt_stream_take(stream, size, start[6] == 1 ? 2 : 4, "the npy header's length"));
    size_t n = (size_t)size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    if (n > MAX_HEADER_BYTES)
        return kt_fail(KT_DATA, "%s: an npy header of %zu bytes; a plain array's has less than %d", stream->name, n,
                       MAX_HEADER_BYTES);
    char *text = kt_memory_new(n + 1, 1);
    if (text == NULL)
        return KT_NO_MEMORY;
    kt_status status = kt_stream_take(stream, text, n, "the npy header");
    if (status == KT_OK && strlen(text) != n)
        status = kt_fail(KT_DATA, "%s: the npy header holds a zero byte at %zu", stream->name, strlen(text));
    if (status == KT_OK)
        status = parse_header(stream->name, text, h);
    kt_memory_free(text);
    return status;
}

/* ---- the data ---- */

kt_status kt_npy_take(kt_stream *stream, kt_array *out)
{
    header h;
    *out = (kt_array){0};
    KT_TRY(take_header(stream, &h));
    if (!h.fortran || h.n_dims == 1)
        return kt_stream_take_array(stream, h.type, h.n_dims, h.dims, h.swap, out);
    size_t reversed[KT_ARRAY_MAX_DIMS];
    for (size_t k = 0; k < h.n_dims; k++)
        reversed[k] = h.dims[h.n_dims - 1 - k];
    kt_array fortran;
    KT_TRY(kt_stream_take_array(stream, h.type, h.n_dims, reversed, h.swap, &fortran));
    kt_status status = kt_array_transpose(&fortran, out);
    kt_array_free(&fortran);
    return status;
}

static long read_file(void *handle, void *to, size_t n)
{
    size_t got = fread(to, 1, n, handle);
    return got == 0 && ferror((FILE *)handle) ? -1 : (long)got;
}

static const char *file_error(void *handle)
{
    (void)handle;
    return strerror(errno);
}

static kt_status read_array(const char *path, const char *member, const char *const *usual, kt_array *out)
{
    (void)usual;
    *out = (kt_array){0};
    if (member != NULL)
        return kt_fail(KT_DATA, "%s is an npy file and has no members, so no \"%s\"; give its name alone", path,
                       member);
    size_t n_bytes;
    KT_TRY(kt_stream_file_bytes(path, &n_bytes));
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return kt_fail(KT_NO_INPUT, "%s: %s", path, strerror(errno));
    kt_stream stream = {
        .name = path, .handle = file, .read = read_file, .error = file_error, .most_bytes = n_bytes, .exact = true};
    kt_status status = kt_npy_take(&stream, out);
    fclose(file);
    return status;
}

const kt_format kt_format_npy = {
    .help = "a NumPy array: versions 1 to 3, every real type, both byte orders",
    .recognizes = recognizes,
    .read = read_array,
};
