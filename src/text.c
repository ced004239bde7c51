#include "ktrain/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktrain/memory.h"

static kt_status reserve(kt_text_buffer *buffer, size_t n_more)
{
    if (buffer->n + n_more + 1 <= buffer->capacity)
        return KT_OK;
    size_t capacity = 2 * (buffer->n + n_more + 128);
    char *bytes = kt_memory_new(capacity, 1);
    if (bytes == NULL)
        return KT_NO_MEMORY;
    if (buffer->n > 0)
        memcpy(bytes, buffer->bytes, buffer->n);
    kt_memory_free(buffer->bytes);
    buffer->bytes = bytes;
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

size_t kt_text_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    size_t n_a = strnlen(a, LONGEST), n_b = strnlen(b, LONGEST);
    size_t row[LONGEST + 1];
    for (size_t j = 0; j <= n_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            diagonal = row[j];
            row[j] = replace < least ? replace : least;
        }
    }
    return row[n_b];
}
