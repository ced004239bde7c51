/* Building JSON. */
#include "run/json.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

json_t *kt_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *kt_json_text(const char *text)
{
    json_t *json = json_string(text);
    char *clean = json == NULL ? kt_memory_string(text) : NULL;
    if (clean == NULL)
        return json;
    size_t n = strlen(clean);
    for (size_t i = 0; i < n;) {
        const size_t length = kt_text_character(clean + i, n - i);
        if (length == 0)
            clean[i] = '?';
        i += length == 0 ? 1 : length;
    }
    json = json_string(clean);
    kt_memory_free(clean);
    return json;
}

/* The whole that a part went into, or did not. */
static json_t *whole_or_none(json_t *whole, int failed)
{
    if (failed == 0)
        return whole;
    json_decref(whole);
    return NULL;
}

json_t *kt_json_with(json_t *object, const char *name, json_t *value)
{
    return whole_or_none(object, json_object_set_new(object, name, value));
}

json_t *kt_json_append(json_t *array, json_t *value)
{
    return whole_or_none(array, json_array_append_new(array, value));
}
