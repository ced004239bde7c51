/* A growing string over one block of memory. */
#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static kt_status reserve(kt_text_buffer *buffer, size_t n_more)
{
    if (buffer->n + n_more + 1 <= buffer->capacity)
        return KT_OK;
    const size_t capacity = 2 * (buffer->n + n_more + 128);
    KT_TRY(kt_memory_resize(&buffer->bytes, buffer->n, capacity, 1));
    buffer->capacity = capacity;
    return KT_OK;
}

void kt_text_append(kt_text_buffer *buffer, const char *format, ...)
{
    if (buffer->status != KT_OK)
        return;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    buffer->status = n < 0 ? kt_fail(KT_INTERNAL, "a text cannot be formatted") : reserve(buffer, (size_t)n);
    if (buffer->status == KT_OK) {
        vsnprintf(buffer->bytes + buffer->n, (size_t)n + 1, format, again);
        buffer->n += (size_t)n;
    }
    va_end(again);
}

void kt_text_clear(kt_text_buffer *buffer)
{
    buffer->n = 0;
    if (buffer->bytes != NULL)
        buffer->bytes[0] = '\0';
}

kt_status kt_text_take(kt_text_buffer *buffer, char **text)
{
    *text = NULL;
    kt_text_append(buffer, "%s", "");
    kt_status status = buffer->status;
    if (status == KT_OK)
        *text = buffer->bytes;
    else
        kt_memory_free(buffer->bytes);
    *buffer = (kt_text_buffer){0};
    return status;
}

int kt_text_real(double value, char *text, size_t size)
{
    int n = 0;
    for (int digits = 6; digits <= 17; digits++) {
        n = snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return n;
}

void kt_text_duration(double seconds, char *text, size_t size)
{
    if (seconds < 60) {
        snprintf(text, size, "%.1f s", seconds);
        return;
    }
    const long s = isfinite(seconds) && seconds < 1e8 ? lround(seconds) : 0;
    if (s >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
}

void kt_text_bar(size_t n_done, size_t n, char text[KT_TEXT_BAR_BYTES])
{
    enum { WIDTH = KT_TEXT_BAR_BYTES - 1 };
    const size_t full = n_done < n ? n_done * WIDTH / n : WIDTH;
    snprintf(text, KT_TEXT_BAR_BYTES, "%-*.*s", WIDTH, (int)full, "==========");
}

size_t kt_text_character(const char *text, size_t n)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text, first = bytes[0];
    const size_t n_more = first < 0x80 ? 0 : first >> 5 == 6 ? 1 : first >> 4 == 14 ? 2 : first >> 3 == 30 ? 3 : n;
    if (n_more >= n)
        return 0;
    uint32_t code = n_more == 0 ? first : first & (0x3fu >> n_more);
    for (size_t i = 1; i <= n_more; i++) {
        if (bytes[i] >> 6 != 2)
            return 0;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    return code < least[n_more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n_more + 1;
}

enum { LONGEST_WORD = 63 };

size_t kt_text_distance(const char *a, const char *b)
{
    const size_t n_a = strnlen(a, LONGEST_WORD), n_b = strnlen(b, LONGEST_WORD);
    size_t rows[3][LONGEST_WORD + 1]; /* of this letter of a, the one before, and the one before that */
    size_t *row = rows[0], *before = rows[1], *earlier = rows[2];
    for (size_t j = 0; j <= n_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t *next = earlier;
        earlier = before;
        before = row;
        row = next;
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            const size_t replace = before[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = (before[j] < row[j - 1] ? before[j] : row[j - 1]) + 1;
            if (replace < row[j])
                row[j] = replace;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && earlier[j - 2] + 1 < row[j])
                row[j] = earlier[j - 2] + 1;
        }
    }
    return row[n_b];
}

/* In small letters, without '_' and '-'. Returns its length. */
static size_t fold(const char *word, char folded[LONGEST_WORD + 1])
{
    size_t n = 0;
    for (; *word != '\0' && n < LONGEST_WORD; word++)
        if (*word != '_' && *word != '-')
            folded[n++] = (char)tolower((unsigned char)*word);
    folded[n] = '\0';
    return n;
}

bool kt_text_same(const char *written, const char *name)
{
    char a[LONGEST_WORD + 1], b[LONGEST_WORD + 1];
    fold(written, a);
    fold(name, b);
    return strcmp(a, b) == 0;
}

size_t kt_text_near(const char *written, const char *name)
{
    enum { FEWEST = 4 }; /* letters of a beginning that tell anything */
    char a[LONGEST_WORD + 1], b[LONGEST_WORD + 1];
    const size_t n_a = fold(written, a), n_b = fold(name, b), shorter = n_a < n_b ? n_a : n_b,
                 longer = n_a < n_b ? n_b : n_a;
    const bool begins = shorter >= FEWEST && strncmp(a, b, shorter) == 0;
    if (longer - shorter > longer / 3 && !begins) /* at least so far */
        return KT_TEXT_FAR;
    const size_t far = kt_text_distance(a, b);
    return far <= longer / 3 || begins ? far : KT_TEXT_FAR;
}
