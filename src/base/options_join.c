/* Tables of keys that stand beside their structs, joined to one. */
#include <assert.h>
#include <string.h>

#include "base/options.h"

static void put_behind(kt_option *options, size_t n, const kt_option_place *place)
{
    const kt_option_table all = {.options = options, .n = n}, others = {.options = options, .n = n - 1};
    const kt_option *option = kt_options_find(&all, place->section, place->key);
    assert(option != NULL);
    const kt_option moved = *option;
    const size_t from = (size_t)(option - options);
    memmove(&options[from], &options[from + 1], (n - 1 - from) * sizeof *options);
    option = kt_options_find(&others, place->section, place->behind);
    assert(option != NULL);
    const size_t to = (size_t)(option - options) + 1;
    memmove(&options[to + 1], &options[to], (n - 1 - to) * sizeof *options);
    options[to] = moved;
}

size_t kt_options_join(const kt_option_group *parts, size_t n_parts, const kt_option_heading *headings,
                       const kt_option_place *places, size_t room, kt_option *out)
{
    size_t n = 0, n_rows = 0;
    for (; headings->section != NULL; headings++)
        for (size_t p = 0; p < n_parts; p++)
            for (size_t i = 0; i < parts[p].rows->n; i++)
                if (strcmp(parts[p].rows->rows[i].section, headings->section) == 0) {
                    assert(n < room);
                    out[n] = parts[p].rows->rows[i];
                    out[n++].offset += parts[p].offset;
                }
    for (size_t p = 0; p < n_parts; p++)
        n_rows += parts[p].rows->n;
    assert(n == n_rows); /* a section without a heading */
    for (; places->section != NULL; places++)
        put_behind(out, n, places);
    return n;
}
